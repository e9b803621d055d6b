"""Multi-scale structural similarity: against the official code's numbers."""

import numpy as np
import pytest
from scipy import signal
from test_metrics_swd import blocks

from progan_tf.errors import UserError
from progan_tf.metrics import Similarity, batches, ms_ssim, ssim


def pairs(seed, n, resolution):
    """Blocks, and the same with noise, in turn."""
    even = blocks(seed, n // 2, 8, resolution).astype("float32")
    shape = (n // 2, 3, resolution, resolution)
    noise = np.random.RandomState(seed + 100).normal(0, 25, shape)
    odd = np.rint(even + np.moveaxis(noise, 1, -1)).clip(0, 255)
    return np.stack([even, odd], axis=1).reshape(n, *even.shape[1:])


@pytest.mark.parametrize(
    "images, expected",
    [
        (blocks(0, 512, 16, 64), 0.013048),
        (blocks(1, 512, 8, 64), 0.030738),
        (pairs(3, 128, 64).astype("uint8"), 0.975362),
        (pairs(4, 64, 128).astype("uint8"), 0.933294),
    ],
)
def test_values_are_those_of_the_official_code(images, expected):
    assert ms_ssim(images) == pytest.approx(expected, abs=2e-6)


def reference_scale(a, b):
    """(similarity, contrast) of one plane each, by the definition."""
    size = min(11, len(a))
    offsets = np.arange(size) - (size - 1) / 2
    window = np.exp(-(offsets**2) / (2 * (size * 1.5 / 11) ** 2))
    window = np.outer(window, window)
    window /= window.sum()

    def mean(x):
        return signal.convolve2d(x, window, mode="valid")

    ma, mb = mean(a), mean(b)
    va, vb = mean(a * a) - ma * ma, mean(b * b) - mb * mb
    c1, c2 = 2.55**2, 7.65**2
    contrast = (2 * (mean(a * b) - ma * mb) + c2) / (va + vb + c2)
    light = (2 * ma * mb + c1) / (ma * ma + mb * mb + c1)
    return np.mean(light * contrast), np.mean(contrast)


# The smallest, with windows of 1 in the end, and one of several tiles whose
# last is not whole.
@pytest.mark.parametrize("resolution", [16, 160])
def test_it_is_the_definition(resolution):
    random = np.random.RandomState(0)
    first, noise = random.randint(0, 200, (2, 1, resolution, resolution, 1))
    second = (first + noise // 8).astype("uint8")
    planes = [x[0, ..., 0].astype("float64") for x in (first, second)]
    value = 1.0
    for level, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        similarity, contrast = reference_scale(*planes)
        value *= (similarity if level == 4 else contrast) ** weight
        planes = [
            (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4
            for x in planes
        ]
    found = ssim.similarities(first.astype("uint8"), second)
    np.testing.assert_allclose(found, [value], rtol=1e-5)


def test_equal_pictures_are_1_and_opposite_ones_0():
    images = blocks(0, 4, 8, 32)
    assert ms_ssim(images.repeat(2, axis=0)) == pytest.approx(1)
    opposite = np.stack([images, 255 - images], axis=1).reshape(8, 32, 32, 3)
    assert ms_ssim(opposite) == 0


def test_batches_do_not_matter(monkeypatch):
    images = blocks(5, 21, 8, 32)
    whole = ms_ssim(images)
    assert ms_ssim(np.split(images, [1, 2, 7, 10])) == whole
    # The last has no partner.
    assert ms_ssim(images[:20]) == whole
    monkeypatch.setattr(batches, "_GROUP_PIXELS", 1)
    assert ms_ssim(images) == whole


def test_the_accumulator():
    images = blocks(5, 20, 8, 32)
    accumulator = Similarity()
    for part in (images[:3], images[3:4], images[4:]):
        accumulator.add(part)
    result = accumulator.result()
    assert result["pairs"] == 10
    assert result["ms_ssim"] == ms_ssim(images)


def test_wrong_pictures():
    images = blocks(0, 4, 8, 32)
    for wrong, words in (
        (images[:1], "at least 2 pictures for the MS-SSIM; received 1"),
        ([], "at least 2 pictures"),
        (images[:, :8, :8], "16x16 or more .* received 8x8"),
        ([images, images[:, :16, :16]], "32x32, as the others; .* 16x16"),
        (np.full((2, 32, 32, 3), np.nan), "NaN"),
    ):
        with pytest.raises(UserError, match=words):
            ms_ssim(wrong)
