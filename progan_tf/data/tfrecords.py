"""The official code's multi-resolution records as a source."""

import math
import os
import pathlib
from collections.abc import Iterator

import numpy as np

from progan_tf.data.disk import read_rows
from progan_tf.data.record_files import (
    damaged,
    labels_file,
    open_levels,
    read_labels,
    record_pixels,
)
from progan_tf.data.source import Source, check_channels, check_resolution


class TFRecords(Source):
    """A folder of records in the form of the official data-set tool.

    All records of a resolution have the same size, so a picture is read by
    its number from its place in the file: nothing is shuffled or kept in
    memory. See `record_files` for the form.

    Args:
        path: the folder.
        channels: of the records, or 3 for grey records.
        labels: also read the classes, which are called "0", "1" and so on.

    Raises:
        UserError: no such records, or not of that form, or of other channels,
            or no labels where they are wanted. Damage in the middle of a
            file shows only when `images` or `verify` come to it.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        channels: int = 3,
        labels: bool = False,
    ):
        folder = pathlib.Path(path)
        name, self._levels = open_levels(folder)
        largest = max(self._levels)
        stored, _, _ = self._levels[largest].shape
        check_channels(path, stored, channels)
        classes, numbers = 0, None
        if labels:
            classes, numbers = read_labels(
                folder / labels_file(name), len(self)
            )
        super().__init__(
            name=str(path),
            resolution=largest,
            limit=f"the records in {path} go up to {largest}x{largest}",
            channels=channels,
            class_names=tuple(map(str, range(classes))),
            labels=numbers,
        )

    def __len__(self) -> int:
        return next(iter(self._levels.values())).count

    def images(self, indices: np.ndarray, resolution: int) -> np.ndarray:
        """See `Source.images`."""
        check_resolution(self, resolution)
        level = self._levels[resolution]
        indices = np.asarray(indices)
        records = read_rows(level.path, indices, level.size)
        start = len(level.before)
        before = np.frombuffer(level.before, np.uint8)
        usual = (records[:, :start] == before).all(axis=1)
        pixels = records[:, start : start + math.prod(level.shape)]
        for position in np.flatnonzero(~usual):
            # The parts of an example may come in any order.
            record, number = records[position].tobytes(), int(indices[position])
            pixels[position] = record_pixels(record, level, number)
        images = pixels.reshape(-1, *level.shape).transpose(0, 2, 3, 1)
        shape = (len(indices), resolution, resolution, self.channels)
        return np.broadcast_to(images, shape).copy()  # [NRRC]

    def verify(self) -> Iterator[None]:
        """Reads everything and compares the checksums.

        Yields:
            once for each picture, so that the caller can show progress.

        Raises:
            UserError: a record is damaged; it says which.
        """
        import tensorflow as tf  # Slow to import, and needed only here.

        levels = list(self._levels.values())
        files = [
            tf.data.TFRecordDataset(str(level.path)).as_numpy_iterator()
            for level in levels
        ]
        for number in range(len(self)):
            for level, records in zip(levels, files, strict=True):
                try:
                    next(records)
                except (tf.errors.OpError, StopIteration) as error:
                    raise damaged(level, number) from error
            yield
