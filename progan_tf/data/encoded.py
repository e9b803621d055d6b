"""Sources whose pictures must be decoded, and are kept while they fit."""

import abc
import collections
import concurrent.futures
import io
import logging
import os
import statistics
import threading
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from progan_tf.data.picture_files import read_picture, read_size
from progan_tf.data.pyramid import shrink
from progan_tf.data.source import (
    CACHE_BYTES,
    MAX_RESOLUTION,
    MIN_RESOLUTION,
    Source,
    Wanted,
    check_resolution,
)
from progan_tf.errors import UserError
from progan_tf.text import first_line, printable

# Lower resolutions are made of this one, so that growing up to it decodes each
# picture once. Decoding takes about as long for any of them.
_SHARED = 64
# Pictures that are shrunk together, which bounds the memory that this takes.
_TOGETHER = 256

# A few broken files in a large folder are usual and harmless; more mean
# that the folder is not what the user thinks it is.
_MAX_PART = 0.01

_MAX_LINES = 20  # Files named in the log, before it only counts.
_MAX_NAMES = 3  # Files named in the error.

# How many sizes are looked at in a large data set.
_HEADERS = 100


class _Cache(NamedTuple):
    """The pictures decoded so far at one resolution."""

    pixels: np.ndarray  # uint8 [N, R, R, C]
    filled: np.ndarray  # bool [N]


class Unreadable:
    """The unreadable pictures of one source, named in the log and counted.

    Args:
        found: all the pictures, readable or not.
        place: where they are, for messages.

    Attributes:
        count: unreadable pictures so far.
    """

    def __init__(self, found: int, place: str):
        self.count = 0
        self._found = found
        self._place = place
        self._first = []
        self._logger = logging.getLogger("progan_tf")

    def add(self, name: str, error: Exception) -> None:
        """Counts one picture and, if it is among the first, names it."""
        self.count += 1
        name, reason = printable(name), first_line(error)
        if len(self._first) < _MAX_NAMES:
            self._first.append(f"{name} ({reason})")
        if self.count <= _MAX_LINES:
            self._logger.warning(
                "%s: skipped unreadable %s: %s",
                self._place,
                name,
                reason,
            )
        elif self.count % 100 == 0:
            self._logger.warning(
                "%s: %d unreadable pictures skipped", self._place, self.count
            )

    def check(self) -> None:
        """Gives up where too many pictures are unreadable.

        Raises:
            UserError: more than 1 % of all picture files.
        """
        if self.count > _MAX_PART * self._found:
            more = ", ..." if self.count > len(self._first) else ""
            raise UserError(
                f"{self.count} of the {self._found} pictures in "
                f"{self._place} cannot be read, more than 1 %: "
                f"{', '.join(self._first)}{more}; mend or remove them"
            )


