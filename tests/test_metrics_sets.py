"""Kernel distance, precision and recall, and the inception score."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance

from progan_tf.errors import UserError
from progan_tf.metrics import (
    inception_score,
    kernel_distance,
    manifold,
    precision_recall,
)


def normal(seed, *shape):
    rows = np.random.RandomState(seed).normal(size=shape)
    return rows.astype("float32")


def test_the_kernel_distance_is_the_definition():
    a, b = normal(0, 9, 4), normal(1, 9, 4) + 0.5
    total = 0.0
    for i in range(9):
        for j in range(9):
            if i != j:
                for one, other in ((a[i], a[j]), (b[i], b[j])):
                    total += (one @ other / 4 + 1) ** 3 / (9 * 8)
            total -= 2 * (a[i] @ b[j] / 4 + 1) ** 3 / 81
    # Each subset would be the whole set, so there is one and no deviation.
    seen = []
    found = kernel_distance(a, b, progress=lambda x: seen.append(len(x)) or x)
    assert found.mean == pytest.approx(total, rel=1e-6)
    assert (found.deviation, seen) == (None, [1])


def test_the_kernel_distance_far_from_zero():
    # Where float32 products have too few digits: 2,508 for 2,760 here.
    random = np.random.default_rng(0)
    a, b = (random.random((400, 512), "float32") + 100 for _ in range(2))
    x, y = a.astype("longdouble"), b.astype("longdouble")

    def kernel(x, y):
        return (x @ y.T / 512 + 1) ** 3

    same = sum(k.sum() - np.trace(k) for k in (kernel(x, x), kernel(y, y)))
    expected = float(same / (400 * 399) - 2 * kernel(x, y).mean())
    assert kernel_distance(a, b).mean == pytest.approx(expected, rel=1e-3)


def test_the_kernel_distance_is_without_bias():
    # 0 is expected of sets of one kind, however few.
    distances = [
        kernel_distance(normal(2 * i, 20, 4), normal(2 * i + 1, 20, 4)).mean
        for i in range(100)
    ]
    error = np.std(distances) / 10
    assert abs(np.mean(distances)) < 3 * error
    # What their difference in the mean makes is much more.
    shifted = kernel_distance(normal(0, 20, 4), normal(1, 20, 4) + 1).mean
    assert shifted > 30 * error


def test_the_kernel_distance_of_subsets():
    a, b = normal(0, 300, 8), normal(1, 200, 8) + 0.3
    seen = []
    found = kernel_distance(a, b, 1, 50, 40, lambda x: seen.append(len(x)) or x)
    assert seen == [50]
    assert found == kernel_distance(a, b, 1, 50, 40)
    assert found != kernel_distance(a, b, 2, 50, 40)
    whole = kernel_distance(a, b)
    error = found.deviation / math.sqrt(50)
    assert abs(found.mean - whole.mean) < 4 * error
    assert found.deviation > 2 * whole.deviation


def test_precision_and_recall_on_a_line():
    # To the nearest other one it is 1, 1, 1, 3.2 and 4.8; so -1.5 is out.
    reals = np.array([[0], [1], [2], [5.2], [10]], "float32")
    # Here always 0.5; so only 5.2 is in.
    fakes = np.array([[-1], [-1.5], [5], [5.5]], "float32")
    found = precision_recall(reals, fakes, neighbours=1)
    assert found == (3 / 4, 1 / 5)


def test_precision_and_recall_are_the_definition(monkeypatch):
    monkeypatch.setattr(manifold, "_ROWS", 7)
    # Far from 0, where squared distances would lose their digits.
    a, b = normal(0, 50, 3) + 1000, normal(1, 40, 3) * 2 + 1000
    found = precision_recall(a, b, neighbours=2)

    def share(points, centres):
        between = distance.cdist(centres, centres)
        radii = np.sort(between, axis=1)[:, 2]  # The first is itself.
        return np.mean(np.any(distance.cdist(points, centres) <= radii, 1))

    assert found.precision == share(b, a)
    assert found.recall == share(a, b)
    assert 0 < found.precision < found.recall <= 1


def test_precision_and_recall_of_one_set_are_1():
    rows = normal(0, 600, 16)
    assert precision_recall(rows, rows.copy()) == (1, 1)
    assert precision_recall(rows, rows + 100) == (0, 0)


def test_the_inception_score_of_known_classes():
    # Certain, and the same number of each of four.
    certain = np.tile(np.eye(4), (10, 1)) * 100
    assert inception_score(certain).mean == pytest.approx(4)
    assert inception_score(certain).deviation == pytest.approx(0)
    # Nothing known, and one class alone.
    assert inception_score(np.zeros((40, 4))).mean == pytest.approx(1)
    assert inception_score(certain[:1].repeat(40, 0)).mean == pytest.approx(1)


def test_the_inception_score_is_the_definition():
    logits = normal(0, 103, 6) * 3
    classes = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    scores = []
    for part in range(10):
        some = classes[103 * part // 10 : 103 * (part + 1) // 10]
        divergences = stats.entropy(some, some.mean(0, keepdims=True), axis=1)
        scores.append(np.exp(np.mean(divergences)))
    found = inception_score(logits)
    assert found.mean == pytest.approx(np.mean(scores), rel=1e-5)
    assert found.deviation == pytest.approx(np.std(scores), rel=1e-4)
    # A constant does not matter, and probabilities are taken as such.
    assert inception_score(logits + 1000).mean == pytest.approx(
        found.mean, rel=1e-3
    )
    assert inception_score(classes).mean == pytest.approx(found.mean, rel=1e-5)


def test_mistakes():
    rows = normal(0, 20, 4)
    for call, words in (
        (lambda: kernel_distance(rows, rows[:1]), "at least 2 .* received 1"),
        (lambda: kernel_distance(rows, rows[:, :3]), "of one network"),
        (lambda: precision_recall(rows, rows[:3]), "at least 4 .* received 3"),
        (lambda: precision_recall(rows[:, :1], rows), "of one network"),
        (lambda: inception_score(rows[:9]), "at least 10 .* received 9"),
    ):
        with pytest.raises(UserError, match=words):
            call()
