"""The official code's multi-resolution records as a source.

For every resolution R = 2**r from 4x4 up there is one file NAME-r%02d.tfrecords
of raw pixels, and where there are classes NAME-rxx.labels, an .npy file of
float32 [N, L] with a single 1 in each row.

A TFRecord is the length of its content as a little-endian uint64, a checksum
of these 8 bytes, the content, and a checksum of that. The content is a
`tf.train.Example` of `shape`, three numbers (C, H, W), and `data`, the uint8
pixels of that shape. All records of a file then have the same size.
"""

import math
import os
import pathlib
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from progan_tf.data.disk import file_size, list_folder, read_part, read_rows
from progan_tf.data.example import example_before_data, parse_example
from progan_tf.data.folder import Folder
from progan_tf.data.labels_file import MOST_CLASSES
from progan_tf.data.source import Source, check_channels, check_resolution
from progan_tf.errors import UserError
from progan_tf.resolutions import HIGHEST_RESOLUTION, resolutions

_FILE = re.compile(r"(.+)-r(\d\d)\.tfrecords", re.DOTALL)
# Bytes around the content of a record.
BEFORE_CONTENT = 8 + 4
AFTER_CONTENT = 4
# An upper bound of the bytes of an Example besides its pixels.
_MOST_AROUND = 1 << 12
# Rows of labels in memory at a time: all of them can take gigabytes.
LABELS_TOGETHER = 256


class Level(NamedTuple):
    """The records of one resolution."""

    path: pathlib.Path
    shape: tuple[int, int, int]  # (C, R, R)
    size: int  # Bytes in a record, framing included.
    count: int  # Records in the file.
    before: bytes  # The bytes of a record before its pixels.


class TFRecords(Source):
    """A folder of records in the format of the official data-set tool.

    A picture is read by index, directly from the file: nothing is
    shuffled or kept in memory. `stored` holds all resolutions.

    Raises UserError if there are no records, or they have another format or
    other channels, or lack labels that are wanted. Damage in the middle of a
    file is only found when `images` or `verify` read it.
    """

    usage = Folder.usage
    form = "tfrecords"

    @classmethod
    def lies_at(cls, path: str | os.PathLike) -> bool:
        names = list_folder(path) if os.path.isdir(path) else ()
        return any(map(_FILE.fullmatch, names))

    def __init__(
        self,
        path: str | os.PathLike,
        channels: int | None = 3,  # 3 also takes grey; None takes as stored.
        labels: bool | None = False,  # None takes classes if there are any.
    ):
        folder = pathlib.Path(path)
        name, self._levels = _open_levels(folder)
        self.stored = tuple(self._levels)
        largest = max(self.stored)
        stored, _, _ = self._levels[largest].shape
        channels = stored if channels is None else channels
        labels_path = folder / labels_file(name)
        labels = labels_path.is_file() if labels is None else labels
        check_channels(path, stored, channels)
        classes, numbers = 0, None
        if labels:
            classes, numbers = _read_labels(labels_path, len(self))
        names = tuple(map(str, range(classes)))
        limit = f"the records in {path} go up to {largest}x{largest}"
        super().__init__(str(path), largest, limit, channels, names, numbers)

    def __len__(self) -> int:
        return next(iter(self._levels.values())).count

    def images(self, indices: np.ndarray, resolution: int) -> np.ndarray:
        check_resolution(self, resolution)
        level = self._levels[resolution]
        indices = np.asarray(indices)
        records = read_rows(level.path, indices, level.size)
        start = len(level.before)
        before = np.frombuffer(level.before, np.uint8)
        usual = (records[:, :start] == before).all(axis=1)
        pixels = records[:, start : start + math.prod(level.shape)]
        for position in np.flatnonzero(~usual):
            # The features of an Example may come in any order.
            record, number = records[position].tobytes(), int(indices[position])
            pixels[position] = _record_pixels(record, level, number)
        images = pixels.reshape(-1, *level.shape).transpose(0, 2, 3, 1)
        shape = (len(indices), resolution, resolution, self.channels)
        return np.broadcast_to(images, shape).copy()  # [NRRC]

    def verify(self) -> Iterator[None]:
        """Reads everything, yields once per picture; UserError for damage."""
        import tensorflow as tf  # Slow to import, and needed only here.

        open_file = tf.data.TFRecordDataset
        files = [
            (level, open_file(str(level.path)).as_numpy_iterator())
            for level in self._levels.values()
        ]
        for number in range(len(self)):
            for level, records in files:
                try:
                    next(records)
                except (tf.errors.OpError, StopIteration) as error:
                    raise _damaged(level, number) from error
            yield


def record_file(name: str, resolution: int) -> str:
    """Returns the name of the file of one resolution."""
    return f"{name}-r{resolution.bit_length() - 1:02d}.tfrecords"


def labels_file(name: str) -> str:
    """Returns the name of the file of the labels."""
    return f"{name}-rxx.labels"


