"""The networks of a run or of an included generator, to train further."""

import dataclasses
import pathlib
import re

import numpy as np

from progan_tf.checkpoint import (
    check_size,
    images_seen_in,
    latest_checkpoint,
    restore_networks,
)
from progan_tf.config import NETWORK_SETTINGS, load_config
from progan_tf.data import kind_named
from progan_tf.keras_file import load_keras
from progan_tf.networks import Discriminator, Generator
from progan_tf.pretrained import GENERATOR_FILE, TRAINING_FILE
from progan_tf.reading import read_text
from progan_tf.weights.published import (
    PublishedGAN,
    PublishedInfo,
    set_level_of_detail,
)

# The file in which a run records the weights it started from.
ORIGIN_FILE = "weights.txt"


def read_run(run_dir):
    """Read the newest checkpoint of a run.

    Args:
        run_dir: path of a run directory, also of a run in progress.

    Returns:
        `PublishedGAN`.

    Raises:
        UserError: if there is no checkpoint that can be read.
    """
    config = load_config(run_dir)
    checkpoint = latest_checkpoint(run_dir)
    check_size([checkpoint], config)
    families = _families(config)
    restore_networks(checkpoint, **families)
    seen = images_seen_in(checkpoint)
    phase = config.schedule().at(seen)
    # The missing doublings, and the missing part of the current fade.
    doublings = (config.resolution // phase.resolution).bit_length() - 1
    lod = doublings + 1.0 - config.schedule().alpha(seen)
    for family in families.values():
        set_level_of_detail(family, lod)
    credit = (kind_named(config.data).credit or "").removesuffix(".")
    known = filter(None, (credit, inherited_licence(run_dir)))
    licence = "; ".join(dict.fromkeys(known)) or "that of the training data"
    return PublishedGAN(**families, info=_info(config, lod, licence, seen))


def read_shipped(shipped):
    """Read the networks of an included generator.

    Args:
        shipped: `pretrained.Shipped`.

    Returns:
        `PublishedGAN`; its generator is a copy of the average.

    Raises:
        UserError: if a file is missing or damaged.
    """
    config = load_config(shipped.folder)
    families = _families(config)
    model = load_keras(shipped.file(GENERATOR_FILE), config.resolution)
    arrays = {
        _name(families["generator"], layer, weight): weight.numpy()
        for layer in model.layers
        for weight in layer.weights
    }
    with np.load(shipped.file(TRAINING_FILE), allow_pickle=False) as file:
        arrays |= file
    for family in families.values():
        for layer in _layers(family):
            for weight in layer.trainable_weights:
                weight.assign(arrays[_name(family, layer, weight)])
    info = _info(config, 0.0, shipped.licence, shipped.images_seen)
    info = dataclasses.replace(info, class_names=shipped.class_names)
    return PublishedGAN(**families, info=info)


def training_arrays(generator, discriminator):
    """The float32 arrays of `pretrained`'s training.npz by their names.

    They are those of a `Discriminator`, and those of the average, a
    `Generator`, that its model at full resolution does not contain.
    """
    model = generator.at(generator.resolution, fade=False)
    shown = {layer.name for layer in model.layers}
    return {
        _name(family, layer, weight): weight.numpy()
        for family in (generator, discriminator)
        for layer in _layers(family)
        if family is discriminator or layer.name not in shown
        for weight in layer.trainable_weights
    }


def inherited_licence(run_dir):
    """The licence of the weights that a run started from.

    One line; empty for a run that was trained from scratch.
    """
    path = pathlib.Path(run_dir, ORIGIN_FILE)
    if not path.is_file():
        return ""
    found = re.search(r"^licence +(.+)$", read_text(path), re.M)
    return found[1] if found else ""


def _families(config):
    architecture = config.architecture
    return {
        "generator": Generator.of(architecture),
        "discriminator": Discriminator.of(architecture),
        "average": Generator.of(architecture),
    }


def _info(config, lod, licence, images_seen):
    # What a new run may have otherwise. Its devices are those of the machine
    # that it is on.
    settings = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if field.metadata["flag"]
        and field.name
        not in (*NETWORK_SETTINGS, "run_dir", "labels", "devices")
    }
    return PublishedInfo(
        program=config.variant,
        lod=lod,
        attributes=(config.num_classes,) if config.num_classes else (),
        licence=licence,
        images_seen=images_seen,
        settings=settings,
        trained=config.schedule().finished(images_seen),
        class_names=config.names_of_classes(),
    )


def _layers(family):
    return [layer for b in family.blocks.values() for layer in b.layers]


def _name(family, layer, weight):
    return f"{family.name}/{layer.name}/{weight.name}"
