"""The training data as a set that other pictures are compared with."""

import numpy as np

from progan_tf.data import ShuffledOrder, check_resolution, kind_named
from progan_tf.data.order import mirror_flags, random_indices
from progan_tf.errors import UserError
from progan_tf.evaluation import statistics_cache
from progan_tf.images import box_down, nearest_up

# Of the order of the reals, which are mirrored, and the labels of fakes.
_SEED = 0
# Pictures that show that the data are what they were.
_PROBE = 16


class Reals:
    """The training data as a set to compare with.

    Args:
        source: `data.Source`.
        data: str, what it was opened from.
        resolution: int, at which pictures are compared.
        mirror: bool, mirror half of them.

    Raises:
        UserError: if the data cannot be had at that resolution.
    """

    def __init__(self, source, data, resolution, mirror=False):
        check_resolution(source, resolution)
        self.resolution = resolution
        # As runs keep it: the same folder from wherever it is looked at.
        self.data = kind_named(data).absolute(data)
        self.mirror = mirror
        self._source = source
        self._order = ShuffledOrder(len(source), _SEED)

    def __len__(self):
        return len(self._source)

    def batches(self, first, count):
        """Pictures number `first` and on; beyond the last they come again.

        Returns:
            Iterator of uint8 `[n, R, R, C]`.
        """
        for start, size in cut(first, count, batch_size(self.resolution)):
            indices = self._order.indices(start, size)
            images = self._source.images(indices, self.resolution)
            if self.mirror:
                flags = mirror_flags(_SEED, start, size)
                images[flags] = images[flags, :, ::-1]
            yield images

    def fake_labels(self, first, count):
        """Classes as frequent as in the data, for fakes number `first` and on.

        Returns:
            int64 `[count]`.
        """
        drawn = random_indices(_SEED, first, count, len(self))
        return self._source.labels(drawn)

    def place(self):
        """What the pictures were asked for as: dict that JSON can hold."""
        return {
            "data": self.data,
            "resolution": self.resolution,
            "channels": self._source.channels,
            "classes": self._source.num_classes,
            "mirror": self.mirror,
        }

    def fingerprint(self):
        """A str that changes with the pictures and the code of the metrics."""
        (probe,) = self.batches(0, min(_PROBE, len(self)))
        return " ".join(
            [
                kind_named(self.data).fingerprint(self.data),
                statistics_cache.digest_of(probe.tobytes()),
                statistics_cache.code_fingerprint(),
                str(len(self)),
            ]
        )


def batch_size(resolution):
    """How many pictures are looked at together: an int from 16 to 256."""
    return min(256, max(16, 2**14 // resolution))


def at_resolution(images, resolution):
    """Enlarges by repeating pixels, or shrinks by their mean.

    So the official code enlarges pictures of a network that is still growing.

    Args:
        images: uint8 `[N, r, r, C]`.
        resolution: int, R.

    Returns:
        uint8 `[N, R, R, C]`.

    Raises:
        UserError: if one size is no multiple of the other.
    """
    size = images.shape[1]
    if max(size, resolution) % min(size, resolution):
        raise UserError(
            f"cannot compare pictures of {size}x{size} at "
            f"{resolution}x{resolution}: no whole number of pixels becomes one"
        )
    if size <= resolution:
        return nearest_up(images, resolution // size)
    return np.rint(box_down(images, size // resolution)).astype("uint8")


def cut(first, count, size):
    """Iterator of (start, how many) over `count` pictures from `first` on."""
    for start in range(first, first + count, size):
        yield start, min(size, first + count - start)
