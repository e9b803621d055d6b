"""The networks of a run of this program, as the start of another one."""

import dataclasses
import pathlib
import re

from progan_tf.checkpoint import (
    images_seen_in,
    latest_checkpoint,
    restore_networks,
)
from progan_tf.config import NETWORK_SETTINGS, load_config
from progan_tf.networks import Discriminator, Generator
from progan_tf.reading import read_text
from progan_tf.weights.published import (
    PublishedGAN,
    PublishedInfo,
    set_level_of_detail,
)

# Where a run says what weights it began with.
ORIGIN_FILE = "weights.txt"


def read_run(run_dir):
    """Read the newest checkpoint of a run.

    Args:
        run_dir: path of a run directory, also of a run that is going.

    Returns:
        `PublishedGAN`.

    Raises:
        UserError: if there is no checkpoint that can be read.
    """
    config = load_config(run_dir)
    checkpoint = latest_checkpoint(run_dir)
    architecture = config.architecture
    generator, average = (Generator.of(architecture) for _ in range(2))
    discriminator = Discriminator.of(architecture)
    restore_networks(
        checkpoint,
        generator=generator,
        discriminator=discriminator,
        average=average,
    )
    seen = images_seen_in(checkpoint)
    phase = config.schedule().at(seen)
    # Doublings that are missing, and what is missing of the last fade.
    doublings = (config.resolution // phase.resolution).bit_length() - 1
    lod = doublings + 1.0 - config.schedule().alpha(seen)
    for family in (generator, discriminator, average):
        set_level_of_detail(family, lod)
    info = PublishedInfo(
        program=config.variant,
        lod=lod,
        attributes=(config.num_classes,) if config.num_classes else (),
        has_average=True,
        licence=inherited_licence(run_dir) or "that of the training data",
        images_seen=seen,
        settings=settings_of(config),
    )
    return PublishedGAN(generator, discriminator, average, info)


def settings_of(config):
    """dict of a `TrainConfig`'s settings that a new run may have otherwise."""
    return {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if field.metadata["flag"]
        and field.name not in (*NETWORK_SETTINGS, "run_dir", "labels")
    }


def inherited_licence(run_dir):
    """The licence of the weights from elsewhere that a run began with.

    Args:
        run_dir: path of a run directory.

    Returns:
        str, of one line; empty for a run that began with weights of its own.
    """
    path = pathlib.Path(run_dir, ORIGIN_FILE)
    if not path.is_file():
        return ""
    found = re.search(r"^licence +(.+)$", read_text(path), re.M)
    return found[1] if found else ""
