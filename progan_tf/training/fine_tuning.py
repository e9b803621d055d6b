"""A run directory that begins with weights from elsewhere, to be trained on."""

import math

import tensorflow as tf

from progan_tf.architecture import DISCRIMINATOR_SETTINGS, PIXELNORM_EPSILON
from progan_tf.checkpoint import Checkpoints
from progan_tf.config import PRESETS, overridden, resolve
from progan_tf.data import check_apart, check_resolution, open_source, split
from progan_tf.errors import UserError
from progan_tf.files import (
    is_free,
    put_back,
    replacing_folder,
    write_text_atomically,
)
from progan_tf.pretrained import check_no_name
from progan_tf.training import devices
from progan_tf.training.run_data import counted_config, renamed_classes
from progan_tf.training.run_log import RunLog
from progan_tf.training.samples import SampleGrids
from progan_tf.training.state import TrainingState
from progan_tf.weights.classless import without_classes
from progan_tf.weights.runs import ORIGIN_FILE

# The last minibatch of a run may go a little beyond its end.
_BEGINS = 0.01


def check_place(run_dir, given):
    """Refuse at once what `write_run` of these settings could not do.

    Raises UserError if something is there, or for devices that are not.
    """
    check_no_name(run_dir)
    put_back(run_dir)
    if not is_free(run_dir):
        raise UserError(f"{run_dir} exists; choose another place for the run")
    # Before TensorFlow's first operation, after which CPU devices are fixed.
    devices.count_replicas(given.get("devices", ""))


def write_run(published, run_dir, given, images_seen=None):
    """Write a run directory that `train` goes on from, whole or not at all.

    It has networks, average and fresh optimizers in a checkpoint, the sample
    grids of its beginning, and what was read in weights.txt. Raises UserError
    if settings or data do not go with the weights, something is in the run's
    place, or it cannot be written.

    Args:
        published: `PublishedGAN`.
        run_dir: str; nothing is there yet.
        given: dict of settings of `TrainConfig`, none of `NETWORK_SETTINGS`.
            Where `labels` is False networks with classes go on without.
            The default of `preset` is official, that of `resolution` the
            resolution of the weights; a higher one will grow on. Of a run's
            weights the defaults are the run's settings; where a preset is
            given only its data is.
        images_seen: int, where the schedule stands; by default where it has
            just faded in the resolution of the weights, or where their run
            was, if the schedule is at their resolution there.

    Returns:
        `TrainConfig`.
    """
    check_place(run_dir, given)
    if given.get("labels") is False and published.info.attributes:
        published = without_classes(published)
    config = _config(published, run_dir, given)
    highest = published.finished_resolution
    if config.freeze_discriminator and highest < config.resolution:
        raise UserError(
            "freeze_discriminator needs layers that were trained; those of "
            f"the file go up to {highest}x{highest}, not to "
            f"{config.resolution}x{config.resolution}: give "
            "--freeze_discriminator=0 or a lower --resolution"
        )
    images_seen = _start(published, config, images_seen)
    check_apart(config.data, run_dir, "--out", around=True)
    source = open_source(config.data, config.channels, config.labels)
    check_resolution(source, config.resolution)
    if config.labels and source.num_classes != config.num_classes:
        raise UserError(
            f"{config.data} has {source.num_classes} classes; the networks of "
            f"the file have {config.num_classes}, which cannot change; choose "
            "--data with as many, or --nolabels"
        )
    source, _ = split(source, config.seed, config.hold_out)
    config = counted_config(config, source)
    with replacing_folder(run_dir) as folder:
        state = _state(published, config, images_seen)
        config.save_config(folder)
        Checkpoints(state, folder, config.keep_checkpoints).save()
        _write_samples(state, source, folder, images_seen)
        # Of the licence, too, which the trained weights inherit.
        write_text_atomically(folder / ORIGIN_FILE, published.describe())
    return config


def notices(published, config):
    """Sentences on what a run may not want of its weights, a list of str.

    Args:
        published: `PublishedGAN`.
        config: `TrainConfig` of the run that begins with it.
    """
    found = (
        _held_out_notice(published, config),
        _names_notice(published, config),
    )
    return list(filter(None, found))


def _names_notice(published, config):
    """A sentence on classes of other names than the weights have learnt."""
    names = published.info.class_names, config.names_of_classes()
    renamed = renamed_classes(*names)
    if not renamed:
        return ""
    number, before, now = renamed[0]
    others = len(renamed) - 1
    more = f", and {others} more have other names" * (others > 0)
    return (
        f"Class {number} was {before!r} when the weights were trained, and is "
        f"{now!r} in {config.data}{more}: each class begins with what the "
        "weights draw for its number."
    )


def _held_out_notice(published, config):
    """A sentence on held-out pictures that the weights have seen."""
    before = published.info.settings
    if not config.hold_out or before.get("data") != config.data:
        return ""
    # Fewer are some of more, of one seed.
    new = (
        before["seed"] == config.seed and before["hold_out"] >= config.hold_out
    )
    if new:
        return ""
    return (
        "The weights were trained on pictures that are now held out, so the "
        "scores of these hide overfitting; the run of the weights had "
        f"--hold_out={before['hold_out']:g} and --seed={before['seed']}."
    )


