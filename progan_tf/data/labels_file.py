"""Classes from a file beside the pictures, or from an array of numbers."""

import os
import pathlib

import numpy as np

from progan_tf.errors import UserError

# More than any data set of pictures has. Networks of more could not be held.
_MOST_CLASSES = 1 << 16


def read_labels_file(
    path: str | os.PathLike, pictures: list[pathlib.Path]
) -> tuple[tuple[str, ...], np.ndarray]:
    """Reads the class of every picture.

    A `.npy` file holds, in the order of the pictures, one whole number each
    or one-hot rows. Any other file is UTF-8 text with one class a line, in
    the order of the pictures, or lines of `picture,class` in any order. Whole
    numbers count from 0; other classes are numbered in the order of their
    names.

    Args:
        path: the file.
        pictures: paths as the folder lists them, relative and sorted.

    Returns:
        the class names and the label of each picture, int64 [N].

    Raises:
        UserError: the file cannot be read, or does not have one class for
            every picture.
    """
    path = pathlib.Path(path)
    try:
        if path.suffix.lower() == ".npy":
            return classes_of(np.load(path), len(pictures), str(path))
        text = path.read_text(encoding="utf-8-sig")
    except UserError:
        raise
    except Exception as error:  # Of any kind, where an array is damaged.
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read the labels {path}: {reason}") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if any("," in line for line in lines):
        lines = _in_order(lines, pictures, path)
    _check_count(len(lines), len(pictures), str(path))
    if all(line.isascii() and line.isdecimal() for line in lines):
        # Longer numbers, which int64 cannot hold, are too large all the same.
        values = np.array([line.lstrip("0")[:18] or "0" for line in lines])
        return classes_of(values.astype(np.int64), len(lines), str(path))
    names = sorted(set(lines))
    numbers = {name: number for number, name in enumerate(names)}
    _check_classes(len(names), str(path))
    return tuple(names), np.array([numbers[line] for line in lines], np.int64)


def classes_of(
    values: np.ndarray, count: int, place: str
) -> tuple[tuple[str, ...], np.ndarray]:
    """Takes an array as classes.

    Args:
        values: whole numbers from 0, [N] or [N, 1], or one-hot rows [N, L].
        count: N, the number of pictures.
        place: where the array is from, for messages.

    Returns:
        the class names "0", "1", ... and the labels, int64 [N].

    Raises:
        UserError: the array is something else.
    """
    values = np.asarray(values)
    classes = None
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    _check_count(len(values) if values.ndim else 0, count, place)
    if values.ndim == 2 and _is_one_hot(values):
        classes, values = values.shape[1], values.argmax(axis=1)
    whole = values.ndim == 1 and values.dtype.kind in "iu"
    if not whole or values.min() < 0:
        raise UserError(
            f"expected the labels {place} as whole numbers from 0, or as "
            f"one-hot rows; got {values.dtype} {list(values.shape)}"
            + (f" from {values.min()}" if whole else "")
        )
    classes = classes or int(values.max()) + 1
    _check_classes(classes, place)
    if classes > _MOST_CLASSES:
        raise UserError(
            f"expected classes from 0 to at most {_MOST_CLASSES - 1} in "
            f"{place}, got {classes - 1}; number them from 0 without gaps"
        )
    return tuple(map(str, range(classes))), values.astype(np.int64)


def _is_one_hot(values: np.ndarray) -> bool:
    """Whether each row has a single one among zeros."""
    if values.dtype.kind not in "biuf":
        return False
    ones = values == 1
    return bool((ones | (values == 0)).all() and (ones.sum(1) == 1).all())


def _in_order(
    lines: list[str], pictures: list[pathlib.Path], path: pathlib.Path
) -> list[str]:
    """Returns the classes of lines `picture,class` in the pictures' order."""
    classes = {}
    for line in lines:
        # The last comma: a file's name may hold some.
        name, _, label = (part.strip() for part in line.rpartition(","))
        if not name or not label or name in classes:
            raise UserError(
                f"expected lines such as picture.png,3 in {path}, each "
                f"picture once; got {line!r}"
            )
        classes[name] = label
    names = [picture.as_posix() for picture in pictures]
    unknown = sorted(classes.keys() - set(names))
    if unknown:
        raise UserError(
            f"{path} gives a class to {unknown[0]!r}, which is no picture of "
            f"the folder, and to {len(unknown) - 1} more such; expected paths "
            f"as {names[0]!r}"
        )
    return [classes[name] for name in names if name in classes]


def _check_count(labels: int, pictures: int, place: str) -> None:
    if labels != pictures:
        raise UserError(
            f"expected one label for each of the {pictures} pictures, got "
            f"{labels} in {place}"
        )


def _check_classes(classes: int, place: str) -> None:
    if classes < 2:
        raise UserError(
            f"expected two or more classes in {place}, got {classes}; leave "
            "the labels away where there is one"
        )
