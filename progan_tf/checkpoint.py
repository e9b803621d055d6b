"""One checkpoint of everything a run needs to go on, and how to read it."""

import contextlib
import logging
import os
import pathlib

import tensorflow as tf

from progan_tf.checkpoint_list import (
    PREFIX,
    UNREADABLE,
    checkpoints_in,
    mend_list,
    remove_unfinished,
)
from progan_tf.config import load_config
from progan_tf.errors import UserError
from progan_tf.keras_file import load_keras, save_keras
from progan_tf.networks import Generator
from progan_tf.text import first_line

_FOLDER = "checkpoints"
_log = logging.getLogger("progan_tf")


def tracked_objects(state):
    """What a checkpoint of a `TrainingStep` holds, by its readable name.

    Networks, average, both optimizers' moments and counters, images seen
    (which is also the place in the data), and the seed that, together with
    images seen, is the whole random state.
    """

    def slots(optimizer):
        return {
            variable.path.rsplit("/", 1)[-1]: variable.value
            for variable in optimizer.variables
        }

    return {
        "generator": state.generator,
        "discriminator": state.discriminator,
        "average": state.average,
        "generator_adam": slots(state.generator_optimizer),
        "discriminator_adam": slots(state.discriminator_optimizer),
        "images_seen": state.images_seen,
        "stage": state.stage,
        "seed": state.seed,
        "steps_skipped": state.steps_skipped,
        "skipped_in_a_row": state.skipped_in_a_row,
        "log2_scales": state.log2_scales,
    }


class Checkpoints:
    """The checkpoints of one run directory.

    Args:
        state: `TrainingStep`.
        run_dir: path of the run directory.
        keep: int, how many of the newest to keep.
    """

    def __init__(self, state, run_dir, keep=3):
        self._folder = pathlib.Path(run_dir) / _FOLDER
        self._checkpoint = tf.train.Checkpoint(**tracked_objects(state))
        mend_list(self._folder)
        self._manager = tf.train.CheckpointManager(
            self._checkpoint,
            str(self._folder),
            max_to_keep=keep,
            checkpoint_name=PREFIX,
        )

    def save(self):
        """Write a checkpoint; the previous one stays valid until it is done.

        Raises:
            UserError: if it cannot be written. What was written of it is
                removed, and the checkpoints before it are intact.
        """
        try:
            self._manager.save()
        except (tf.errors.OpError, OSError) as error:
            remove_unfinished(self._folder)
            kept = self._manager.latest_checkpoint
            raise UserError(
                f"cannot write a checkpoint to {self._folder}: "
                f"{first_line(error)}; free some space and run the same "
                f"command again: it goes on from {kept or 'the beginning'}"
            ) from error

    def restore(self):
        """Load the newest checkpoint that can be read.

        Returns:
            bool, whether there was one.

        Raises:
            UserError: if there are checkpoints but none can be read.
        """
        # Written by a run that was killed while it saved.
        remove_unfinished(self._folder)
        paths = self._manager.checkpoints
        for path in reversed(paths):
            try:
                self._checkpoint.restore(path).assert_consumed()
                return True
            except UNREADABLE as error:
                reason = first_line(error)
                _log.warning("cannot read checkpoint %s: %s", path, reason)
        if paths:
            raise UserError(
                f"none of the {len(paths)} checkpoints in {self._folder} can "
                f"be read ({reason}); start anew with another --run_dir"
            )
        return False


def checkpoints_of(run_dir):
    """The path prefixes of a run's checkpoints, the oldest first.

    Raises:
        UserError: if the run directory has none.
    """
    paths = checkpoints_in(pathlib.Path(run_dir) / _FOLDER)
    found = [path for path in paths if os.path.exists(f"{path}.index")]
    if not found:
        raise UserError(
            f"{run_dir} holds no checkpoint yet; train first, or wait for "
            "the run's first one"
        )
    return found


def latest_checkpoint(run_dir):
    """The path prefix of the newest of `checkpoints_of`."""
    return checkpoints_of(run_dir)[-1]


