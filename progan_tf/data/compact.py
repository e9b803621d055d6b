"""Losslessly compressed pictures as a source."""

import os
import pathlib
import zlib
from collections.abc import Iterator

import numpy as np

from progan_tf.data import compact_files
from progan_tf.data.compact_files import About
from progan_tf.data.decoding import CACHE_BYTES, DecodingSource
from progan_tf.data.disk import read_part, read_rows
from progan_tf.data.pyramid import pyramid, shrink
from progan_tf.data.source import check_channels, check_resolution
from progan_tf.data.unreadable import Unreadable
from progan_tf.errors import UserError


class Compact(DecodingSource):
    """A compact data set: the same pictures as in official records, smaller.

    Resolutions up to 64x64 are read as they are; higher ones are decoded,
    shrunk by the rule of the official records, and kept in memory where all
    of them fit. See `compact_files` for the form.

    Args:
        path: the folder.
        channels: of the pictures, or 3 for grey pictures.
        labels: the classes are wanted.
        cache_bytes: memory for decoded pictures.

    Raises:
        UserError: no such data set, or damaged, or of other channels, or
            without labels where they are wanted. Damage within a picture
            shows only when `images` or `verify` come to it.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        channels: int = 3,
        labels: bool = False,
        cache_bytes: int = CACHE_BYTES,
    ):
        self._folder = folder = pathlib.Path(path)
        self._about = about = About.load(folder)
        self._index, self._checks = _open(folder, about)
        check_channels(path, about.channels, channels)
        size = about.resolution
        super().__init__(
            name=str(path),
            resolution=size,
            limit=f"the pictures in {path} are {size}x{size}",
            channels=channels,
            class_names=about.class_names if labels else (),
            unreadable=Unreadable(about.count, str(path)),
            cache_bytes=cache_bytes,
            labels=_open_labels(folder, about) if labels else None,
        )

    def __len__(self) -> int:
        return self._about.count

    def images(self, indices: np.ndarray, resolution: int) -> np.ndarray:
        """See `Source.images`."""
        check_resolution(self, resolution)
        if resolution not in compact_files.raw_resolutions(self.resolution):
            return super().images(indices, resolution)
        shape = (resolution, resolution, self._about.channels)
        path = self._folder / compact_files.raw_name(resolution)
        rows = read_rows(path, np.asarray(indices), int(np.prod(shape)))
        images = rows.reshape(-1, *shape)  # [NRRC]
        if self.channels == shape[-1]:
            return images
        return images.repeat(self.channels, axis=-1)

    def verify(self) -> Iterator[None]:
        """Decodes every picture and compares it with all that is stored.

        Yields:
            once for each picture, so that the caller can show progress.

        Raises:
            UserError: a picture is damaged; it says which.
        """
        raw = compact_files.raw_resolutions(self.resolution)
        for index in range(len(self)):
            levels = {
                level.shape[0]: level for level in pyramid(self._picture(index))
            }
            for size in raw:
                (stored,) = self.images(np.array([index]), size)
                if not np.array_equal(
                    stored, np.broadcast_to(levels[size], stored.shape)
                ):
                    path = self._folder / compact_files.raw_name(size)
                    raise self._damaged(path, index)
            yield

    def _read_picture(self, index: int, resolution: int) -> np.ndarray:
        """See `DecodingSource`."""
        return shrink(self._picture(index)[np.newaxis], resolution)[0]

    def _picture_name(self, index: int) -> str:
        return f"picture {index}"

    def _picture(self, index: int) -> np.ndarray:
        """Returns one picture as it is stored, uint8 [R, R, C]."""
        path = self._folder / compact_files.PICTURES
        start, end = self._index[index : index + 2].tolist()
        encoded = read_part(path, start, end - start)
        if zlib.crc32(encoded) != self._checks[index]:
            raise self._damaged(path, index)
        return compact_files.decode_picture(encoded, self._about.channels)

    def _damaged(self, path: pathlib.Path, index: int) -> UserError:
        return UserError(
            f"picture {index}, counted from 0, of {path} is damaged; copy or "
            "prepare the data again"
        )


def _open(folder: pathlib.Path, about: About) -> tuple[np.ndarray, np.ndarray]:
    """Checks the files' sizes; returns the index and the checksums."""
    index = compact_files.load_array(
        folder, compact_files.INDEX, np.uint64, about.count + 1
    )
    checks = compact_files.load_array(
        folder, compact_files.CHECKS, np.uint32, about.count
    )
    if index[0] != 0 or (index[1:] < index[:-1]).any():
        raise UserError(
            f"expected numbers from 0 that do not fall in "
            f"{folder / compact_files.INDEX}; copy or prepare the data again"
        )
    compact_files.check_size(folder / compact_files.PICTURES, int(index[-1]))
    for size in compact_files.raw_resolutions(about.resolution):
        compact_files.check_size(
            folder / compact_files.raw_name(size),
            about.count * size**2 * about.channels,
        )
    return index, checks


def _open_labels(folder: pathlib.Path, about: About) -> np.ndarray:
    """Returns the class of each picture, int64 [N]."""
    if not about.class_names:
        raise UserError(
            f"expected labels, but {folder} was prepared without; train "
            "without labels or prepare the data with classes"
        )
    labels = compact_files.load_array(
        folder, compact_files.LABELS, np.int64, about.count
    )
    if zlib.crc32(labels) != about.labels_check:
        raise UserError(
            f"{folder / compact_files.LABELS} is damaged; copy or prepare the "
            "data again"
        )
    classes = len(about.class_names)
    if labels.min() < 0 or labels.max() >= classes:
        raise UserError(
            f"expected labels from 0 to {classes - 1} in "
            f"{folder / compact_files.LABELS}, found {labels.min()} to "
            f"{labels.max()}; prepare the data again"
        )
    return labels
