"""Nearest neighbours of generated pictures in the training data.

A generator that has learnt pictures by heart gives itself away by neighbours
that are its pictures.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np

from progan_tf.images import box_down, make_grid
from progan_tf.metrics.batches import (
    as_batches,
    check_count,
    check_images,
    checked_batches,
    regrouped,
)
from progan_tf.metrics.manifold import squared_distances

# Reals that are compared together, so that results do not depend on batches.
_GROUP = 64
# Pixels are compared at this size at most: in larger pictures the fine noise,
# which no two photographs share, would be most of the distance.
_LARGEST = 64


class Neighbours(NamedTuple):
    """The k nearest of each of N pictures, the nearest first.

    Attributes:
        indices: int64 `[N, k]`, places among the reals, from 0.
        distances: float64 `[N, k]`: the root mean square of the differences
            of pixels, from 0 to 255, or the Euclidean distance of features.
        images: uint8 `[N, k, R, R, C]`.
    """

    indices: np.ndarray
    distances: np.ndarray
    images: np.ndarray


def nearest_neighbours(samples, reals, count=3, features=None):
    """Find the reals that are most like some pictures, in one pass.

    Args:
        samples: uint8 `[N, R, R, C]`.
        reals: uint8 `[M, R, R, C]` or an iterable of batches of those.
        count: int, k, neighbours a sample.
        features: `Features` in whose space they are compared; by default
            pixels are, of both shrunk to 64x64 where they are larger.

    Returns:
        `Neighbours`. Of equally near ones the first come.

    Raises:
        UserError: for other pictures, or fewer reals than k.
    """
    check_images(samples)
    check_count("nearest neighbours of samples", len(samples), 1)
    vectors = features or _pixels
    nearest, total = _Nearest(vectors(samples), count), 0
    # The samples lead, so that reals of another shape are found out.
    checked = checked_batches(itertools.chain([samples], as_batches(reals)))
    next(checked)
    for group in regrouped(checked, _GROUP):
        nearest.look_at(total, group, vectors(group))
        total += len(group)
    check_count("nearest neighbours", total, count)
    indices, distances, images = nearest.result()
    if not features:
        distances /= math.sqrt(vectors(samples).shape[1])
    return Neighbours(indices, distances, images)


def neighbours_grid(samples, found):
    """A picture of samples in a row, over their neighbours.

    Args:
        samples: uint8 `[N, R, R, C]`.
        found: their `Neighbours`.

    Returns:
        uint8 `[(1 + k) R, N R, C]`: under the samples are the nearest, under
        those the next.
    """
    rows = np.moveaxis(found.images, 1, 0)  # [KNRRC]
    return make_grid(np.concatenate([samples, *rows]), len(samples))


class _Nearest:
    """The reals that are nearest so far.

    Args:
        vectors: float32 `[N, D]`, of the samples.
        count: int, neighbours of each.
    """

    def __init__(self, vectors, count):
        self._samples = vectors
        self._count = count
        # For each sample, sorted: (squared distance, index, vector, image).
        self._found = [[] for _ in vectors]

    def look_at(self, first, images, vectors):
        """Compare with the reals number `first` and on.

        Args:
            first: int.
            images: uint8 `[n, R, R, C]`.
            vectors: float32 `[n, D]`.
        """
        squares = squared_distances(self._samples, vectors)  # [Nn]
        for found, row in zip(self._found, squares, strict=True):
            # The stable order leaves the first of equally near ones in front,
            # as does that of Python.
            for i in np.argsort(row, kind="stable")[: self._count]:
                if len(found) < self._count or row[i] < found[-1][0]:
                    # Copies: a part of an array keeps all of it in memory.
                    new = row[i], first + i, vectors[i].copy(), images[i].copy()
                    found.append(new)
                    found.sort(key=lambda entry: entry[0])
                    del found[self._count :]

    def result(self):
        """Returns the arrays of `Neighbours`, with Euclidean distances."""
        indices, distances, images = [], [], []
        for sample, found in zip(self._samples, self._found, strict=True):
            _, places, vectors, pictures = zip(*found, strict=True)
            # Anew, from differences: those of equal vectors are exactly 0.
            own = sample.astype("float64")
            lengths = np.linalg.norm(np.stack(vectors) - own, axis=1)
            order = np.argsort(lengths, kind="stable")
            indices.append(np.array(places, "int64")[order])
            distances.append(lengths[order])
            images.append(np.stack(pictures)[order])
        return np.stack(indices), np.stack(distances), np.stack(images)


def _pixels(images):
    """uint8 `[N, R, R, C]` to float32 `[N, r * r * C]`, r at most 64 or so."""
    resolution = images.shape[1]
    factors = range(max(1, resolution // _LARGEST), 0, -1)
    factor = next(f for f in factors if resolution % f == 0)
    return box_down(images, factor).reshape(len(images), -1)
