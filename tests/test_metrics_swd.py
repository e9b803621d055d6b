"""Sliced Wasserstein distance: against the official code's numbers."""

import io
import tempfile

import numpy as np
import pytest
from scipy import ndimage

from progan_tf.errors import UserError
from progan_tf.metrics import (
    SlicedStatistics,
    batches,
    projections,
    sliced_distance,
    sliced_wasserstein,
    swd,
)
from progan_tf.metrics.laplacian import enlarged, laplacian_pyramid, shrunk


def blocks(seed, n, base, resolution):
    """uint8 `[n, R, R, 3]` of random blocks, `base` along an edge."""
    random = np.random.RandomState(seed)
    planes = random.randint(0, 256, (n, 3, base, base)).astype("uint8")
    size = resolution // base
    return np.moveaxis(planes.repeat(size, 2).repeat(size, 3), 1, -1)


def few(seed=0, n=12, resolution=32):
    return blocks(seed, n, 8, resolution)


@pytest.fixture(scope="module")
def reals():
    with SlicedStatistics(seed=0, stream=0) as statistics:
        statistics.add(blocks(0, 512, 16, 64))
        return statistics.result()


# Of the official code, for five seeds: means and standard deviations at 64, 32
# and 16, and of the average.
@pytest.mark.parametrize(
    "seed, base, means, deviations",
    [
        (1, 8, (45.5, 48.5, 25.4, 39.8), (0.7, 1.5, 0.8, 0.5)),
        (2, 16, (7.2, 7.7, 12.8, 9.24), (0.5, 0.3, 0.4, 0.14)),
    ],
)
def test_distances_are_those_of_the_official_code(
    reals, seed, base, means, deviations
):
    with SlicedStatistics(seed=0, stream=1) as statistics:
        statistics.add(blocks(seed, 512, base, 64))
        found = sliced_distance(reals, statistics.result())
    assert [*found.levels] == [64, 32, 16]
    values = np.array([*found.levels.values(), found.average])
    # Both sides have that noise.
    assert np.all(np.abs(values - means) < 3 * np.array(deviations))
    assert found.average == pytest.approx(np.mean(values[:3]))


def test_it_is_the_definition_on_few_pictures():
    """Everything at once in float64, with the same patches and directions."""
    a, b = few(0), few(1)
    found = sliced_wasserstein(a, b, seed=3)
    projected = []
    for stream, images in enumerate((a, b)):
        rows = []
        for index, image in enumerate(images):
            planes = np.moveaxis(image, -1, 0).astype("float64")
            level = planes - reference_enlarged(reference_shrunk(planes))
            random = swd._random(3, swd._PLACES, stream, index)
            tops, lefts = random.integers(0, 26, (2, 128))
            rows += [
                level[:, top : top + 7, left : left + 7]
                for top, left in zip(tops, lefts, strict=True)
            ]
        rows = np.array(rows)
        rows -= rows.mean((0, 2, 3), keepdims=True)
        rows /= rows.std((0, 2, 3), keepdims=True)
        random = swd._random(3, 32, swd._DIRECTIONS)
        directions = random.standard_normal((512, 147))
        directions /= np.sqrt(np.sum(directions**2, 1, keepdims=True))
        projected.append(np.sort(rows.reshape(-1, 147) @ directions.T, axis=0))
    expected = 1e3 * np.mean(np.abs(projected[0] - projected[1]))
    # 1,536 patches are few enough for no mean over runs.
    assert found.levels[32] == pytest.approx(expected, rel=1e-3)


def test_runs_cost_little(monkeypatch):
    a, b = few(0, n=64), few(1, n=64)
    coarse = sliced_wasserstein(a, b)
    monkeypatch.setattr(projections, "_RUNS", 10**9)
    exact = sliced_wasserstein(a, b)
    for size, value in exact.levels.items():
        assert coarse.levels[size] == pytest.approx(value, rel=5e-3)
        # They are means, so a little is lost, and never more is found.
        assert coarse.levels[size] <= value * (1 + 1e-6)


def test_batches_do_not_matter_and_seeds_do(monkeypatch):
    a, b = few(0), few(1)
    whole = sliced_wasserstein(a, b, seed=1)
    cut = sliced_wasserstein([a[:1], a[1:6], a[6:]], iter([b[:7], b[7:]]), 1)
    assert cut == whole
    assert sliced_wasserstein(a, b, seed=2) != whole
    # How many pictures go through the pyramid together does not matter, too.
    monkeypatch.setattr(batches, "_GROUP_PIXELS", 1)
    assert sliced_wasserstein(a, b, seed=1) == whole


