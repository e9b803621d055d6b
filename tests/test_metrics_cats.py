"""Every metric tells better pictures of cats from worse ones."""

import numpy as np
import pytest

from progan_tf.data import Cats
from progan_tf.images import box_down, nearest_up
from progan_tf.metrics import (
    Features,
    SlicedStatistics,
    extract_features,
    frechet_distance,
    gaussian_statistics,
    inception_score,
    kernel_distance,
    ms_ssim,
    nearest_neighbours,
    precision_recall,
    sliced_distance,
)

COUNT, RESOLUTION = 256, 32
WORSE = ("blurred", "noisy", "few", "recoloured")


class Patchwork(Features):
    """Two layers of random weights, and means over places."""

    def __init__(self):
        random = np.random.RandomState(0)
        self._weights = [
            random.normal(size=shape).astype("float32") / shape[0] ** 0.5
            for shape in ((48, 32), (128, 32))
        ]
        super().__init__("patchwork")

    def _vectors(self, images):
        x = images.astype("float32") / 127.5 - 1
        for edge, weights in zip((4, 2), self._weights, strict=True):
            n, size = len(x), x.shape[1] // edge
            x = x.reshape(n, size, edge, size, edge, -1)
            x = x.swapaxes(2, 3).reshape(n, size, size, -1)  # [NYXc]
            x = np.maximum(x @ weights, 0)
        return x.mean((1, 2))


@pytest.fixture(scope="module")
def sets():
    """dict of uint8 `[256, 32, 32, 3]`: reals, others like them, and worse."""
    cats, random = Cats(), np.random.RandomState(0)
    images = cats.images(random.permutation(len(cats))[: 2 * COUNT], RESOLUTION)
    reals, good = images[:COUNT], images[COUNT:]
    blurred = nearest_up(box_down(good, 2), 2)
    noisy = good + random.normal(0, 40, good.shape)
    return {
        "reals": reals,
        "good": good,
        "blurred": np.rint(blurred).astype("uint8"),
        "noisy": np.rint(noisy).clip(0, 255).astype("uint8"),
        "few": good[np.arange(COUNT) % 4],
        "recoloured": good[..., [1, 2, 0]],
    }


@pytest.fixture(scope="module")
def vectors(sets):
    features = Patchwork()
    return {name: extract_features(features, x) for name, x in sets.items()}


def test_sliced_wasserstein(sets):
    statistics = {}
    for name, images in sets.items():
        with SlicedStatistics(stream=int(name != "reals")) as accumulator:
            accumulator.add(images)
            statistics[name] = accumulator.result()
    distances = {
        name: sliced_distance(statistics["reals"], statistics[name])
        for name in ("good", *WORSE)
    }
    good, blurred = distances["good"], distances["blurred"]
    for name in WORSE:
        assert distances[name].average > 1.5 * good.average, name
    # Blur is in the finest level only.
    assert blurred.levels[32] > 3 * good.levels[32]
    assert blurred.levels[16] < 1.5 * good.levels[16]


def test_frechet_distance(vectors):
    statistics = {name: gaussian_statistics(x) for name, x in vectors.items()}
    distances = {
        name: frechet_distance(statistics["reals"], statistics[name])
        for name in ("good", *WORSE)
    }
    for name in WORSE:
        assert distances[name] > 2 * distances["good"], name


def test_kernel_distance(vectors):
    found = {
        name: kernel_distance(vectors["reals"], vectors[name], subsets=1)
        for name in ("good", *WORSE)
    }
    for name in WORSE:
        # Less than that is within the noise of so few pictures.
        assert found[name].mean > found["good"].mean + 1e-4, name


def test_precision_and_recall(vectors):
    shares = {
        name: precision_recall(vectors["reals"], vectors[name])
        for name in ("good", *WORSE)
    }
    good = shares["good"]
    assert min(good) > 0.8
    for name in ("blurred", "noisy", "recoloured"):
        assert shares[name].precision < good.precision - 0.1, name
    # Good pictures, but few.
    assert shares["few"].precision > 0.8
    assert shares["few"].recall < 0.1


def test_ms_ssim(sets):
    random = np.random.RandomState(1)

    def similarity(name):
        orders = [random.permutation(COUNT) for _ in range(8)]
        return ms_ssim(sets[name][np.concatenate(orders)])

    reals = similarity("reals")
    assert similarity("good") == pytest.approx(reals, abs=0.02)
    assert similarity("few") > reals + 0.1


def test_inception_score(vectors):
    # Classes are those of the nearest of ten cats.
    centres = vectors["reals"][:10]

    def score(name):
        differences = vectors[name][:, np.newaxis] - centres
        squares = np.sum(differences**2, axis=-1)
        return inception_score(-squares / vectors["reals"].var()).mean

    good = score("good")
    assert score("few") < good - 0.1
    assert score("recoloured") < good - 0.1


def test_nearest_neighbours(sets):
    copies = sets["noisy"][:4]
    found = nearest_neighbours(copies, [sets["reals"], sets["good"]], 1)
    np.testing.assert_array_equal(found.indices[:, 0] - COUNT, np.arange(4))
