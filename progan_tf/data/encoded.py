"""Sources whose pictures must be decoded, and are cached if they fit."""

import abc
import concurrent.futures
import io
import logging
import os
import statistics
import threading
from collections.abc import Iterator

import numpy as np

from progan_tf.data.picture_files import read_picture, read_size
from progan_tf.data.pyramid import shrink
from progan_tf.data.source import CACHE_BYTES, Source, Wanted, check_resolution
from progan_tf.errors import UserError
from progan_tf.resolutions import HIGHEST_RESOLUTION, LOWEST_RESOLUTION
from progan_tf.text import first_line, printable

# Lower resolutions are downscaled from this one, so that growing up to it
# decodes each picture once. Decoding takes about as long for any of them.
_SHARED = 64
# Pictures that are downscaled together, to bound the memory for it.
_TOGETHER = 256
# A few broken files in a large folder are usual and harmless; more mean
# that the folder is not what the user thinks it is.
_MAX_PART = 0.01
_MAX_LINES = 20  # Files named in the log, before it only counts.
_MAX_NAMES = 3  # Files named in the error.
# How many pictures' sizes are read in a large data set.
_HEADERS = 100


class Unreadable:
    """The unreadable pictures of one source, named in the log and counted."""

    def __init__(self, found: int, place: str):
        self.count = 0
        self._found, self._place, self._first = found, place, []

    def add(self, name: str, error: Exception) -> None:
        """Counts one picture and, if it is among the first, names it."""
        self.count += 1
        name, reason = printable(name), first_line(error)
        if len(self._first) < _MAX_NAMES:
            self._first.append(f"{name} ({reason})")
        if self.count <= _MAX_LINES:
            text = f"skipped unreadable {name}: {reason}"
        elif self.count % 100 == 0:
            text = f"{self.count} unreadable pictures skipped"
        else:
            return
        logging.getLogger("progan_tf").warning("%s: %s", self._place, text)

    def check(self) -> None:
        """Raises UserError where more than 1 % of all are unreadable."""
        if self.count > _MAX_PART * self._found:
            more = ", ..." if self.count > len(self._first) else ""
            raise UserError(
                f"{self.count} of the {self._found} pictures in {self._place} "
                "cannot be read, more than 1 %: "
                f"{', '.join(self._first)}{more}; repair or remove them"
            )


