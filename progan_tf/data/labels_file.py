"""Classes from a separate file, or from an array of numbers."""

import itertools
import logging
import os
import pathlib
import re
import unicodedata

import numpy as np

from progan_tf import reading
from progan_tf.errors import UserError
from progan_tf.text import listed, shortened

# More than any data set has, and than networks could hold in memory.
MOST_CLASSES = 1 << 16
# From this many pictures on, classes need two pictures each on average.
_SOME = 16
# Separators of a picture and its class; the first that occurs counts.
_SEPARATORS = ",", ";", r"\s"
# How many separators are tried in a line: no path has more.
_MOST_SEPARATORS = 64
_LONGEST_NAME = 200
_HINT = (
    "; lines of a picture and its class must begin with the picture's path in "
    "the folder"
)


def read_labels_file(
    path: str | os.PathLike, pictures: list[pathlib.Path]
) -> tuple[tuple[str, ...], np.ndarray]:
    """Reads the class names and the label of every picture, int64 [N].

    A `.npy` file holds, in the order of the pictures, one integer each
    or one-hot rows. Any other file is UTF-8 text with one class per line, in
    the order of the pictures, or lines of a picture and its class in any
    order, separated by a comma, a semicolon or white space. Classes are sorted
    as numbers if all are integers, and otherwise by name. The pictures are
    given as the folder lists them: relative paths, sorted.

    Raises UserError if the file cannot be read, does not have one class for
    every picture, or has nearly as many classes as pictures.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() == ".npy":
        most = 8 * (MOST_CLASSES + 1) * len(pictures)
        values = reading.read_array(path, most)
        return classes_of(values, len(pictures), str(path))
    lines = reading.read_text(path).splitlines()
    lines = [line.strip() for line in lines if line.strip()]
    paths = [picture.as_posix() for picture in pictures]
    names = {normal(name): name for name in paths}
    separator = _separator(lines, names)
    if separator:
        classes = _classes_by_name(lines, separator, names, path)
        lines = [classes[name] for name in paths if name in classes]
    _check_count(len(lines), len(pictures), str(path))
    longest = max(lines, key=len)
    if len(longest) > _LONGEST_NAME:
        raise UserError(
            f"expected classes of at most {_LONGEST_NAME} letters in {path}, "
            f"got {shortened(longest)}"
        )
    # Longer numbers, which int64 cannot hold, count as names.
    if all(map(re.compile("0*[0-9]{1,18}").fullmatch, lines)):
        values = np.array([int(line.lstrip("0") or 0) for line in lines])
        return classes_of(values, len(lines), str(path), _HINT)
    names = sorted(set(lines))
    numbers = {name: number for number, name in enumerate(names)}
    labels = np.array([numbers[line] for line in lines], np.int64)
    check_classes(labels, len(names), str(path), _HINT)
    return tuple(names), labels


def classes_of(
    values: np.ndarray, count: int, name: str, hint: str = ""
) -> tuple[tuple[str, ...], np.ndarray]:
    """Takes integers from 0, [N] or [N, 1], or one-hot rows [N, L].

    Returns the class names, which are the numbers, and the labels, int64 [N].
    Numbers that no picture has are dropped; each column of one-hot rows is a
    class. Raises UserError for any other array, and if N is not `count`.
    """
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    _check_count(len(values) if values.ndim else 0, count, name)
    if values.ndim == 2 and _is_one_hot(values):
        classes, labels = values.shape[1], values.argmax(axis=1)
        check_classes(labels, classes, name, hint)
        return tuple(map(str, range(classes))), labels
    whole = values.ndim == 1 and values.dtype.kind in "iu"
    if not whole or values.min() < 0:
        raise UserError(
            f"expected the labels {name} as whole numbers from 0, or as "
            f"one-hot rows; got {values.dtype} {list(values.shape)}"
            + (f" from {values.min()}" if whole else "")
        )
    numbers, labels = np.unique(values, return_inverse=True)
    check_classes(labels, len(numbers), name, hint)
    if numbers[-1] >= len(numbers):
        logging.getLogger("progan_tf").warning(
            "%s: the classes are the %d numbers that have pictures (%s), "
            "numbered anew from 0 in this order",
            name,
            len(numbers),
            listed(numbers.tolist()),
        )
    return tuple(map(str, numbers.tolist())), labels.reshape(-1)


def check_classes(
    labels: np.ndarray, classes: int, name: str, hint: str = ""
) -> None:
    """Checks that labels, int64 [N] in [0, classes), can be learnt.

    Raises UserError for a single class, for too many classes, or for nearly
    as many as pictures; `hint` then says what may be wrong.
    """
    if classes < 2:
        raise UserError(
            f"expected two or more classes in {name}, got {classes}; with a "
            "single class, train without labels"
        )
    if classes > MOST_CLASSES:
        raise UserError(
            f"expected at most {MOST_CLASSES} classes in {name}, got {classes}"
        )
    used = len(np.unique(labels))
    if len(labels) >= _SOME and 2 * used > len(labels):
        raise UserError(
            f"expected two or more pictures per class in {name}, got {used} "
            f"classes for {len(labels)} pictures{hint}"
        )


def _is_one_hot(values: np.ndarray) -> bool:
    """Whether each row is all zeros except for a single 1."""
    if values.dtype.kind not in "biuf":
        return False
    ones = values == 1
    return bool((ones | (values == 0)).all() and (ones.sum(1) == 1).all())


def _separator(lines: list[str], names: dict[str, str]) -> str | None:
    """Returns the separator of pictures and classes; None if there is none.

    It is one that follows a picture's name in some line, or else any comma.
    """
    for separator in _SEPARATORS:
        if any(_split(line, separator, names) for line in lines):
            return separator
    return "," if any("," in line for line in lines) else None


def _split(
    line: str, separator: str, names: dict[str, str]
) -> tuple[str, str] | None:
    """Returns the picture of a line and its class, if it begins with one."""
    # The last first, because names of files and of classes may hold some.
    places = re.finditer(separator, line)
    for place in reversed([*itertools.islice(places, _MOST_SEPARATORS)]):
        name = names.get(normal(line[: place.start()].strip()))
        if name:
            return name, line[place.end() :].strip()
    return None


def _classes_by_name(
    lines: list[str], separator: str, names: dict[str, str], path: pathlib.Path
) -> dict[str, str]:
    """Returns the class of each picture that a line begins with."""
    classes = {}
    for line in lines:
        parts = _split(line, separator, names)
        if parts is None:
            last = re.fullmatch(f"(.*){separator}(.*)", line)
            parts = map(str.strip, last.groups() if last else ("", ""))
        name, label = parts
        if not name or not label or name in classes:
            raise UserError(
                f"expected lines such as picture.png,3 in {path}, each picture "
                f"once; got {shortened(line)!r}"
            )
        classes[name] = label
    unknown = sorted(classes.keys() - set(names.values()))
    if unknown:
        raise UserError(
            "expected paths of pictures in the folder, such as "
            f"{next(iter(names.values()))!r}, in {path}; got "
            f"{shortened(unknown[0])!r} and {len(unknown) - 1} more that are "
            "not in it"
        )
    return classes


def normal(name: str) -> str:
    """Returns a name in normal form: "é" may be one character, or two."""
    return unicodedata.normalize("NFC", name)


def _check_count(labels: int, pictures: int, name: str) -> None:
    if labels != pictures:
        raise UserError(
            f"expected one label for each of the {pictures} pictures, got "
            f"{labels} in {name}"
        )
