"""Sliced Wasserstein distance of patches (Karras et al. 2018, section 5).

Both sets of pictures become Laplacian pyramids, from which patches of 7x7
pixels are cut at random places. At each size the distance is the mean, over
random directions, of the Wasserstein distance between the two sets of patches
projected on the direction: of sorted numbers, the mean difference.
"""

import contextlib
import math
import tempfile
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from progan_tf.files import writing
from progan_tf.metrics.batches import (
    as_batches,
    as_rgb,
    by_groups,
    check_count,
    check_images,
    expect,
)
from progan_tf.metrics.laplacian import laplacian_pyramid
from progan_tf.metrics.metric import Metric
from progan_tf.metrics.projections import PATCH, run_edges, sorted_projections

_SMALLEST = 16  # Where the pyramid ends.
_PATCHES = 128  # From each picture, at each size.
# Words in seeds that keep the uses of randomness apart.
_PLACES, _DIRECTIONS = 1, 2


class SlicedDistance(NamedTuple):
    """Distances times 1000, as they are published; 0 is the best."""

    levels: dict  # From the size of a level to float, the largest first, to 16.
    average: float  # Their mean.


def sliced_wasserstein(reals, fakes, seed=0, progress=iter):
    """Distance of two sets of pictures, without any network.

    Args:
        reals: uint8 `[N, R, R, C]`, or an iterable of batches of those; R is
            a power of two from 16 up, C 1 or 3.
        fakes: likewise, as many. The official number is 16384; fewer give a
            larger distance, as there is more noise.
        seed: int, of patches and directions.
        progress: function that gives back an iterable of the levels, once for
            either set, such as `tqdm.tqdm`.

    Returns:
        `SlicedDistance`.

    Raises:
        UserError: for other pictures, or sets that do not go together.
    """
    statistics, resolution = [], None
    for stream, images in enumerate((reals, fakes)):
        with SlicedStatistics(seed, stream, resolution) as accumulator:
            for batch in as_batches(images):
                accumulator.add(batch)
            statistics.append(accumulator.result(progress))
        resolution = int(statistics[0]["resolution"])
    return sliced_distance(*statistics)


def sliced_distance(reals, fakes):
    """Distance of two sets from what `SlicedStatistics.result` gives.

    Raises:
        UserError: if resolution, number of pictures or seed differ.
    """
    for name in ("resolution", "images", "seed"):
        sets = f"sets of the same {name} for the sliced Wasserstein distance"
        received = f"{reals[name]} and {fakes[name]}"
        expect(reals[name] == fakes[name], sets, received)
    levels = {}
    edges = run_edges(int(reals["images"]) * _PATCHES)
    weights = np.diff(edges) / edges[-1]
    for size in _sizes(int(reals["resolution"])):
        name = f"quantiles_{size}"
        difference = np.abs(reals[name] - fakes[name], dtype="float64")
        levels[size] = 1e3 * float(np.mean(difference @ weights))
    return SlicedDistance(levels, float(np.mean([*levels.values()])))