class EncodedSource(Source):
    """Pictures that are decoded in threads when first asked for.

    They are then kept in memory at that resolution where all of them fit;
    otherwise they are decoded each time. Resolutions below 64x64 are shrunk
    from that by the rule of `pyramid`, and where all pictures fit at 64x64
    that is what is kept for all of these.

    A picture that cannot be decoded is named in the log and skipped: the
    next readable one of the same class takes its place, a pure function of
    the index still.

    Args:
        name, resolution, limit, channels, class_names, labels: see `Source`.
        unreadable: counts what cannot be read, where some is known by now.
        cache_bytes: memory for decoded pictures.

    Attributes:
        unreadable: pictures found so far that could not be read.
    """

    @classmethod
    def open(cls, data: str, wanted: Wanted) -> "EncodedSource":
        """See `Source.open`."""
        return cls(
            cls.path(data), wanted.channels, wanted.labels, wanted.cache_bytes
        )

    def __init__(
        self,
        name: str,
        resolution: int,
        limit: str,
        channels: int,
        class_names: tuple[str, ...] = (),
        labels: np.ndarray | None = None,
        cache_bytes: int = CACHE_BYTES,
        unreadable: Unreadable | None = None,
    ):
        super().__init__(name, resolution, limit, channels, class_names, labels)
        # Pillow decodes without holding Python's lock.
        self._pool = concurrent.futures.ThreadPoolExecutor(
            max_workers=os.cpu_count(), thread_name_prefix="progan_tf-decode"
        )
        self._log = unreadable or Unreadable(len(self), name)
        self._cache_bytes = cache_bytes
        self._caches = collections.OrderedDict()
        self._broken = set()
        self._lock = threading.Lock()

    @property
    def unreadable(self) -> int:
        """Pictures found so far that could not be read."""
        return self._log.count

    @property
    def replaced(self) -> int:
        """Pictures that could not be decoded, so that others stand in."""
        return len(self._broken)

    def images(self, indices: np.ndarray, resolution: int) -> np.ndarray:
        """See `Source.images`."""
        check_resolution(self, resolution)
        # A caller that went on after there were too many is told again.
        self._log.check()
        indices = np.asarray(indices)
        shared = min(_SHARED, self.resolution)
        if resolution >= shared or not self._fits(shared):
            return self._kept(indices, resolution)
        parts = [
            shrink(
                self._kept(indices[first : first + _TOGETHER], shared),
                resolution,
            )
            for first in range(0, max(1, len(indices)), _TOGETHER)
        ]
        return np.concatenate(parts)

    def _kept(self, indices: np.ndarray, resolution: int) -> np.ndarray:
        """Returns pictures as they are kept, or decodes them."""
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

    @abc.abstractmethod
    def _read_picture(self, index: int, resolution: int) -> np.ndarray:
        """Decodes one picture; called from several threads.

        Returns:
            uint8 [R, R, C].

        Raises:
            UserError: the data as a whole cannot be used.
            Exception: of any other kind, where this picture is damaged.
        """

    def _picture_name(self, index: int) -> str:
        """Returns what messages call a picture."""
        return f"picture {index}"

    def _cache(self, resolution: int) -> _Cache | None:
        """Returns the cache of a resolution, or None where it cannot fit.

        At most two are kept, within `cache_bytes` together: the one that
        training uses and, while there is room, another that is measured.
        """
        if not self._fits(resolution):
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

    def _fits(self, resolution: int) -> bool:
        """Whether all pictures fit in memory at a resolution."""
        size = len(self) * resolution**2 * self.channels
        return size <= self._cache_bytes

    def _cached(self) -> int:
        """Returns the bytes that all caches take."""
        return sum(cache.pixels.nbytes for cache in self._caches.values())

    def _decode(self, index: int, resolution: int) -> np.ndarray:
        """Reads a picture or, where it is broken, the one that stands in."""
        decoded = max(resolution, min(_SHARED, self.resolution))
        for candidate in self._stand_ins(index):
            if candidate in self._broken:
                continue
            try:
                picture = self._read_picture(candidate, decoded)
                return shrink(picture[np.newaxis], resolution)[0]
            except (MemoryError, UserError):
                raise  # Not this picture's fault.
            except Exception as error:  # Of any kind, on a broken picture.
                self._mark_broken(candidate, error)
        raise UserError(
            f"no picture like {self._picture_name(index)} of {self.name} can "
            "be read; mend or remove the pictures of its class"
        )

    def _stand_ins(self, index: int) -> Iterator[int]:
        """Yields `index`, then those after it of its class, wrapping."""
        yield index
        for step in range(1, len(self)):
            candidate = (index + step) % len(self)
            if self.num_classes:
                own, other = self.labels(np.array([index, candidate]))
                if own != other:
                    continue
            yield candidate

    def _mark_broken(self, index: int, error: Exception) -> None:
        """Names a broken picture once, and gives up where there are many."""
        with self._lock:
            if index in self._broken:
                return
            self._broken.add(index)
            self._log.add(self._picture_name(index), error)
        self._log.check()


class RecordsSource(EncodedSource):
    """Picture files that are the records of a large data set.

    They are cut to their central square and shrunk by area, like the files of
    a folder. Of their sizes only some are looked at: such data sets are made
    as one, so that LSUN's millions, for example, have a short side of 256.

    Args:
        name, channels, class_names, labels: see `Source`.
        cache_bytes: memory for decoded pictures.

    Raises:
        UserError: most records are no pictures, or these are too small.
    """

    def __init__(
        self,
        name: str,
        channels: int,
        class_names: tuple[str, ...] = (),
        labels: np.ndarray | None = None,
        cache_bytes: int = CACHE_BYTES,
    ):
        some = range(0, len(self), max(1, -(-len(self) // _HEADERS)))
        sides = []
        for index in some:
            try:
                sides.append(min(read_size(io.BytesIO(self._encoded(index)))))
            except UserError:
                raise  # Not this picture's fault.
            except Exception:  # Of any kind, on a broken picture.
                continue
        if len(sides) <= len(some) // 2:
            raise UserError(
                f"expected encoded pictures in {name}; of {len(some)} values "
                f"{len(sides)} are some"
            )
        super().__init__(
            name,
            *largest_resolution(sides, name),
            channels,
            class_names,
            labels,
            cache_bytes,
        )

    @abc.abstractmethod
    def _encoded(self, index: int) -> bytes:
        """Returns the file of one picture; called from several threads."""

    def _read_picture(self, index: int, resolution: int) -> np.ndarray:
        """See `EncodedSource`."""
        file = io.BytesIO(self._encoded(index))
        return read_picture(file, resolution, self.channels)


def largest_resolution(sides: list[int], name: str) -> tuple[int, str]:
    """Finds the resolution that most pictures of a data set reach.

    Args:
        sides: the short sides of pictures.
        name: what messages call the data set.

    Returns:
        the power of two from 4 to 1024 that the median of them reaches, and
        in words why it ends there.

    Raises:
        UserError: they are smaller.
    """
    median = statistics.median(sides)
    if median < MIN_RESOLUTION:
        raise UserError(
            f"expected pictures of at least {MIN_RESOLUTION} pixels, but most "
            f"in {name} have a short side of {median:g} or less; use larger "
            "pictures"
        )
    resolution = 1 << (int(median).bit_length() - 1)
    if resolution >= MAX_RESOLUTION:
        return MAX_RESOLUTION, f"{MAX_RESOLUTION} is the largest resolution"
    return resolution, (
        f"most pictures of {name} have a short side under {2 * resolution} "
        f"(median {median:g})"
    )
