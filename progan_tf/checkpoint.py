"""Checkpoints of everything that a run needs to resume, and reading them.

Checkpoints are found by their file names. TensorFlow's own list, the file
`checkpoint`, is written for other programs but never read, because it may name
files anywhere. Nor does TensorFlow delete any: it takes names for patterns.
"""

import contextlib
import logging
import os
import pathlib
import re
import shutil

import tensorflow as tf

from progan_tf import addresses, pretrained
from progan_tf.config import CONFIG_FILE, load_config
from progan_tf.errors import UserError
from progan_tf.files import write_text_atomically
from progan_tf.keras_file import load_keras, save_keras
from progan_tf.networks import Generator
from progan_tf.reading import refusing
from progan_tf.saved_models import plain_path
from progan_tf.text import first_line

FOLDER, _PREFIX = "checkpoints", "ckpt"
# Names of a checkpoint's files, and of temporary files while it is written. All
# other files belong to the user.
_FILE = re.compile(rf"{_PREFIX}-([1-9][0-9]*)\.(index|data-\d+-of-\d+)")
_UNFINISHED = re.compile(
    rf"{_PREFIX}-([1-9][0-9]*)"
    r"(_temp|\.(index|data-\d+-of-\d+)\.tempstate\d+)"
)
_log = logging.getLogger("progan_tf")


def tracked_objects(state):
    """The objects that a checkpoint of a `TrainingStep` holds, by name.

    The images seen are also the position in the data and, with the seed, the
    whole random state.
    """
    names = ("generator", "discriminator", "average", "images_seen", "stage")
    names += ("seed", "steps_skipped", "skipped_in_a_row", "log2_scales")
    tracked = {name: getattr(state, name) for name in names}
    if state.augment is not None:
        tracked["augment"] = state.augment
    for network in ("generator", "discriminator"):
        # Adam's moments and counters.
        optimizer = getattr(state, f"{network}_optimizer")
        tracked[f"{network}_adam"] = {
            variable.path.rsplit("/", 1)[-1]: variable.value
            for variable in optimizer.variables
        }
    return tracked


class Checkpoints:
    """The checkpoints of a `TrainingStep` in a run directory.

    Only the newest `keep` are kept.
    """

    def __init__(self, state, run_dir, keep=3):
        self._folder = pathlib.Path(run_dir) / FOLDER
        self._checkpoint = tf.train.Checkpoint(**tracked_objects(state))
        self._keep = keep

    def save(self):
        """Write a checkpoint; the previous one stays valid until it is done.

        Raises UserError if it cannot be written. Its partial files are then
        removed, and the older checkpoints are intact.
        """
        before = _numbers(self._folder)
        number = max(before, default=0) + 1
        # For compatibility: checkpoints of older versions have it, too.
        self._checkpoint.save_counter.assign(number)
        path = self._folder / f"{_PREFIX}-{number}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with _for_tensorflow(path) as plain:
                self._checkpoint.write(plain)
        except (tf.errors.OpError, OSError) as error:
            _remove(self._folder, lambda other: other not in before)
            kept = f"{_PREFIX}-{before[-1]}" if before else "the beginning"
            raise UserError(
                f"cannot write a checkpoint to {self._folder}: "
                f"{first_line(error)}; free some space and run the same "
                f"command again: it goes on from {kept}"
            ) from error
        kept = [*before, number][-self._keep :]
        _write_list(self._folder, kept)
        _remove(self._folder, lambda other: other not in kept)

    def restore(self):
        """Load the newest checkpoint that can be read.

        Returns False if there is none; raises UserError if there are some, but
        none can be read.
        """
        numbers = _numbers(self._folder)
        # Leftovers of a run that was killed while saving.
        _remove(self._folder, lambda other: other not in numbers)
        for number in reversed(numbers):
            path = self._folder / f"{_PREFIX}-{number}"
            try:
                images_seen_in(path)
                with _reading(path) as plain:
                    self._checkpoint.restore(plain).assert_consumed()
                return True
            except UserError as error:
                reason = error
                _log.warning("%s", error)
        if numbers:
            raise UserError(
                f"none of the {len(numbers)} checkpoints in {self._folder} "
                f"can be read ({reason}); start anew with another --run_dir"
            )
        return False


def checkpoints_of(run_dir):
    """Path prefixes of a run's checkpoints, oldest first; UserError if none."""
    folder = pathlib.Path(run_dir) / FOLDER
    numbers = _numbers(folder)
    if not numbers:
        raise UserError(
            f"{run_dir} holds no checkpoint yet; train first, or wait for "
            "the run's first one"
        )
    return [str(folder / f"{_PREFIX}-{number}") for number in numbers]


def latest_checkpoint(run_dir):
    """The path prefix of the newest of `checkpoints_of`."""
    return checkpoints_of(run_dir)[-1]


def images_seen_in(checkpoint):
    """int, images seen at a checkpoint; UserError if it is damaged."""
    key = "images_seen/.ATTRIBUTES/VARIABLE_VALUE"
    with _reading(checkpoint) as plain:
        seen = tf.train.load_variable(plain, key)
        if seen.shape or seen.dtype.kind != "i" or seen < 0:
            raise ValueError(f"it has seen {seen} images")
        return int(seen)


def check_size(checkpoints, config):
    """Raise UserError if all checkpoints are too small for a run's networks.

    To be called before these are made: the config.json of other people may ask
    for any amount of memory.
    """
    architecture = config.architecture
    numbers = architecture.generator_parameters()
    numbers += architecture.discriminator_parameters()
    there = max(map(_data_bytes, checkpoints))
    if 4 * numbers > there:
        raise UserError(
            f"cannot read checkpoint {checkpoints[-1]}: it has {there:,} "
            f"bytes, too few for the {numbers:,} float32 parameters of the "
            f"networks in {CONFIG_FILE}"
        )


