"""Which checkpoints a folder has: TensorFlow's list of them, or their files.

TensorFlow keeps the list in a file of its own, `checkpoint`. Where that is
lost or damaged, as by a copy that left it out, the checkpoints are still there
and are found by their names.
"""

import contextlib
import os
import re
import shutil

import tensorflow as tf

from progan_tf.files import write_text_atomically

PREFIX = "ckpt"
# What TensorFlow raises for files that are cut short, changed or of another
# network, depending on where they are.
UNREADABLE = (tf.errors.OpError, ValueError, IndexError, AssertionError)
_LIST = "checkpoint"


def checkpoints_in(folder):
    """The path prefixes of a folder's checkpoints, the oldest first.

    Args:
        folder: `pathlib.Path`; it need not exist.
    """
    listed = _listed(folder)
    return _found(folder) if listed is None else listed


def mend_list(folder):
    """Write TensorFlow's list anew where it is lost or damaged."""
    if _listed(folder) is not None:
        return
    paths = _found(folder)
    if paths:
        names = [os.path.basename(path) for path in paths]
        times = [os.path.getmtime(f"{path}.index") for path in paths]
        lines = [
            f'model_checkpoint_path: "{names[-1]}"',
            *(f'all_model_checkpoint_paths: "{name}"' for name in names),
            *(f"all_model_checkpoint_timestamps: {time}" for time in times),
        ]
        write_text_atomically(folder / _LIST, "\n".join(lines) + "\n")
    else:
        (folder / _LIST).unlink(missing_ok=True)


def remove_unfinished(folder):
    """Remove files of checkpoints that never became one."""
    complete = {os.path.basename(path) for path in checkpoints_in(folder)}
    for path in folder.glob(f"{PREFIX}-*"):
        name = re.match(rf"{PREFIX}-\d+", path.name)
        if name and name.group() not in complete:
            with contextlib.suppress(OSError):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()


def _listed(folder):
    """What TensorFlow's list says, or None where there is no whole list."""
    try:
        state = tf.train.get_checkpoint_state(str(folder))
    except UNREADABLE:
        return None
    if state is None:
        return None
    paths = list(state.all_model_checkpoint_paths)
    # The times are its last lines, and TensorFlow skips what has none.
    whole = paths and len(state.all_model_checkpoint_timestamps) == len(paths)
    return paths if whole else None


def _found(folder):
    """What files there are, without those of a save that was cut off."""
    numbers = {}
    for path in folder.glob(f"{PREFIX}-*.index"):
        number = re.fullmatch(rf"{PREFIX}-(\d+)", path.stem)
        if number and _has_index(path.with_suffix("")):
            numbers[int(number[1])] = str(path.with_suffix(""))
    return [numbers[number] for number in sorted(numbers)]


def _has_index(path):
    try:
        tf.train.load_checkpoint(str(path))
    except UNREADABLE:
        return False
    return True