class EncodedSource(Source):
    """Pictures that are decoded in threads, on demand.

    They are cached at that resolution if all of them fit in `cache_bytes` of
    memory; otherwise they are decoded each time. Resolutions below 64x64 are
    downscaled from 64x64 by the rule of `pyramid`. If all pictures fit in
    memory at 64x64, that cache serves all these resolutions.

    A picture that cannot be decoded is named in the log and skipped: the
    next readable one of the same class takes its place, so the result is still
    a pure function of the index. More than 1 % of such pictures, including
    those already `unreadable`, raise a `UserError`.
    """

    @classmethod
    def open(cls, data: str, wanted: Wanted) -> "EncodedSource":
        channels, labels, _, cache_bytes, _ = wanted
        path = cls.path(data) or data
        return cls(path, channels, labels, cache_bytes=cache_bytes)

    def __init__(
        self,
        *about,
        cache_bytes: int = CACHE_BYTES,
        unreadable: Unreadable | None = None,
    ):
        super().__init__(*about)
        # Pillow decodes without holding Python's lock.
        self._pool = concurrent.futures.ThreadPoolExecutor(
            max_workers=os.cpu_count(), thread_name_prefix="progan_tf-decode"
        )
        self._log = unreadable or Unreadable(len(self), self.name)
        self._cache_bytes = cache_bytes
        self._caches = {}
        self._broken = set()
        self._lock = threading.Lock()

    @property
    def unreadable(self) -> int:
        """Pictures found so far that could not be read."""
        return self._log.count

    @property
    def replaced(self) -> int:
        """Number of pictures that could not be decoded and were replaced."""
        return len(self._broken)

    def images(self, indices: np.ndarray, resolution: int) -> np.ndarray:
        check_resolution(self, resolution)
        # Raises again if a caller went on after too many were unreadable.
        self._log.check()
        indices = np.asarray(indices)
        shared = min(_SHARED, self.resolution)
        if resolution >= shared or not self._fits(shared):
            return self._cached_or_decoded(indices, resolution)
        parts = (
            indices[first : first + _TOGETHER]
            for first in range(0, max(1, len(indices)), _TOGETHER)
        )
        parts = [
            shrink(self._cached_or_decoded(part, shared), resolution)
            for part in parts
        ]
        return np.concatenate(parts)

    def _cached_or_decoded(
        self, indices: np.ndarray, resolution: int
    ) -> np.ndarray:
        """Returns pictures from the cache; decodes and caches the others."""
        pixels, filled = self._cache(resolution)
        shape = (len(indices), resolution, resolution, self.channels)
        images = np.empty(shape, np.uint8)  # [NRRC]
        known = np.zeros(len(indices), bool)
        if filled is not None:
            known = filled[indices]
            images[known] = pixels[indices[known]]

        def decode(position: int) -> None:
            index = int(indices[position])
            images[position] = self._decode(index, resolution)
            if filled is not None:
                pixels[index] = images[position]
                filled[index] = True

        # The list waits for every picture and raises the first error.
        list(self._pool.map(decode, np.flatnonzero(~known)))
        return images

    @abc.abstractmethod
    def _read_picture(self, index: int, resolution: int) -> np.ndarray:
        """Decodes one picture, uint8 [R, R, C]; called from several threads.

        Raises UserError if the data as a whole cannot be used, and any other
        exception if this picture is damaged.
        """

    def _picture_name(self, index: int) -> str:
        """Returns the name of a picture for messages."""
        return f"picture {index}"

    def _cache(self, resolution: int) -> tuple[np.ndarray | None, ...]:
        """Returns the cache, uint8 [N, R, R, C], and bool [N], what it holds.

        Both are None if they cannot fit. At most two caches are kept, together
        within the memory: that of the resolution in training and, if there is
        room, of another that is evaluated.
        """
        if not self._fits(resolution):
            return None, None
        with self._lock:
            cache = self._caches.pop(resolution, None)
            if cache is None:
                shape = (len(self), resolution, resolution, self.channels)
                cache = np.empty(shape, np.uint8), np.zeros(len(self), bool)
            self._caches[resolution] = cache  # The last, as the newest in use.
            while len(self._caches) > 2 or not self._fits(*self._caches):
                del self._caches[next(iter(self._caches))]
            return cache

    def _fits(self, *sizes: int) -> bool:
        """Whether all pictures fit in memory at some resolutions together."""
        pixels = len(self) * sum(size**2 for size in sizes)
        return pixels * self.channels <= self._cache_bytes

    def _decode(self, index: int, resolution: int) -> np.ndarray:
        """Reads a picture or, if it is broken, its replacement."""
        decoded = max(resolution, min(_SHARED, self.resolution))
        for candidate in self._replacements(index):
            if candidate in self._broken:
                continue
            try:
                picture = self._read_picture(candidate, decoded)
                return shrink(picture[np.newaxis], resolution)[0]
            except (MemoryError, UserError):
                raise  # Not this picture's fault.
            except Exception as error:  # Damage raises anything.
                self._mark_broken(candidate, error)
        raise UserError(
            "expected at least one readable picture in the class of "
            f"{self._picture_name(index)} of {self.name}; repair or remove the "
            "pictures of that class"
        )

    def _replacements(self, index: int) -> Iterator[int]:
        """Yields `index`, then the following ones of its class, cyclically."""
        yield index
        for step in range(1, len(self)):
            candidate = (index + step) % len(self)
            if candidate in self._held_out and index not in self._held_out:
                continue  # What is trained on is no held-out picture.
            if self.num_classes:
                own, other = self.labels(np.array([index, candidate]))
                if own != other:
                    continue
            yield candidate

    def _mark_broken(self, index: int, error: Exception) -> None:
        """Logs a broken picture once; UserError if there are too many."""
        with self._lock:
            if index in self._broken:
                return
            self._broken.add(index)
            self._log.add(self._picture_name(index), error)
        self._log.check()


class RecordsSource(EncodedSource):
    """Encoded pictures stored as the records of a large data set.

    They are cropped to their central square and downscaled by area, like the
    files of a folder. Only some sizes are read, because such data sets are
    uniform: LSUN's millions have a short side of 256. Raises UserError if most
    records are not pictures, or the pictures are too small.
    """

    def __init__(self, name: str, *about, cache_bytes: int = CACHE_BYTES):
        some = range(0, len(self), max(1, -(-len(self) // _HEADERS)))
        sides = []
        for index in some:
            try:
                sides.append(min(read_size(io.BytesIO(self._encoded(index)))))
            except UserError:
                raise  # Not this picture's fault.
            except Exception:  # Damage raises anything.
                continue
        if len(sides) <= len(some) // 2:
            raise UserError(
                f"expected encoded pictures in {name}; of {len(some)} values "
                f"{len(sides)} are pictures"
            )
        size = largest_resolution(sides, name)
        super().__init__(name, *size, *about, cache_bytes=cache_bytes)

    @abc.abstractmethod
    def _encoded(self, index: int) -> bytes:
        """Returns the file of one picture; called from several threads."""

    def _read_picture(self, index: int, resolution: int) -> np.ndarray:
        file = io.BytesIO(self._encoded(index))
        return read_picture(file, resolution, self.channels)


def largest_resolution(sides: list[int], name: str) -> tuple[int, str]:
    """Returns the resolution that most pictures reach, and the reason in words.

    It is the largest power of two from 4 to 1024 that is not above the median
    of their short sides. Raises UserError if the median is below 4.
    """
    median, most = statistics.median(sides), HIGHEST_RESOLUTION
    if median < LOWEST_RESOLUTION:
        raise UserError(
            f"expected pictures of at least {LOWEST_RESOLUTION} pixels, but "
            f"most in {name} have a short side of {median:g} or less; use "
            "larger pictures"
        )
    resolution = 1 << (int(median).bit_length() - 1)
    if resolution >= most:
        return most, f"{most} is the largest resolution"
    return resolution, (
        f"most pictures of {name} have a short side under {2 * resolution} "
        f"(median {median:g})"
    )