def _open_levels(folder: pathlib.Path) -> tuple[str, dict[int, Level]]:
    """Returns the name of a set and its levels, checked, the lowest first."""
    matches = [_FILE.fullmatch(name) for name in list_folder(folder)]
    found = [(match[1], int(match[2])) for match in matches if match]
    names = sorted({name for name, _ in found})
    if len(names) != 1:
        raise UserError(
            f"expected the files NAME-rNN.tfrecords of one data set in "
            f"{folder}, found {', '.join(names) or 'none'}; give each data "
            "set its own folder"
        )
    name, largest = names[0], 1 << max(level for _, level in found)
    if not 4 <= largest <= HIGHEST_RESOLUTION:
        raise UserError(
            f"expected records from 4x4 to at most {HIGHEST_RESOLUTION}x"
            f"{HIGHEST_RESOLUTION} in {folder}, found "
            f"{record_file(name, largest)}"
        )
    levels, previous = {}, None
    for resolution in resolutions(largest):
        path = folder / record_file(name, resolution)
        if not path.is_file():
            raise UserError(
                f"expected records of every resolution from 4x4 to {largest}x"
                f"{largest}, but {path} is missing; copy or prepare it again"
            )
        level = levels[resolution] = _open(path, resolution)
        if previous and level.count != previous.count:
            raise UserError(
                f"expected as many records in {path} as in "
                f"{previous.path.name}, {previous.count}, found "
                f"{level.count}; copy or prepare the data again"
            )
        if previous and level.shape[0] != previous.shape[0]:
            raise UserError(
                f"expected {previous.shape[0]} channels in {path} as in "
                f"{previous.path.name}, found {level.shape[0]}; prepare the "
                "data again"
            )
        previous = level
    return name, levels


def _record_pixels(record: bytes, level: Level, number: int) -> np.ndarray:
    """Returns the pixels of a record with its features in any order."""
    try:
        if record[:BEFORE_CONTENT] != level.before[:BEFORE_CONTENT]:
            raise ValueError("a record of another length")
        features = parse_example(record[BEFORE_CONTENT:-AFTER_CONTENT])
        if tuple(features["shape"]) != level.shape:
            raise ValueError("a picture of another shape")
        (data,) = features["data"]
        return np.frombuffer(data, np.uint8).reshape(np.prod(level.shape))
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(level, number) from error


def _damaged(level: Level, number: int) -> UserError:
    """Returns the error for a damaged record."""
    return UserError(
        f"expected a picture of shape {level.shape} in every record of "
        f"{level.path}, but number {number}, counted from 0, is damaged or "
        "something else; copy or prepare the data again"
    )


def _read_labels(path: pathlib.Path, count: int) -> tuple[int, np.ndarray]:
    """Returns how many classes there are, and each record's, int64 [N]."""
    if not path.is_file():
        raise UserError(
            f"expected labels in {path}, but there is no such file; train "
            "without labels or prepare the data with classes"
        )
    try:
        one_hot = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # A damaged header raises anything.
        raise UserError(
            f"expected labels in {path}, but it is no .npy file of numbers; "
            "copy or prepare it again"
        ) from error
    is_table = one_hot.dtype.kind in "biuf" and one_hot.ndim == 2
    if not is_table or len(one_hot) != count:
        raise UserError(
            f"expected numbers of shape ({count}, classes) in {path}, a row "
            f"for each record, found {one_hot.dtype} {one_hot.shape}; "
            "prepare the data again"
        )
    if one_hot.shape[1] > MOST_CLASSES:
        raise UserError(
            f"expected at most {MOST_CLASSES} classes in {path}, found "
            f"{one_hot.shape[1]}; prepare the data again"
        )
    labels = np.empty(count, np.int64)
    for start in range(0, count, LABELS_TOGETHER):
        rows = one_hot[start : start + LABELS_TOGETHER]
        is_one = np.count_nonzero(rows, axis=1) == 1
        is_one &= (rows == 1).any(axis=1)
        if not is_one.all():
            raise UserError(
                f"expected a single 1 in every row of {path}, one class a "
                f"picture, but row {start + is_one.argmin()} has something "
                "else; train without labels or prepare the data again"
            )
        labels[start : start + len(rows)] = rows.argmax(axis=1)
    return one_hot.shape[1], labels


def _open(path: pathlib.Path, resolution: int) -> Level:
    """Checks one file by its size, its first and its last record."""
    total = file_size(path)
    if total < BEFORE_CONTENT:
        raise UserError(
            f"expected records in {path}, found {total} bytes; copy or "
            "prepare it again"
        )
    start = read_part(path, 0, BEFORE_CONTENT)
    length = int.from_bytes(start[:8], "little")
    size = BEFORE_CONTENT + length + AFTER_CONTENT
    if length > 3 * resolution**2 + _MOST_AROUND:
        raise UserError(
            f"expected records of at most {resolution}x{resolution} pixels in "
            f"{path}, but the first has {length:,} bytes; copy or prepare it "
            "again"
        )
    if total % size:
        raise UserError(
            f"expected records of {size} bytes, like the first, in {path}, "
            f"but it has {total} bytes, which is no multiple: it is cut off "
            "or its pictures differ in size; copy or prepare it again"
        )
    first = read_part(path, 0, size)
    try:
        features = parse_example(first[BEFORE_CONTENT:-AFTER_CONTENT])
    except ValueError:
        features = {}
    if not {"shape", "data"} <= features.keys():
        names = ", ".join(sorted(features))[:80] or "no tf.train.Example"
        raise UserError(
            f"expected 'shape' and 'data' in the records of {path}, found "
            f"{names}; these are not the official code's multi-resolution "
            "records"
        )
    shape = tuple(features["shape"])
    if shape not in ((1, resolution, resolution), (3, resolution, resolution)):
        raise UserError(
            f"expected pictures of shape (1 or 3, {resolution}, {resolution}) "
            f"in {path}, found {str(shape)[:80]}; prepare the data again"
        )
    before = start + example_before_data(shape)
    level = Level(path, shape, size, total // size, before)
    _record_pixels(first, level, 0)
    last = level.count - 1
    _record_pixels(read_part(path, last * size, size), level, last)
    return level
