"""Kernel distance between sets of features (KID, Binkowski et al. 2018)."""

import numpy as np

from progan_tf.metrics.batches import check_count, check_same_space
from progan_tf.metrics.features import FeaturesMetric
from progan_tf.metrics.metric import MeanAndDeviation


def kernel_distance(
    reals, fakes, seed=0, subsets=100, subset_size=1000, progress=iter
):
    """Squared maximum mean discrepancy with the kernel (x'y / D + 1)^3.

    Unlike the Fréchet distance its expectation does not depend on the number
    of pictures, so that few will do.

    Args:
        reals: float `[N, D]`, features.
        fakes: float `[M, D]`.
        seed: int, of the subsets.
        subsets: int.
        subset_size: int, the most pictures of either set in a subset, drawn
            without replacement.
        progress: function that gives back an iterable of the subsets, such
            as `tqdm.tqdm`.

    Returns:
        `MeanAndDeviation` over the subsets: floats `mean`, near 0 on either
        side for sets of one kind, and `deviation`, None for sets so small that
        there is one subset. Published numbers are often 1000 times the mean.

    Raises:
        UserError: for fewer than two pictures, or features of two networks.
    """
    check_same_space(reals, fakes)
    size = min(len(reals), len(fakes), subset_size)
    check_count("kernel distance", size, 2)
    random = np.random.Generator(np.random.PCG64(seed))
    if size == len(reals) == len(fakes):
        subsets = 1  # All would be the same.
    distances = []
    for _ in progress(range(subsets)):
        x, y = (
            np.asarray(rows[random.choice(len(rows), size, replace=False)])
            for rows in (reals, fakes)
        )
        # Without the diagonals, pictures paired with themselves, the estimate
        # is unbiased.
        pairs = size * (size - 1)
        same = sum(
            kernel.sum() - np.trace(kernel)
            for kernel in (_kernel(x, x), _kernel(y, y))
        )
        other = _kernel(x, y).mean()
        distances.append(same / pairs - 2 * other)
    deviation = float(np.std(distances)) if subsets > 1 else None
    return MeanAndDeviation(float(np.mean(distances)), deviation)


def _kernel(x, y):
    """Features `[N, D]` and `[M, D]` to float64 `[N, M]`.

    The distance is a small difference of large numbers, for which float32 has
    too few digits where features lie far from 0.
    """
    x, y = x.astype("float64"), y.astype("float64")
    return (x @ y.T / x.shape[1] + 1) ** 3


def _values(reals, fakes, features, steps):
    sets = reals["vectors"], fakes["vectors"]
    return kernel_distance(*sets, progress=steps).values("kid")


KID = FeaturesMetric(
    name="kid", title="kernel distance (lower is better)", values=_values
)
