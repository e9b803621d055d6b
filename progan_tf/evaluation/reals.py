"""The training data as a set that other pictures are compared with."""

import numpy as np

from progan_tf.data import ShuffledOrder, check_resolution, kind_named
from progan_tf.data.order import mirror_flags, random_indices
from progan_tf.errors import UserError
from progan_tf.evaluation.statistics_cache import code_fingerprint, digest_of
from progan_tf.images import box_down, nearest_up

# Of the order of the reals, which are mirrored, and the labels of fakes.
_SEED = 0
# Pictures that show that the data are what they were.
_PROBE = 16


class Reals:
    """A `data.Source` as a set to compare with, at a resolution.

    `data` is what the source was opened from; with `mirror` half of the
    pictures are mirrored. Raises UserError if the data cannot be had at that
    resolution.
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
        """Iterator of uint8 `[n, R, R, C]`: pictures number `first` and on.

        Beyond the last they come again.
        """
        for start, size in spans(first, count, batch_size(self.resolution)):
            indices = self._order.indices(start, size)
            images = self._source.images(indices, self.resolution)
            if self.mirror:
                flags = mirror_flags(_SEED, start, size)
                images[flags] = images[flags, :, ::-1]
            yield images

    def fake_labels(self, first, count):
        """int64 `[count]`, for fakes number `first` and on.

        Classes are as frequent as in the data.
        """
        drawn = random_indices(_SEED, first, count, len(self))
        return self._source.labels(drawn)

    def cache_key(self):
        """What a key of the `StatisticsCache` says of them: dict for JSON."""
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
        of_data = kind_named(self.data).fingerprint(self.data)
        pixels, code = digest_of(probe.tobytes()), code_fingerprint()
        return f"{of_data} {pixels} {code} {len(self)}"


def batch_size(resolution):
    """How many pictures are looked at together: an int from 16 to 256."""
    return min(256, max(16, 2**14 // resolution))


def at_resolution(images, resolution):
    """uint8 `[N, r, r, C]` to `[N, R, R, C]`, by repeated or averaged pixels.

    So the official code enlarges pictures of a network that is still growing.
    Raises UserError if one size is no multiple of the other.
    """
    size = images.shape[1]
    if max(size, resolution) % min(size, resolution):
        raise UserError(
            f"cannot compare pictures of {size}x{size} at "
            f"{resolution}x{resolution}: neither size is a multiple of the "
            "other"
        )
    if size <= resolution:
        return nearest_up(images, resolution // size)
    return np.rint(box_down(images, size // resolution)).astype("uint8")


def spans(first, count, size):
    """Iterator of (start, how many) over `count` pictures from `first` on."""
    for start in range(first, first + count, size):
        yield start, min(size, first + count - start)
