"""Nearest neighbours of generated pictures in the training data.

A generator that has learnt pictures by heart gives itself away by neighbours
that are its pictures.
"""

import hashlib
import itertools
import math
from typing import NamedTuple

import numpy as np

from progan_tf.images import box_down, make_grid
from progan_tf.metrics import batches
from progan_tf.metrics.batches import check_count
from progan_tf.metrics.manifold import squared_distances

# Reals that are compared together, so that results do not depend on batches.
_GROUP = 64
# Pixels are compared at this size at most: in larger pictures the fine noise,
# which no two photographs share, would be most of the distance.
_LARGEST = 64


class Neighbours(NamedTuple):
    """The k nearest of each of N pictures, the nearest first.

    Distances are the root mean square of the differences of pixels, from 0 to
    255, or the Euclidean distance of features.
    """

    indices: np.ndarray  # int64 [N, k], places among the reals, from 0.
    distances: np.ndarray  # float64 [N, k].
    images: np.ndarray  # uint8 [n, k, R, R, C], of the first n of the N.
    vectors: np.ndarray  # float32 [N, k, d], what was compared.


def nearest_neighbours(samples, reals, count=3, features=None, shown=None):
    """Find the reals that are most like some pictures, in one pass.

    Args:
        samples: uint8 `[N, R, R, C]`.
        reals: uint8 `[M, R, R, C]` or an iterable of batches of those.
        count: int, k, neighbours a sample.
        features: `Features` in whose space they are compared; by default
            pixels are, of both shrunk to 64x64 where they are larger.
        shown: int, of how many samples, the first, the images of neighbours
            are kept, which take memory; by default of all.

    Returns:
        `Neighbours`. Of equally near ones the first come.

    Raises:
        UserError: for other pictures, or fewer reals than k.
    """
    batches.check_images(samples)
    check_count("nearest neighbours of samples", len(samples), 1)
    # The samples lead, so that reals of another shape are found out.
    both = itertools.chain([samples], batches.as_batches(reals))
    checked = batches.checked_batches(both)
    next(checked)
    own = (features or _pixels)(samples)
    shown = len(samples) if shown is None else shown
    return _nearest(own, checked, count, features, shown)


def memorised(found, reals, features=None, copies=1):
    """Which pictures are nearer to a real than any other real is to that.

    Of pictures that are new, as held-out ones are, some are by chance; of
    those that were learnt by heart nearly all. Equal reals are one picture.

    Args:
        found: `Neighbours` of the pictures among the reals.
        reals: the same reals once more: uint8 `[M, R, R, C]` or an iterable of
            batches of those.
        features: as in `nearest_neighbours`.
        copies: int, how many reals in a row are one picture, which comes with
            its mirror image for example.

    Returns:
        bool `[N]`.

    Raises:
        UserError: if no other picture is among the reals.
    """
    # Several pictures may have the same neighbour.
    _, first, places = np.unique(
        found.indices[:, 0], return_index=True, return_inverse=True
    )
    nearest, different = found.vectors[first, 0], _different(reals, copies)
    around = _nearest(nearest, different, copies + 1, features, 0)
    # The first is the picture itself.
    own = around.indices // copies == around.indices[:, :1] // copies
    apart = np.where(own, np.inf, around.distances).min(1)
    return found.distances[:, 0] < apart[places]


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


def _nearest(own, reals, count, features, shown):
    """`nearest_neighbours` of vectors `[N, d]` among batches of reals."""
    found, total = [[] for _ in own], 0
    for group in batches.regrouped(reals, _GROUP):
        vectors = (features or _pixels)(group)
        numbers = range(total, total + len(group))
        squares = squared_distances(own, vectors)  # [Nn]
        for number, row in enumerate(squares):
            images = group if number < shown else None
            _keep_nearest(found[number], count, row, numbers, vectors, images)
        total += len(group)
    check_count("nearest neighbours", total, count)
    *parts, images = zip(*map(_in_order, own, found), strict=True)
    indices, distances, vectors = map(np.stack, parts)
    if not features:
        distances /= math.sqrt(own.shape[1])
    images = np.array(images[:shown], "uint8")
    return Neighbours(indices, distances, images, vectors)


def _different(reals, copies):
    """Iterator of reals, `copies` at a time, without those that come again.

    A file that lies twice among the data would be as near as can be to itself.
    """
    known = set()
    for group in batches.regrouped(batches.as_batches(reals), copies):
        hashes = [hashlib.blake2b(x.tobytes(), digest_size=16) for x in group]
        digests = {each.digest() for each in hashes}
        if known.isdisjoint(digests):
            yield group
        known |= digests


def _keep_nearest(found, count, squares, indices, vectors, images):
    """Add reals to those that were found for a sample, and keep the nearest.

    They are n, with squared distances `[n]`, and images or None. Of equally
    near ones the first stay in front, as the order of NumPy and that of Python
    are stable.
    """
    for i in np.argsort(squares, kind="stable")[:count]:
        # Copies: a part of an array keeps all of it in memory.
        image = None if images is None else images[i].copy()
        found.append((squares[i], indices[i], vectors[i].copy(), image))
    found.sort(key=lambda entry: entry[0])
    del found[count:]


def _in_order(sample, found):
    """Indices, distances, vectors and images of what was found for a sample."""
    _, indices, vectors, images = zip(*found, strict=True)
    vectors = np.stack(vectors)
    # Anew, from differences: those of equal vectors are exactly 0.
    lengths = np.linalg.norm(vectors - sample.astype("float64"), axis=1)
    order = np.argsort(lengths, kind="stable")
    arrays = np.array(indices, "int64"), lengths, vectors
    return *(array[order] for array in arrays), [images[i] for i in order]


def _pixels(images):
    """uint8 `[N, R, R, C]` to float32 `[N, r * r * C]`, r at most 64 or so."""
    resolution = images.shape[1]
    factors = range(max(1, resolution // _LARGEST), 0, -1)
    factor = next(f for f in factors if resolution % f == 0)
    return box_down(images, factor).reshape(len(images), -1)
