"""Fréchet distance: against closed forms and SciPy."""

import warnings

import numpy as np
import pytest
from scipy import linalg

from progan_tf.errors import UserError
from progan_tf.metrics import frechet_distance, gaussian_statistics


def gaussian(mean, covariance):
    return {"mean": np.array(mean), "covariance": np.array(covariance)}


def features(seed, n, dimension, scale=1.0):
    """Correlated features with a mean, float32."""
    random = np.random.RandomState(seed)
    mixed = random.normal(size=(dimension, dimension)) * scale
    rows = random.normal(size=(n, dimension)) @ mixed + random.normal()
    return rows.astype("float32")


def reference(a, b):
    """The distance as the original code has it."""
    covariances = [np.cov(x.astype("float64"), rowvar=False) for x in (a, b)]
    with warnings.catch_warnings():
        # Of singular products, which is what is wanted here.
        warnings.simplefilter("ignore", linalg.LinAlgWarning)
        root = linalg.sqrtm(covariances[0] @ covariances[1])
    difference = a.mean(0, dtype="float64") - b.mean(0, dtype="float64")
    return difference @ difference + np.trace(sum(covariances) - 2 * root.real)


def test_one_dimension():
    # (1 - 4)^2 + (3 - 2)^2.
    distance = frechet_distance(gaussian([1], [[9]]), gaussian([4], [[4]]))
    assert distance == pytest.approx(10)


def test_covariances_that_commute():
    # Turned alike: the distance is that of the deviations along the axes.
    turn, _ = np.linalg.qr(np.random.RandomState(0).normal(size=(5, 5)))
    first, second = np.array([4, 1, 9, 0, 1]), np.array([1, 1, 4, 16, 0])
    distance = frechet_distance(
        gaussian(np.zeros(5), turn * first @ turn.T),
        gaussian(np.full(5, 2), turn * second @ turn.T),
    )
    expected = 5 * 4 + np.sum((np.sqrt(first) - np.sqrt(second)) ** 2)
    assert distance == pytest.approx(expected)


def test_two_by_two():
    # tr sqrt(M) of a 2x2 matrix is sqrt(tr M + 2 sqrt(det M)).
    first, second = np.array([[2, 1], [1, 3]]), np.array([[5, -2], [-2, 1]])
    product = first @ second
    root = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    distance = frechet_distance(
        gaussian([0, 0], first), gaussian([0, 0], second)
    )
    assert distance == pytest.approx(2 + 3 + 5 + 1 - 2 * root)


# The last two have fewer images than dimensions, of which there are fewer
# on either side.
@pytest.mark.parametrize("n, m", [(400, 300), (20, 400), (30, 20)])
def test_it_is_that_of_scipy(n, m):
    a, b = features(0, n, 50), features(1, m, 50, scale=1.3)
    statistics = [gaussian_statistics(x) for x in (a, b)]
    distance = frechet_distance(*statistics)
    assert distance == pytest.approx(reference(a, b), rel=1e-6)
    assert frechet_distance(*statistics[::-1]) == pytest.approx(distance)


@pytest.mark.parametrize("n", [10, 400])
def test_a_set_is_at_0_from_itself(n):
    statistics = gaussian_statistics(features(0, n, 50))
    distance = frechet_distance(statistics, statistics)
    assert 0 <= distance < 1e-7 * np.trace(statistics["covariance"])


def test_statistics_are_those_of_numpy(monkeypatch):
    # Far from 0, where sums of squares would lose their digits.
    rows = features(0, 2500, 8) + np.float32(1000)
    whole = gaussian_statistics(rows)
    exact = rows.astype("float64")
    np.testing.assert_allclose(whole["mean"], exact.mean(0), rtol=1e-12)
    np.testing.assert_allclose(
        whole["covariance"], np.cov(exact, rowvar=False), rtol=1e-9
    )
    assert whole["count"] == 2500
    for cuts in ([1], [7, 1024, 1025], range(100, 2500, 100)):
        parts = gaussian_statistics(iter(np.split(rows, cuts)))
        for name, array in whole.items():
            np.testing.assert_array_equal(parts[name], array)


def test_mistakes():
    few = features(0, 1, 8)
    with pytest.raises(UserError, match="at least 2 pictures .* received 1"):
        gaussian_statistics(few)
    with pytest.raises(UserError, match="at least 2 pictures .* received 0"):
        gaussian_statistics([])
    a, b = (gaussian_statistics(features(0, 9, d)) for d in (4, 5))
    with pytest.raises(UserError, match="features .* of one network"):
        frechet_distance(a, b)