def test_a_set_has_a_distance_from_itself(reals):
    # As in the official code: it is cut at other places.
    found = sliced_wasserstein(few(0), few(0))
    other = sliced_wasserstein(few(0), few(0) // 2)
    assert 0 < found.average < other.average
    assert sliced_distance(reals, reals).average == 0


def test_grey_is_rgb_of_three_equal_colours():
    grey = few(0)[..., :1], few(1)[..., :1]
    rgb = [np.repeat(images, 3, axis=-1) for images in grey]
    assert sliced_wasserstein(*grey) == sliced_wasserstein(*rgb)


@pytest.mark.parametrize("value", [0, 7, 201])
def test_pictures_of_one_colour(value):
    flat = np.full((8, 32, 32, 3), value, "uint8")
    assert sliced_wasserstein(flat, flat).average == 0
    assert np.isfinite(sliced_wasserstein(flat, few(0, n=8)).average)


def test_statistics_can_be_kept(tmp_path):
    with SlicedStatistics(stream=0) as a, SlicedStatistics(stream=1) as b:
        a.add(few(0))
        b.add(few(1))
        kept = tmp_path / "kept.npz"
        fakes = b.result()
        seen = []
        np.savez(kept, **a.result(lambda sizes: seen.append(sizes) or sizes))
    assert seen == [[32, 16]]
    with np.load(kept) as loaded:
        reals = {name: loaded[name] for name in loaded}
    assert sliced_distance(reals, fakes) == sliced_wasserstein(few(0), few(1))


def reference_shrunk(planes):
    weights = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    smooth = ndimage.convolve(planes, weights[np.newaxis], mode="mirror")
    return smooth[:, ::2, ::2]


def reference_enlarged(planes):
    weights = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 64
    sparse = planes.repeat(2, 1).repeat(2, 2)
    sparse[:, 1::2] = 0
    sparse[:, :, 1::2] = 0
    return ndimage.convolve(sparse, weights[np.newaxis], mode="mirror")


def test_the_pyramid_is_that_of_scipy():
    planes = np.random.RandomState(0).uniform(0, 255, (2, 32, 32))
    planes = planes.astype("float32")
    coarse = reference_shrunk(planes.astype("float64"))
    np.testing.assert_allclose(shrunk(planes), coarse, rtol=1e-5)
    fine = reference_enlarged(coarse)
    np.testing.assert_allclose(
        enlarged(coarse.astype("float32")), fine, rtol=1e-5
    )
    levels = laplacian_pyramid(planes, 8)
    assert [level.shape[-1] for level in levels] == [32, 16, 8]
    np.testing.assert_allclose(levels[0], planes - fine, atol=1e-3)
    again = levels[2]
    for level in (levels[1], levels[0]):
        again = enlarged(again) + level
    np.testing.assert_allclose(again, planes, atol=1e-3)


def test_wrong_pictures():
    for a, b, words in (
        (few(0), few(0, resolution=16), "32x32, as the others; received 16x16"),
        (few(0), few(0)[:5], "the same images .* received 12 and 5"),
        (few(0)[:0], few(0), "at least 1 picture for .* received 0"),
        ([], [], "at least 1 picture for .* received 0"),
        (few(0, resolution=8), few(0), "from 16x16 up .* received 8x8"),
        (blocks(0, 2, 12, 24), few(0), "power of two .* received 24x24"),
        (few(0) * np.float32("nan"), few(0), "NaN or infinity"),
    ):
        with pytest.raises(UserError, match=words):
            sliced_wasserstein(a, b)


def test_statistics_of_another_seed_do_not_go_together():
    with SlicedStatistics(0, 0) as a, SlicedStatistics(1, 1) as b:
        a.add(few(0))
        b.add(few(1))
        with pytest.raises(UserError, match="the same seed .* 0 and 1"):
            sliced_distance(a.result(), b.result())


def test_a_full_disk(monkeypatch):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

        def close(self):
            super().close()
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    with SlicedStatistics() as statistics:
        with pytest.raises(UserError, match="No space left .* another place"):
            statistics.add(few(0))
