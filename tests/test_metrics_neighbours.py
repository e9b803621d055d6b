"""Nearest neighbours in the training data, and their picture."""

import numpy as np
import pytest

from progan_tf.errors import UserError
from progan_tf.metrics import (
    memorised,
    nearest_neighbours,
    neighbours_grid,
)


def pictures(seed, n, resolution=16, channels=3):
    shape = (n, resolution, resolution, channels)
    return np.random.RandomState(seed).randint(0, 256, shape, "uint8")


def test_they_are_those_of_a_full_search():
    samples, reals = pictures(0, 5), pictures(1, 300)
    difference = samples[:, np.newaxis] - reals.astype("float64")
    distances = np.sqrt(np.mean(difference**2, axis=(2, 3, 4)))
    order = np.argsort(distances, axis=1)[:, :4]
    found = nearest_neighbours(samples, reals, count=4)
    np.testing.assert_array_equal(found.indices, order)
    np.testing.assert_allclose(
        found.distances, np.take_along_axis(distances, order, 1)
    )
    np.testing.assert_array_equal(found.images, reals[order])
    for cuts in ([1, 100], range(10, 300, 10)):
        parts = nearest_neighbours(samples, np.split(reals, cuts), count=4)
        for array, same in zip(parts, found, strict=True):
            np.testing.assert_array_equal(array, same)


def test_a_copy_is_found_whatever_its_noise():
    reals = pictures(1, 80, 128)
    samples = reals[[70, 3]].copy()
    samples[1] ^= 1
    found = nearest_neighbours(samples, reals, count=2)
    np.testing.assert_array_equal(found.indices[:, 0], [70, 3])
    assert found.distances[0, 0] == 0
    # Halved in size, where what is 1 at each pixel is less.
    assert 0 < found.distances[1, 0] < 1
    assert np.all(found.distances[:, 1] > 20)


def test_of_equal_ones_the_first_come():
    real = pictures(1, 1)
    reals = np.concatenate([pictures(2, 70), real, pictures(3, 70), real, real])
    found = nearest_neighbours(real, reals)
    np.testing.assert_array_equal(found.indices, [[70, 141, 142]])


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_picture_that_lies_twice_among_the_data_is_one(mirrored):
    reals = pictures(1, 20)
    reals[7] = reals[7, :, ::-1] // 2 + reals[7] // 2  # The same mirrored.
    samples = np.concatenate([reals[5:10] ^ 1, pictures(2, 5)])
    # Some pictures three times, one of them as its mirror image.
    data = np.concatenate([reals, reals[::2], reals[:8], reals[9:10, :, ::-1]])
    if mirrored:
        data = np.stack([data, data[:, :, ::-1]], 1).reshape(-1, 16, 16, 3)
    found = nearest_neighbours(samples, data)
    flags = memorised(found, data, copies=1 + mirrored)
    np.testing.assert_array_equal(flags, np.arange(10) < 5)


@pytest.mark.parametrize("copies", [1, 2])
def test_copies_are_told_from_new_pictures(copies):
    # Around 40 centres, so that some new ones are near to a real by chance.
    random = np.random.default_rng(0)
    reals = np.clip(random.normal(128, 30, (40, 16, 16, 3)), 0, 255)
    noise = random.normal(0, 1, (30, 16, 16, 3))
    near = reals[:30] + noise * np.linspace(1, 60, 30)[:, None, None, None]
    samples = np.clip(near, 0, 255).astype("uint8")
    reals = reals.astype("uint8")
    between = np.sqrt(
        ((reals[:, None] - reals[None].astype("float64")) ** 2).mean((2, 3, 4))
    )
    np.fill_diagonal(between, np.inf)
    to_reals = np.sqrt(
        ((samples[:, None] - reals[None].astype("float64")) ** 2).mean(
            (2, 3, 4)
        )
    )
    nearest = to_reals.argmin(1)
    expected = to_reals.min(1) < between.min(1)[nearest]
    assert 5 < expected.sum() < 25
    reals = reals.repeat(copies, 0)
    found = nearest_neighbours(samples, reals)
    np.testing.assert_array_equal(
        memorised(found, reals, copies=copies), expected
    )


def test_images_are_kept_of_those_alone_that_are_shown():
    samples, reals = pictures(0, 5), pictures(1, 20)
    for shown in (2, 1):
        every = nearest_neighbours(samples, reals)
        some = nearest_neighbours(samples, reals, shown=shown)
        assert len(some.images) == shown
        np.testing.assert_array_equal(some.images, every.images[:shown])
        np.testing.assert_array_equal(some.indices, every.indices)
        np.testing.assert_array_equal(
            memorised(some, reals), memorised(every, reals)
        )


def test_features_may_decide():
    def mean_colour(images):
        return images.mean((1, 2), dtype="float32")

    reals = pictures(1, 100, channels=3)
    reals[40] = (10, 200, 30)
    # Nothing of it is the same pixel by pixel; but its mean is.
    sample = np.zeros((1, 16, 16, 3), "uint8")
    sample[:, ::2] = (20, 145, 60)
    sample[:, 1::2] = (0, 255, 0)
    found = nearest_neighbours(sample, reals, 1, features=mean_colour)
    np.testing.assert_array_equal(found.indices, [[40]])
    assert found.distances[0, 0] == pytest.approx(0)


def test_the_grid():
    samples, reals = pictures(0, 3), pictures(1, 20)
    found = nearest_neighbours(samples, reals, count=2)
    grid = neighbours_grid(samples, found)
    assert grid.shape == (48, 48, 3)
    for sample in range(3):
        columns = slice(16 * sample, 16 * (sample + 1))
        np.testing.assert_array_equal(grid[:16, columns], samples[sample])
        for rank in range(2):
            rows = slice(16 * (rank + 1), 16 * (rank + 2))
            real = reals[found.indices[sample, rank]]
            np.testing.assert_array_equal(grid[rows, columns], real)


def test_wrong_pictures():
    samples, reals = pictures(0, 3), pictures(1, 20)
    for a, b, words in (
        (samples, reals[:2], "at least 3 pictures .* received 2"),
        (samples, [], "received 0"),
        (samples[:0], reals, "at least 1 picture .* samples; received 0"),
        (samples, pictures(1, 20, 32), "16x16, as the others; .* 32x32"),
        (samples, pictures(1, 20, channels=1), "3 colours"),
        (samples / 255, reals, "received float64"),
    ):
        with pytest.raises(UserError, match=words):
            nearest_neighbours(a, b)
