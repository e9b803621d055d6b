"""Sources whose pictures must be decoded, and are kept while they fit."""

import abc
import collections
import concurrent.futures
import os
import threading
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from progan_tf.data.pyramid import shrink
from progan_tf.data.source import Source, check_resolution
from progan_tf.data.unreadable import Unreadable
from progan_tf.errors import UserError

# Memory for decoded pictures, unless a source is told otherwise.
CACHE_BYTES = 1 << 30
# Lower resolutions are made of this one, so that growing up to it decodes each
# picture once. Decoding takes about as long for any of them.
_SHARED = 64
# Pictures that are shrunk together, which bounds the memory that this takes.
_TOGETHER = 256


class _Cache(NamedTuple):
    """The pictures decoded so far at one resolution."""

    pixels: np.ndarray  # uint8 [N, R, R, C]
    filled: np.ndarray  # bool [N]


class DecodingSource(Source):
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
        unreadable: counts what cannot be decoded, and says when it is too
            much.
        cache_bytes: memory for decoded pictures.

    Attributes:
        unreadable: pictures found so far that could not be read.
    """

    def __init__(
        self,
        name: str,
        resolution: int,
        limit: str,
        channels: int,
        class_names: tuple[str, ...],
        unreadable: Unreadable,
        cache_bytes: int = CACHE_BYTES,
        labels: np.ndarray | None = None,
    ):
        super().__init__(name, resolution, limit, channels, class_names, labels)
        # Pillow decodes without holding Python's lock.
        self._pool = concurrent.futures.ThreadPoolExecutor(
            max_workers=os.cpu_count(), thread_name_prefix="progan_tf-decode"
        )
        self._log = unreadable
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

    @abc.abstractmethod
    def _picture_name(self, index: int) -> str:
        """Returns what messages call a picture."""

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