def restore_networks(checkpoint, **families):
    """Load a checkpoint's weights into families; UserError if damaged.

    Their names are generator, average and discriminator; they must have been
    built from the run's config.
    """
    with _reading(checkpoint) as plain:
        restored = tf.train.Checkpoint(**families).restore(plain)
        restored.assert_existing_objects_matched().expect_partial()


def load_generator(path, resolution=None, average=True):
    """Load the generator of a run, which may still be training.

    Args:
        path: a run directory, a `.keras` file, the name of an included
            generator, such as "cats-128", or an address on the web, such as
            "hf://USER/MODEL" (see `addresses`).
        resolution: int, any whose fade-in was complete in the newest
            checkpoint; by default the highest of these.
        average: bool, load the moving average of the weights, or the weights
            of the last step.

    Returns:
        `keras.Model` from latents `[batch, latent_size]` float32, and labels
        `[batch, classes]` if the run has classes, to images
        `[batch, R, R, channels]` float32, approximately in [-1, 1].

    Raises:
        UserError: if it cannot be loaded, or not at that resolution.
    """
    return load_with_origin(path, resolution, average)[0]


def load_with_origin(path, resolution=None, average=True):
    """`load_generator`'s model, and its (`TrainConfig`, int images seen).

    The latter is None for a `.keras` file, which records neither.
    """
    if shipped := pretrained.named(path):
        model = load_keras(shipped.file(pretrained.GENERATOR_FILE), resolution)
        return model, (load_config(shipped.folder), shipped.images_seen)
    path = pathlib.Path(addresses.local(path, "generator"))
    if path.is_file() or addresses.is_unpacked_keras(path):
        return load_keras(path, resolution), None
    if not path.is_dir():
        raise UserError(
            f"expected a run directory or .keras file; there is no {path}"
        )
    if (path / "saved_model.pb").exists():
        raise UserError(
            f"expected a run directory or .keras file; {path} is a TF-Hub "
            "module, which some commands take as --module"
        )
    config, checkpoint = load_config(path), latest_checkpoint(path)
    family, name = None, "average" if average else "generator"
    while True:
        try:
            check_size([checkpoint], config)
            family = family or Generator.of(config.architecture)
            restore_networks(checkpoint, **{name: family})
            images_seen = images_seen_in(checkpoint)
            break
        except UserError:
            # A run in progress may have replaced it with a newer one.
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
    """Write the averaged generator to `generator.keras`, atomically.

    It is loaded from the newest checkpoint, as by every user of the run.
    Returns the file's path; raises UserError if it cannot be written.
    """
    path = pathlib.Path(run_dir) / "generator.keras"
    save_keras(load_generator(run_dir), path)
    return path


@contextlib.contextmanager
def _reading(checkpoint):
    """Yields a checkpoint's path for TensorFlow; UserError if damaged."""
    with refusing(f"checkpoint {checkpoint}"):
        try:
            with _for_tensorflow(checkpoint) as plain:
                yield plain
        except Exception:
            # It would log every variable that was not restored.
            tf.get_logger().setLevel("ERROR")
            raise


@contextlib.contextmanager
def _for_tensorflow(path):
    """Yields a path, as str, that is no pattern to TensorFlow."""
    path = pathlib.Path(path).absolute()
    with plain_path(path.parent) as folder:
        yield os.path.join(folder, path.name)


def _data_bytes(checkpoint):
    """Bytes of a checkpoint's numbers; 0 if it has been removed meanwhile."""
    path = pathlib.Path(checkpoint)
    with contextlib.suppress(FileNotFoundError):
        files = path.parent.glob(f"{path.name}.data-*")
        return sum(file.stat().st_size for file in files)
    return 0


def _numbers(folder):
    """The numbers of a folder's checkpoints, in ascending order.

    TensorFlow writes a checkpoint's index last, and renames it into place when
    it is complete.
    """
    return sorted(
        int(name[1])
        for path in folder.glob(f"{_PREFIX}-*.index")
        if (name := _FILE.fullmatch(path.name)) and not _is_empty(path)
    )


def _is_empty(path):
    """Whether a file exists and has 0 bytes.

    Not a broken link, nor a file that a run in progress has just removed:
    reading those raises the error.
    """
    try:
        return not path.stat().st_size
    except FileNotFoundError:
        return False


def _remove(folder, unwanted):
    """Removes the files of checkpoints with unwanted numbers, and no others.

    The folder need not exist; `unwanted` maps a number to bool.
    """
    for path in folder.glob(f"{_PREFIX}-*"):
        name = _FILE.fullmatch(path.name) or _UNFINISHED.fullmatch(path.name)
        if name and unwanted(int(name[1])):
            with contextlib.suppress(OSError):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()


def _write_list(folder, numbers):
    """Writes TensorFlow's list of a folder's checkpoints."""
    names = [f"{_PREFIX}-{number}" for number in numbers]
    times = [(folder / f"{name}.index").lstat().st_mtime for name in names]
    lines = [
        f'model_checkpoint_path: "{names[-1]}"',
        *(f'all_model_checkpoint_paths: "{name}"' for name in names),
        *(f"all_model_checkpoint_timestamps: {time}" for time in times),
    ]
    write_text_atomically(folder / "checkpoint", "\n".join(lines) + "\n")
