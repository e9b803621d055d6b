"""Multi-scale structural similarity (Wang et al. 2003) of pairs of pictures.

Between the pictures of one set it tells of variety: a generator that draws the
same again and again has a high one (Odena et al. 2017). It says nothing of how
good the pictures are; compare it with that of the training data.
"""

import contextlib

import numpy as np

from progan_tf.images import box_down
from progan_tf.metrics.batches import (
    by_groups,
    check_count,
    check_images,
    checked_batches,
    expect,
)
from progan_tf.metrics.metric import Metric

# Weights of the five scales, from the full size down (Wang et al. 2003,
# section 3.2), and the constants of one scale (Wang et al. 2004).
_WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = np.float32((0.01 * 255) ** 2), np.float32((0.03 * 255) ** 2)
_SMALLEST = 2 ** (len(_WEIGHTS) - 1)
# Subtracted from pixels, so that squares keep more digits in float32.
_GREY = np.float32(127.5)
# Windows are the product of a picture with a matrix that is 0 but for a band of
# 11. It is computed in tiles, as wide ones would be mostly zeros. Products of
# this size stay within one thread of NumPy's library for matrices: its threads
# and ours, each with pairs of its own, would wait for each other and take twice
# as long at 1024x1024.
_NARROW, _LONG = 32, 128


def ms_ssim(images):
    """Mean similarity of picture 0 with 1, 2 with 3 and so on.

    Args:
        images: uint8 `[N, R, R, C]` or an iterable of batches of those, in
            random order; R is at least 16, C 1 or 3. Published means are of
            10,000 pairs. A last picture without a pair does not count.

    Returns:
        float, about 0 for pictures of nothing in common, 1 for equal ones.

    Raises:
        UserError: for other pictures, or fewer than two.
    """
    accumulator = Similarity()
    for batch in checked_batches(images):
        accumulator.add(batch)
    return float(accumulator.result()["ms_ssim"])


class Similarity:
    """`ms_ssim` of pictures that come some at a time."""

    def __init__(self):
        self._resolution = None
        self._alone = None  # uint8 [0 or 1, R, R, C], the next pair's first.
        self._values = []

    def add(self, images):
        """Take in uint8 `[n, R, R, C]`; raises UserError for others."""
        check_images(images, self._resolution)
        if self._resolution is None:
            self._resolution = images.shape[1]
            self._alone = images[:0]
            expect(
                self._resolution >= _SMALLEST,
                f"pictures of {_SMALLEST}x{_SMALLEST} or more for the MS-SSIM, "
                "which halves them four times",
                f"{self._resolution}x{self._resolution}",
            )
        images = np.concatenate([self._alone, images])
        even = len(images) // 2 * 2
        self._alone = images[even:]
        pairs = images[0:even:2], images[1:even:2]
        for values in by_groups(similarities, self._resolution, *pairs):
            self._values.extend(values)

    def result(self):
        """Returns dict of "ms_ssim" and "pairs", two float64 `[]`.

        Raises UserError if there were fewer than two pictures.
        """
        pairs = len(self._values)
        alone = 0 if self._alone is None else len(self._alone)
        check_count("MS-SSIM", 2 * pairs + alone, 2)
        return {"ms_ssim": np.mean(self._values), "pairs": np.float64(pairs)}


def similarities(first, second):
    """MS-SSIM of each picture with the one at its index in another array.

    Both are uint8 `[N, R, R, C]`, R at least 16; the result is float64 `[N]`.
    """
    a, b = (x.astype("float32") - _GREY for x in (first, second))
    contrasts = []
    for level in range(len(_WEIGHTS)):
        if level:
            a, b = box_down(a, 2), box_down(b, 2)
        similarity, contrast = _one_scale(a, b)
        contrasts.append(contrast)
    # Luminance counts at the last scale alone. A negative number has no real
    # power, so it counts as 0.
    terms = np.maximum([*contrasts[:-1], similarity], 0)  # [level, N]
    return np.prod(terms ** _WEIGHTS[:, np.newaxis], axis=0)


def _one_scale(a, b):
    """Structural similarity and its contrast term (Wang et al. 2004).

    Of float32 `[N, H, H, C]`, pixels minus 127.5. Both results are float64
    `[N]`: means over the windows that lie within the picture, and over colours.
    """
    # [NCHH]
    a, b = (np.ascontiguousarray(np.moveaxis(x, -1, 1)) for x in (a, b))
    window = _window(min(_WINDOW, a.shape[-1]))
    mean_a, mean_b = _filtered(a, window), _filtered(b, window)
    # The score takes both variances only as their sum.
    variances = _filtered(a * a + b * b, window) - (mean_a**2 + mean_b**2)
    covariance = _filtered(a * b, window) - mean_a * mean_b
    contrast = (2 * covariance + _C2) / (variances + _C2)
    # Luminance is of pixels from 0 to 255.
    mean_a += _GREY
    mean_b += _GREY
    squares = mean_a**2 + mean_b**2
    luminance = (2 * mean_a * mean_b + _C1) / (squares + _C1)
    both = luminance * contrast, contrast
    return [np.mean(x, (1, 2, 3), dtype="float64") for x in both]


def _window(size):
    """A Gaussian, float64 `[size]`, of sum 1; narrower where it is shorter."""
    sigma = size * _SIGMA / _WINDOW
    offsets = np.arange(size) - (size - 1) / 2
    window = np.exp(-(offsets**2) / (2 * sigma**2))
    return window / window.sum()


def _filtered(planes, window):
    """Weighted means in all windows that lie within `[N, C, H, W]`."""
    for axis in (-1, -2):
        shape = list(planes.shape)
        shape[axis] -= len(window) - 1
        out = np.empty(shape, "float32")
        for short in _slices(shape[axis], _NARROW):
            band = _band(window, short)
            used = slice(short.start, short.start + len(band))
            for long in _slices(shape[-3 - axis], _LONG):
                if axis == -1:
                    part = planes[..., long, used]
                    np.matmul(part, band, out=out[..., long, short])
                else:
                    part = planes[..., used, long]
                    np.matmul(band.T, part, out=out[..., short, long])
        planes = out
    return planes


def _slices(count, length):
    """Slices of a length that cover `count` places, the last one shorter."""
    starts = range(0, count, length)
    return [slice(start, min(start + length, count)) for start in starts]


def _band(window, columns):
    """The matrix of n columns, without its rows that are all zeros.

    float32 `[n + size - 1, n]`: column i has the window from row i on.
    """
    count = columns.stop - columns.start
    band = np.zeros((count + len(window) - 1, count), "float32")
    for column in range(count):
        band[column : column + len(window), column] = window
    return band


def _keep(collected, steps):
    return collected.result()


MS_SSIM = Metric(
    name="ms_ssim",
    title="MS-SSIM between pictures (like that of reals is best)",
    images=20_000,
    collect=lambda *_: contextlib.nullcontext(Similarity()),
    keep=_keep,
    values=lambda reals, fakes, *_: {"ms_ssim": float(fakes["ms_ssim"])},
    compares=False,
)
