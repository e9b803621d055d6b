"""Opening the folder of a run, new or resumed, before anything is trained."""

import contextlib
import os
import pathlib
import shutil

from progan_tf.checkpoint import FOLDER, checkpoints_of, images_seen_in
from progan_tf.config import CONFIG_FILE, load_config
from progan_tf.config.resume import check_resumable
from progan_tf.errors import UserError
from progan_tf.files import making, only_writer
from progan_tf.text import kimg
from progan_tf.training.run_data import renamed_classes
from progan_tf.training.run_log import METRICS_FILE, metrics_lines

# What a run may have written before its first step.
_BEGINNINGS = (CONFIG_FILE, METRICS_FILE, "samples", "tensorboard")


@contextlib.contextmanager
def own_run_directory(run_dir, images_seen):
    """Keeps a run directory to this process while it trains there.

    It need not exist; UserError where it cannot be made, or another process
    has it. Where a UserError comes before the first step (`images_seen()` is
    0), such as data that cannot be read, what the run wrote is taken back. What
    was there before stays, and what came from elsewhere, such as a log.
    """
    folder = pathlib.Path(run_dir)
    with making(folder), only_writer(folder):
        before = set(os.listdir(folder))
        try:
            yield
        except UserError:
            if not images_seen():
                for name in set(_BEGINNINGS) - before:
                    _remove(folder / name)
            raise


def check_run_directory(config):
    """Check the run directory of a config, which is to go on in it.

    Returns how many pictures its run began with, 0 for a new one. Raises
    UserError if it holds a run with other settings or classes, one that is
    beyond the end of this one, or one without its checkpoints.
    """
    folder = pathlib.Path(config.run_dir)
    if not (folder / CONFIG_FILE).exists():
        return 0
    stored = load_config(folder)
    check_resumable(stored, config)
    _check_same_classes(config, stored)
    _check_not_beyond(config, stored)
    _check_not_lost(folder, stored)
    return stored.num_images


def _remove(path):
    """Removes a file or a folder; what is not there, or cannot be, is left."""
    shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        path.unlink()


def _check_same_classes(config, stored):
    """Refuse classes under other numbers than the networks learnt them.

    They are numbered in the order of their names, so a sub-folder with another
    name may change the numbers of all.
    """
    names = stored.names_of_classes(), config.names_of_classes()
    for number, before, now in renamed_classes(*names):
        raise UserError(
            f"class {number} of {config.data} was {before!r} when the run "
            f"began, and is {now!r} now: restore the names of the classes to "
            "resume it, or begin another run"
        )


def _check_not_beyond(config, stored):
    """Refuse an end that the run has passed.

    Its schedule would end with a lower resolution than that of the networks,
    and generator.keras would be written anew with that.
    """
    end = config.schedule().total_images
    if end >= stored.schedule().total_images:
        return
    try:
        seen = images_seen_in(checkpoints_of(config.run_dir)[-1])
    except UserError:
        return  # There is none, or an older one must be read.
    if seen > end:
        raise UserError(
            f"expected --total_kimg of at least {seen / 1000:g}, which "
            f"{config.run_dir} has seen; received {end / 1000:g}"
        )


def _check_not_lost(folder, stored):
    """Refuse to begin anew over a run whose checkpoints are missing.

    One that was killed before its first checkpoint may: it lost little.
    """
    with contextlib.suppress(UserError):
        checkpoints_of(folder)
        return
    names = ("generator.keras", "best")
    left = [name for name in names if (folder / name).exists()]
    # The first checkpoint comes with the minibatch that passes its number.
    first = stored.cadences().save + max(stored.batch_size.values())
    seen = max((seen for seen, _ in metrics_lines(folder)), default=0)
    if seen > first:
        left.append(f"{METRICS_FILE} up to {kimg(seen)} kimg")
    if left:
        checkpoints = folder / FOLDER
        there = "which is not there"
        if checkpoints.is_dir():
            files = sorted(os.listdir(checkpoints))
            there = f"which holds {', '.join(files[:4]) or 'nothing'}"
            there += f" and {len(files) - 4} more" * (len(files) > 4)
        raise UserError(
            f"{folder} holds {' and '.join(left)} of a run, but no whole "
            f"checkpoint is in {checkpoints}, {there}; copy the run's "
            f"{FOLDER} to it, or give another --run_dir"
        )
