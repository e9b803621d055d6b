"""A folder of pictures of any size and shape."""

import collections
import concurrent.futures
import os
import pathlib
import statistics
import sys
import threading
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from progan_tf.data.decode import read_picture
from progan_tf.data.decode import read_size
from progan_tf.data.find import find_classes
from progan_tf.data.find import find_pictures
from progan_tf.data.source import MAX_RESOLUTION
from progan_tf.data.source import MIN_RESOLUTION
from progan_tf.data.source import Source
from progan_tf.data.source import check_resolution
from progan_tf.data.unreadable import Unreadable
from progan_tf.errors import UserError

# With fewer pictures than this there is nothing to learn a distribution
# from; it is nearly always a wrong path.
_MIN_PICTURES = 16

# From this many files on, reading the headers takes long enough to say so.
_PROGRESS_FILES = 5000


class _Cache(NamedTuple):
    """The pictures decoded so far at one resolution."""

    pixels: np.ndarray  # uint8 [N, R, R, C]
    filled: np.ndarray  # bool [N]


class Folder(Source):
    """The pictures in a folder and its sub-folders, cut to squares.

    Files are taken by extension and sorted by their path within the folder,
    so their order does not depend on the file system; hidden ones are left
    out. Each picture is centre-cropped and resized when first asked for,
    then kept in memory at that resolution where all of them fit.

    The largest resolution is the power of two that the short side of the
    median picture reaches, at most 1024.

    Files that cannot be read are named in the log and skipped. Damage that
    shows only while decoding is met with the next readable picture of the
    same class in its place: a pure function of the index still.

    Args:
        path: the folder.
        channels: 3 for RGB or 1 for grey; the pictures are converted.
        labels: each sub-folder is a class, in sorted order.
        cache_bytes: memory for decoded pictures; where a resolution needs
            more, its pictures are decoded each time.

    Attributes:
        unreadable: pictures found so far that could not be read.

    Raises:
        UserError: no such folder, too few pictures, more than 1 % of them
            unreadable, or no classes where labels are wanted. The 1 % may
            also be passed later, by `images`.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        channels: int = 3,
        labels: bool = False,
        cache_bytes: int = 1 << 30,
    ):
        self._root = pathlib.Path(path)
        # Pillow decodes without holding Python's lock.
        self._pool = concurrent.futures.ThreadPoolExecutor(
            max_workers=os.cpu_count(), thread_name_prefix="progan_tf-decode"
        )
        found = find_pictures(self._root)
        self._log = Unreadable(found=len(found), place=str(path))
        self._files, median = self._read_headers(found)
        resolution = min(1 << (int(median).bit_length() - 1), MAX_RESOLUTION)
        if resolution < MIN_RESOLUTION:
            raise UserError(
                f"expected pictures of at least {MIN_RESOLUTION} pixels, but "
                f"most in {path} have a short side of {median:g} or less; "
                "use larger pictures"
            )
        classes, self._labels = (), None
        if labels:
            classes, self._labels = find_classes(self._root, self._files)
        super().__init__(
            name=str(path),
            resolution=resolution,
            limit=_limit(path, resolution, median),
            channels=channels,
            class_names=classes,
        )
        self._cache_bytes = cache_bytes
        self._caches = collections.OrderedDict()
        self._broken = set()
        self._lock = threading.Lock()

    @property
    def unreadable(self) -> int:
        """Pictures found so far that could not be read."""
        return self._log.count

    def __len__(self) -> int:
        return len(self._files)

    def images(self, indices: np.ndarray, resolution: int) -> np.ndarray:
        """See `Source.images`."""
        check_resolution(self, resolution)
        # A caller that went on after the 1 % was passed is told again.
        self._log.check()
        indices = np.asarray(indices)
        cache = self._cache(resolution)
        shape = (len(indices), resolution, resolution, self.channels)
        images = np.empty(shape, np.uint8)  # [NRRC]
        known = np.zeros(len(indices), bool)
        if cache is not None:
            known = cache.filled[indices]
            images[known] = cache.pixels[indices[known]]

        def decode(position: int) -> None:
            index = int(indices[position])
            images[position] = self._decode(index, resolution)
            if cache is not None:
                cache.pixels[index] = images[position]
                cache.filled[index] = True

        # The list waits for every picture and raises the first error.
        list(self._pool.map(decode, np.flatnonzero(~known)))
        return images

    def labels(self, indices: np.ndarray) -> np.ndarray:
        """See `Source.labels`: the number of the sub-folder."""
        if self._labels is None:
            raise UserError(
                f"{self.name} was opened without labels; open it with labels "
                "and one sub-folder for each class"
            )
        return self._labels[indices]

    def _read_headers(
        self, found: list[pathlib.Path]
    ) -> tuple[list[pathlib.Path], float]:
        """Sorts out the files whose header cannot be read.

        Returns:
            the readable files and the median of their short sides.
        """

        def short_side(file: pathlib.Path) -> int | Exception:
            try:
                return min(read_size(self._root / file))
            except Exception as error:  # Of any kind, on a broken file.
                return error

        files, sides = [], []
        results = self._pool.map(short_side, found)
        for number, (file, side) in enumerate(zip(found, results, strict=True)):
            if number and number % _PROGRESS_FILES == 0:
                print(
                    f"{self._root}: {number} of {len(found)} headers read",
                    file=sys.stderr,
                )
            if isinstance(side, Exception):
                self._log.add(file, side)
            else:
                files.append(file)
                sides.append(side)
        self._log.check()
        if len(files) < _MIN_PICTURES:
            raise UserError(
                f"expected at least {_MIN_PICTURES} pictures, found "
                f"{len(files)} in {self._root}; choose another folder"
            )
        return files, statistics.median(sides)

    def _cache(self, resolution: int) -> _Cache | None:
        """Returns the cache of a resolution, or None where it cannot fit.

        At most two are kept, within `cache_bytes` together: the one that
        training uses and, while there is room, another that is measured.
        """
        size = len(self) * resolution**2 * self.channels
        if size > self._cache_bytes:
            return None
        with self._lock:
            if resolution not in self._caches:
                shape = (len(self), resolution, resolution, self.channels)
                self._caches[resolution] = _Cache(
                    np.empty(shape, np.uint8), np.zeros(len(self), bool)
                )
            self._caches.move_to_end(resolution)
            while len(self._caches) > 2 or self._cached() > self._cache_bytes:
                self._caches.popitem(last=False)
            return self._caches[resolution]

    def _cached(self) -> int:
        """Returns the bytes that all caches take."""
        return sum(cache.pixels.nbytes for cache in self._caches.values())

    def _decode(self, index: int, resolution: int) -> np.ndarray:
        """Reads a picture or, where it is broken, the one that stands in."""
        for candidate in self._stand_ins(index):
            if candidate in self._broken:
                continue
            file = self._files[candidate]
            try:
                return read_picture(
                    self._root / file, resolution, self.channels
                )
            except MemoryError:
                raise  # The machine's trouble, not the file's.
            except Exception as error:  # Of any kind, on a broken file.
                self._mark_broken(candidate, error)
        raise UserError(
            f"no picture like {self._root / self._files[index]} can be read; "
            "mend or remove the files of its class"
        )

    def _stand_ins(self, index: int) -> Iterator[int]:
        """Yields `index`, then those after it of its class, wrapping."""
        for step in range(len(self)):
            candidate = (index + step) % len(self)
            if (
                self._labels is None
                or self._labels[candidate] == self._labels[index]
            ):
                yield candidate

    def _mark_broken(self, index: int, error: Exception) -> None:
        """Names a broken picture once, and gives up where there are many."""
        with self._lock:
            if index in self._broken:
                return
            self._broken.add(index)
            self._log.add(self._files[index], error)
        self._log.check()


def _limit(path: str | os.PathLike, resolution: int, median: float) -> str:
    """Says why the resolution of a folder ends where it does."""
    if resolution == MAX_RESOLUTION:
        return f"{MAX_RESOLUTION} is the largest resolution"
    return (
        f"most pictures of {path} have a short side under {2 * resolution} "
        f"(median {median:g})"
    )