class SlicedStatistics(contextlib.AbstractContextManager):
    """What one set of pictures leaves for `sliced_distance`.

    The patches wait in temporary files (in the folder TMPDIR), 37.6 kB a
    picture and level, until all are there: only then is it known how to
    normalize them. Use it as a context manager, or call `close`, so that the
    files go away.

    Args:
        seed: int, of patches and directions.
        stream: int, 0 for reals and 1 for fakes. Their patches must lie at
            different places, or a set would be at distance 0 from itself.
        resolution: int, R of the pictures; by default that of the first.

    Raises:
        UserError: for a resolution that is no power of two from 16 up.
    """

    def __init__(self, seed=0, stream=0, resolution=None):
        self._seed, self._stream = seed, stream
        self._images = 0
        self._files = {}
        self._resolution = None
        if resolution is not None:
            self._open(resolution)

    def add(self, images):
        """Take in uint8 `[n, R, R, C]`, C being 1 or 3.

        Raises UserError for others, or if the temporary files get no space.
        """
        check_images(images, self._resolution)
        if self._resolution is None:
            self._open(images.shape[1])
        numbers = range(self._images, self._images + len(images))
        self._images += len(images)
        rows = numbers, images
        for patches in by_groups(self._patches, self._resolution, *rows):
            for file, level in zip(self._files.values(), patches, strict=True):
                with writing(tempfile.gettempdir()):
                    file.write(level.data)

    def result(self, progress=iter):
        """Sort everything out.

        Progress gives back an iterable of the levels, such as `tqdm.tqdm`.

        Returns a dict of arrays, for `sliced_distance` and `np.savez`:
        "resolution", "images", "seed", and for each size r of the pyramid
        "quantiles_r", float32 `[512, 4096 or fewer]`. Raises UserError if there
        was no picture.
        """
        check_count("sliced Wasserstein distance", self._images, 1)
        facts = {"resolution": self._resolution, "images": self._images}
        facts["seed"] = self._seed
        statistics = {name: np.array(fact) for name, fact in facts.items()}
        for size in progress(_sizes(self._resolution)):
            file, count = self._files[size], self._images * _PATCHES
            with writing(tempfile.gettempdir()):
                file.flush()
            random = _random(self._seed, size, _DIRECTIONS)
            quantiles = sorted_projections(file, count, random)
            statistics[f"quantiles_{size}"] = quantiles
        return statistics

    def close(self):
        """Remove the temporary files."""
        for file in self._files.values():
            # Closing writes what is buffered, and the disk may be full.
            with contextlib.suppress(OSError):
                file.close()

    def __exit__(self, *exception):
        self.close()

    def _open(self, resolution):
        expect(
            resolution >= _SMALLEST and resolution.bit_count() == 1,
            f"pictures of a power of two from {_SMALLEST}x{_SMALLEST} up for "
            "the sliced Wasserstein distance",
            f"{resolution}x{resolution}",
        )
        self._resolution = resolution
        with writing(tempfile.gettempdir()):
            for size in _sizes(resolution):
                self._files[size] = tempfile.TemporaryFile()

    def _patches(self, numbers, images):
        """The patches of numbered pictures, for each size of the pyramid.

        list of float16 `[n, 128, 3, 7, 7]`. Rounding pixels to 11 bits changes
        a distance by less than a ten-thousandth.
        """
        planes = np.moveaxis(as_rgb(images), -1, 1).astype("float32")  # [NCRR]
        places = [self._places(number) for number in numbers]
        pictures = np.arange(len(images))[:, np.newaxis]  # [N1]
        patches = []
        for level, plane in enumerate(laplacian_pyramid(planes, _SMALLEST)):
            tops, lefts = np.stack([place[level] for place in places], axis=1)
            window = (PATCH, PATCH)
            windows = sliding_window_view(plane, window, (2, 3))  # [NCYX77]
            cut = windows[pictures, :, tops, lefts]  # [NPC77]
            patches.append(cut.astype("float16", order="C"))
        return patches

    def _places(self, index):
        """Where picture number `index` is cut: list of int `[2, 128]`."""
        random = _random(self._seed, _PLACES, self._stream, index)
        return [
            random.integers(0, size - PATCH + 1, (2, _PATCHES))
            for size in _sizes(self._resolution)
        ]


def _random(*words):
    """Randomness from whole numbers alone, by a generator that is named."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


def _sizes(resolution):
    """Sizes of the levels, from the full resolution down."""
    levels = int(math.log2(resolution // _SMALLEST)) + 1
    return [resolution >> level for level in range(levels)]


def _values(reals, fakes, features, steps):
    distance = sliced_distance(reals, fakes)
    values = {f"swd_{size}": x for size, x in distance.levels.items()}
    return {**values, "swd_avg": distance.average}


SWD = Metric(
    name="swd",
    title="sliced Wasserstein distance, x 1000 (lower is better)",
    images=16_384,
    collect=lambda size, stream, _: SlicedStatistics(0, stream, size),
    keep=SlicedStatistics.result,
    values=_values,
    # As in the official code: patches are cut at other places each time.
    repeats=True,
    # Distances fall by orders of magnitude while a run grows.
    logarithmic=True,
    has_parts=True,
)
