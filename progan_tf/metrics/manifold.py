"""Improved precision and recall (Kynkäänniemi et al. 2019).

A set of features stands for a region: that of the balls around them, each of
which just reaches the third nearest other one of the set.
"""

from typing import NamedTuple

import numpy as np

from progan_tf.metrics.batches import check_count, check_same_space
from progan_tf.metrics.features import FeaturesMetric

# Rows whose distances to all others are looked at together.
_ROWS = 512


class PrecisionRecall(NamedTuple):
    """Two shares, both 1 at best."""

    precision: float  # Of fakes among reals: how good the pictures are.
    recall: float  # Of reals among fakes: how much of the data is covered.


def precision_recall(reals, fakes, neighbours=3, progress=iter):
    """Shares of each set that lie in the other's region.

    Args:
        reals: float `[N, D]`, features.
        fakes: float `[M, D]`. Published numbers are of 50,000 of either; they
            depend on how many there are.
        neighbours: int, the k of the k-th nearest neighbour.
        progress: function that gives back an iterable of the blocks of rows,
            once for each of four passes, such as `tqdm.tqdm`.

    Returns:
        `PrecisionRecall`.

    Raises:
        UserError: for too few pictures, or features of two networks.
    """
    check_same_space(reals, fakes)
    for rows in (reals, fakes):
        check_count("precision and recall", len(rows), neighbours + 1)
    # Distances stay the same, and their differences keep more digits.
    middle = np.mean(reals, axis=0, dtype="float64")
    reals, fakes = (np.asarray(x - middle, "float32") for x in (reals, fakes))
    return PrecisionRecall(
        _share_within(fakes, reals, neighbours, progress),
        _share_within(reals, fakes, neighbours, progress),
    )


def _share_within(points, centres, neighbours, progress):
    """Share of points in a ball around any centre, a float."""
    radii = np.empty(len(centres), "float32")  # Squared, like distances.
    for start in progress(range(0, len(centres), _ROWS)):
        squares = squared_distances(centres[start : start + _ROWS], centres)
        rows = np.arange(len(squares))
        squares[rows, start + rows] = np.inf  # None is its own neighbour.
        nearest = np.partition(squares, neighbours - 1, axis=1)
        radii[start : start + _ROWS] = nearest[:, neighbours - 1]
    within = 0
    for start in progress(range(0, len(points), _ROWS)):
        squares = squared_distances(points[start : start + _ROWS], centres)
        within += int(np.any(squares <= radii, axis=1).sum())
    return within / len(points)


def squared_distances(x, y):
    """Squared Euclidean distances of rows, `[N, D]` and `[M, D]` to `[N, M]`.

    Between equal rows, rounding leaves a few millionths of their squared length
    at most.
    """
    squares = x @ y.T
    squares *= -2
    squares += np.sum(x * x, axis=1)[:, np.newaxis]
    squares += np.sum(y * y, axis=1)
    return np.maximum(squares, 0, out=squares)


def _values(reals, fakes, features, steps):
    sets = reals["vectors"], fakes["vectors"]
    return precision_recall(*sets, progress=steps)._asdict()


PRECISION_RECALL = FeaturesMetric(
    name="precision_recall",
    title="precision and recall (higher is better)",
    values=_values,
)
