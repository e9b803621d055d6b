"""Finding the picture files in a folder, and the classes they are in."""

import logging
import os
import pathlib

import numpy as np

from progan_tf.data.decode import EXTENSIONS, KINDS
from progan_tf.errors import UserError


def find_pictures(root: pathlib.Path) -> list[pathlib.Path]:
    """Returns the picture files under a folder, at any depth.

    Args:
        root: the folder. Hidden files and folders in it are left out, and
            folders that cannot be read are, after a warning.

    Returns:
        paths relative to `root`, sorted by their text with slashes: the
        same on every file system and machine.

    Raises:
        UserError: there is no such folder, or no picture in it.
    """
    if not root.is_dir():
        raise UserError(f"expected a folder of pictures, got {root}")
    pictures, others, visited = [], 0, set()
    for folder, names, files in os.walk(root, onerror=_warn, followlinks=True):
        # A link to a folder above would otherwise be followed for ever.
        visited.add(os.path.realpath(folder))
        names[:] = sorted(
            name
            for name in names
            if not name.startswith(".")
            and os.path.realpath(os.path.join(folder, name)) not in visited
        )
        for name in files:
            if name.startswith("."):
                continue
            path = pathlib.Path(folder, name)
            # To open a pipe would wait for ever. A link to nothing is taken,
            # to be named as unreadable.
            if path.suffix.lower() in EXTENSIONS and (
                path.is_file() or not path.exists()
            ):
                pictures.append(path.relative_to(root))
            else:
                others += 1
    if not pictures:
        what = f"{others} other files" if others else "no file at all"
        raise UserError(
            f"expected {KINDS} pictures in {root}, found {what}; "
            "choose another folder"
        )
    return sorted(pictures, key=pathlib.PurePath.as_posix)


def _warn(error: OSError) -> None:
    """Names a folder that cannot be read, which is then left out.

    That is usual at the root of a disk, where `lost+found` is the system's.
    """
    logging.getLogger("progan_tf").warning(
        "skipped unreadable folder %s: %s", error.filename, error.strerror
    )


def find_classes(
    root: pathlib.Path, files: list[pathlib.Path]
) -> tuple[tuple[str, ...], np.ndarray]:
    """Takes the first sub-folder of each picture as its class.

    Args:
        root: the folder, for messages.
        files: paths relative to `root`.

    Returns:
        the class names, sorted, and the label of each file, int64 [N].

    Raises:
        UserError: fewer than two classes, or a picture outside of them.
    """
    outside = sum(len(file.parts) < 2 for file in files)
    names = sorted({file.parts[0] for file in files if len(file.parts) > 1})
    if len(names) < 2:
        raise UserError(
            "expected two or more sub-folders of pictures, one a class, "
            f"found {len(names)} in {root}; sort the pictures into some or "
            "train without labels"
        )
    if outside:
        raise UserError(
            f"expected every picture in a sub-folder, its class, but "
            f"{outside} lie in {root} itself; move or remove them"
        )
    numbers = {name: number for number, name in enumerate(names)}
    labels = [numbers[file.parts[0]] for file in files]
    return tuple(names), np.array(labels, np.int64)