def _config(published, run_dir, given):
    """The `TrainConfig` of the new run."""
    defaults = {"resolution": published.finished_resolution}
    before = published.info.settings
    if "preset" in given:
        # It takes the place of the run's settings, but for data it may lack.
        kept = {"data"} - PRESETS.get(given["preset"], {}).keys()
        before = {name: before[name] for name in kept & before.keys()}
    defaults |= before
    given = overridden(defaults, given)
    preset = given.pop("preset", "official")
    settings = _network_settings(published, given["resolution"])
    if given.get("labels") and not settings["labels"]:
        raise UserError(
            "the networks of the file were trained without classes, which "
            "cannot change; leave --labels out"
        )
    settings = {**given, **settings, "run_dir": str(run_dir)}
    replicas = devices.count_replicas(given.get("devices", ""))
    return resolve(preset, settings, replicas)


def _start(published, config, images_seen):
    """Images seen when training begins, once checked."""
    schedule = config.schedule()
    resolution = min(published.finished_resolution, config.resolution)
    if images_seen is None and _continues(published, schedule):
        images_seen = published.info.images_seen
    if images_seen is None:
        ends = {phase.resolution: phase.fade_end for phase in schedule.phases}
        images_seen = ends.get(resolution)
    if images_seen is None or images_seen >= schedule.total_images:
        raise UserError(
            f"the schedule ends after {schedule.total_images:,} images, which "
            f"leaves nothing to train beyond the {resolution}x{resolution} of "
            "the weights; give another --total_kimg, or --images_seen"
        )
    return images_seen


def _continues(published, schedule):
    """Whether a run's networks suit a schedule where the run was."""
    info = published.info
    if info.images_seen is None or info.images_seen >= schedule.total_images:
        return False
    trained = published.generator.resolution >> math.floor(info.lod)
    resolution = schedule.at(info.images_seen).resolution
    # Or where the next resolution begins to fade in, which is still new.
    begins = schedule.alpha(info.images_seen) < _BEGINS
    return resolution == trained or (resolution == 2 * trained and begins)


def _network_settings(published, resolution):
    """The settings that the weights decide."""
    generator = published.generator.architecture
    discriminator = published.discriminator.architecture
    for name in ("fmap_base", "fmap_max", "equalized"):
        ours, theirs = getattr(generator, name), getattr(discriminator, name)
        if ours != theirs:
            raise UserError(
                f"expected one value of {name} for both networks of a run; the "
                f"generator has {ours}, the discriminator {theirs}"
            )
    if len(published.info.attributes) > 1:
        raise UserError(
            "expected at most one label per image; the networks have "
            f"{len(published.info.attributes)}: give --nolabels to go on "
            "without"
        )
    settings = generator.settings
    # Of fused_scale the generator is the same function either way.
    for name in ("fused_scale", *DISCRIMINATOR_SETTINGS):
        settings[name] = getattr(discriminator, name)
    settings["fmap_max"] = _grown(generator.fmap_max, resolution)
    settings["resolution"] = resolution
    if generator.pixelnorm_epsilon == PIXELNORM_EPSILON:
        # As a new run has it, which is more in float16.
        del settings["pixelnorm_epsilon"]
    return {**settings, "labels": generator.num_classes > 0}


def _grown(fmap_max, resolution):
    """A table of feature maps that goes on up to a resolution."""
    if isinstance(fmap_max, dict):
        fmap_max = dict(fmap_max)
        while max(fmap_max) < resolution:
            highest = max(fmap_max)
            fmap_max[2 * highest] = max(1, fmap_max[highest] // 2)
    return fmap_max


def _state(published, config, images_seen):
    """The `TrainingState` with the weights, at its place in the schedule."""
    state = TrainingState(config, tf.distribute.get_strategy())
    for ours, theirs in (
        (state.generator, published.generator),
        (state.discriminator, published.discriminator),
        (state.average, published.average),
    ):
        for resolution in set(ours.resolutions) & set(theirs.resolutions):
            weights, values = (
                [w for x in family.block(resolution).layers for w in x.weights]
                for family in (ours, theirs)
            )
            for weight, value in zip(weights, values, strict=True):
                # An alpha is that of the place in the schedule.
                if weight.name != "alpha":
                    weight.assign(value)
    state.images_seen.assign(images_seen)
    schedule = config.schedule()
    resolution = schedule.at(images_seen).resolution
    state.set_alpha(resolution, schedule.alpha(images_seen))
    return state


def _write_samples(state, source, folder, images_seen):
    """The sample grids that a run has at its beginning."""
    config = state.config
    resolution = config.schedule().at(images_seen).resolution
    log = RunLog(folder, config.resolution, images_seen, config.num_classes)
    grids = SampleGrids(config, source, log)
    grids.write_reals()
    grids.write_fakes(state.average.at(resolution), images_seen)
    log.close()
