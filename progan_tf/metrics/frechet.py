"""Fréchet distance between sets of features (Heusel et al. 2017, equation 6).

Both sets are taken as Gaussians, of which the distance is known. In the
features of the Inception-2015 graph it is the FID, and only there.
"""

import numpy as np

from progan_tf.metrics.batches import (
    as_batches,
    check_count,
    check_same_space,
    regrouped,
)
from progan_tf.metrics.features import FeaturesMetric

# Rows that are summed up together, so that sums do not depend on the batches.
_GROUP = 1024


def frechet_distance(reals, fakes):
    """Squared Fréchet distance of two Gaussians (Dowson and Landau 1982).

    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))

    Args:
        reals: dict with "mean" `[D]` and "covariance" `[D, D]`, as
            `gaussian_statistics` gives them.
        fakes: likewise. The fewer pictures, the larger the distance; the FID
            is published with 50,000 pictures or 10,000.

    Returns:
        float, from 0, the best, up.

    Raises:
        UserError: if the features have other dimensions.
    """
    first, second = reals["mean"], fakes["mean"]
    check_same_space(first[np.newaxis], second[np.newaxis])
    # With S1 = F F', S1 S2 has the eigenvalues of F' S2 F, and zeros. Unlike
    # a root of the product those are real and stable, where there are fewer
    # pictures than dimensions, too.
    values, vectors = np.linalg.eigh(reals["covariance"])
    factor = vectors * _roots(values)
    product = factor.T @ fakes["covariance"] @ factor
    root = _roots(np.linalg.eigvalsh(product)).sum()
    traces = np.trace(reals["covariance"]) + np.trace(fakes["covariance"])
    distance = np.sum((first - second) ** 2) + traces - 2 * root
    # For equal sets, rounding leaves a little on either side of 0.
    return max(float(distance), 0.0)


def gaussian_statistics(vectors):
    """Mean and covariance of features, in one pass.

    Args:
        vectors: float `[N, D]` or an iterable of batches of those, N >= 2.

    Returns:
        dict of float64: "count" `[]`, "mean" `[D]` and "covariance" `[D, D]`,
        divided by N - 1 like `np.cov`.

    Raises:
        UserError: for fewer than two.
    """
    count, offset, total, products = 0, None, 0.0, 0.0
    for group in regrouped(as_batches(vectors), _GROUP):
        group = group.astype("float64")
        if offset is None:
            # Near the mean, so that the difference below keeps its digits.
            offset = group.mean(axis=0)
        group -= offset
        count += len(group)
        total = total + group.sum(axis=0)
        products = products + group.T @ group
    check_count("Fréchet distance", count, 2)
    mean = total / count
    covariance = (products - count * np.outer(mean, mean)) / (count - 1)
    return {
        "count": np.float64(count),
        "mean": mean + offset,
        "covariance": covariance,
    }


def _roots(eigenvalues):
    """Square roots; what rounding left a little below 0 counts as 0."""
    return np.sqrt(np.maximum(eigenvalues, 0))


def _keep_gaussian(collected, steps):
    """A Gaussian takes much less space than the vectors."""
    return gaussian_statistics(collected.vectors())


def _values(reals, fakes, features, steps):
    # By other networks it must not be called the FID.
    name = "fid" if features.is_inception_2015 else "frechet_distance"
    return {name: frechet_distance(reals, fakes)}


FRECHET = FeaturesMetric(
    name="frechet",
    title="Fréchet distance (lower is better)",
    keep=_keep_gaussian,
    values=_values,
    logarithmic=True,
)