def images_seen_in(checkpoint):
    """How many images a checkpoint's networks have seen, an int."""
    key = "images_seen/.ATTRIBUTES/VARIABLE_VALUE"
    with _reading(checkpoint):
        return int(tf.train.load_variable(checkpoint, key))


def restore_generator(family, checkpoint, average=True):
    """Give a family the weights that a checkpoint's generator has.

    Args:
        family: `Generator`, as the run's config describes it.
        checkpoint: str, its path prefix.
        average: bool, the moving average of the weights, or the weights of
            the last step.

    Raises:
        UserError: if it cannot be read.
    """
    name = "average" if average else "generator"
    restore_networks(checkpoint, **{name: family})


def restore_networks(checkpoint, **families):
    """Give families the weights that a checkpoint's have.

    Args:
        checkpoint: str, its path prefix.
        **families: `Generator`s as `generator` and `average`, a
            `Discriminator` as `discriminator`, all as the run's config
            describes them.

    Raises:
        UserError: if it cannot be read.
    """
    with _reading(checkpoint):
        restored = tf.train.Checkpoint(**families).restore(checkpoint)
        restored.assert_existing_objects_matched().expect_partial()


def load_generator(path, resolution=None, average=True):
    """A generator of a run, also of one that is still going.

    Args:
        path: a run directory, or a `.keras` file.
        resolution: int, any whose fade was finished when the newest
            checkpoint was written; by default the highest of these.
        average: bool, the moving average of the weights, or the weights of
            the last step.

    Returns:
        `keras.Model` from latents `[batch, latent_size]` float32, and labels
        `[batch, classes]` where the run has classes, to images
        `[batch, R, R, channels]` float32, about in [-1, 1].

    Raises:
        UserError: if nothing is there, or not at that resolution.
    """
    return load_with_origin(path, resolution, average)[0]


def load_with_origin(path, resolution=None, average=True):
    """`load_generator`, and what the generator was trained by.

    Returns:
        `keras.Model`, and for a run (`TrainConfig`, int images seen); for a
        `.keras` file, which does not know, None.
    """
    path = pathlib.Path(path)
    if path.is_file():
        return load_keras(path, resolution), None
    if not path.is_dir():
        raise UserError(f"expected a run directory or .keras file; no {path}")
    if (path / "saved_model.pb").exists():
        raise UserError(
            f"expected a run directory or .keras file; {path} is a TF-Hub "
            "module, which some commands take as --module"
        )
    config = load_config(path)
    checkpoint, family = (
        latest_checkpoint(path),
        Generator.of(config.architecture),
    )
    while True:
        try:
            restore_generator(family, checkpoint, average)
            images_seen = images_seen_in(checkpoint)
            break
        except UserError:
            # A run that is going may have replaced it by a newer one.
            newest = latest_checkpoint(path)
            if newest == checkpoint:
                raise
            checkpoint = newest
    finished = config.schedule().finished(images_seen)
    if resolution is None and finished:
        resolution = finished[-1]
    if resolution not in finished:
        has = ", ".join(map(str, finished)) or "none yet: train it further"
        wanted = f" {resolution}" if resolution else ""
        raise UserError(
            f"{path} has no finished resolution{wanted}; it has {has}"
        )
    return family.at(resolution, fade=False), (config, images_seen)


def save_generator(run_dir):
    """Write the average to `generator.keras`, whole or not at all.

    It is read back from the newest checkpoint, as every user of the run
    will.

    Returns:
        The file's path.

    Raises:
        UserError: if it cannot be written.
    """
    path = pathlib.Path(run_dir) / "generator.keras"
    save_keras(load_generator(run_dir), path)
    return path


@contextlib.contextmanager
def _reading(checkpoint):
    """Turns the errors of a checkpoint that is damaged into a UserError."""
    try:
        yield
    except UNREADABLE as error:
        raise UserError(
            f"cannot read checkpoint {checkpoint}: {first_line(error)}"
        ) from error
