"""Random changes of what the discriminator sees, for few pictures.

Reals and fakes are changed alike, in both training steps, so that the
generator still learns the pictures as they are: DiffAugment (Zhao et al. 2020)
as `color`, `translation` and `cutout`; and as `ada` the pixel blitting,
geometry and colours of "Training generative adversarial networks with limited
data" (Karras et al. 2020, appendix B). `TRANSFORMS` is the table of them.

Lengths are relative to the picture: a shift goes up to an eighth of the side
and a cutout has half of it at every resolution. Both are of whole pixels,
because parts of a pixel would blur the picture; at 4x4, where an eighth is
half a pixel, nothing is shifted, and a cutout has 2x2 of the 4x4 pixels.

TensorFlow is imported within the functions: settings take their names from
this table, and --help must not wait for it.
"""

import dataclasses
import math
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Transform:
    """A row of `TRANSFORMS`.

    Attributes:
        change: function of float32 images `[b, R, R, C]` and `_Numbers` to
            images. Where a switch is 0 it leaves every bit as it is.
        numbers: int, the random numbers that it takes for each picture.
        leaks: str, the traces of it that generated pictures may show; empty
            where there are none.
        alone: bool, whether it cannot be combined with others, and its p
            adapts to the scores of reals unless one is given.
    """

    change: Callable
    numbers: int
    leaks: str = ""
    alone: bool = False


class _Numbers:
    """Random numbers `[b]`, taken one after the other.

    Args:
        uniform: float32 `[b, n]` in [0, 1).
        p: float or float32 scalar, how often a switch is on.
    """

    def __init__(self, uniform, p):
        import tensorflow as tf

        self._columns = iter(tf.unstack(tf.convert_to_tensor(uniform), axis=1))
        self._p = p

    def switch(self):
        """1 with probability p, else 0."""
        import tensorflow as tf

        return tf.cast(next(self._columns) < self._p, tf.float32)

    def between(self, low, high):
        """Uniform in [low, high)."""
        return low + (high - low) * next(self._columns)

    def whole(self, count):
        """A whole number from 0 to count - 1, as float32."""
        import tensorflow as tf

        # A product that is rounded up would be one number too many.
        return tf.minimum(tf.floor(next(self._columns) * count), count - 1.0)

    def normal(self):
        """Of the standard normal distribution, within 5 deviations."""
        import tensorflow as tf

        inside = tf.clip_by_value(next(self._columns), 3e-7, 1 - 3e-7)
        return tf.math.ndtri(inside)


def color(images, numbers):
    """DiffAugment's brightness, saturation and contrast.

    Brightness + U(-1/2, 1/2), then the difference from the mean of a pixel's
    colours times U(0, 2), then that from the mean of the picture times
    U(1/2, 3/2).
    """
    import tensorflow as tf

    on = numbers.switch()
    images += _each(on * numbers.between(-0.5, 0.5))
    # As sums, here and below, because nothing must change where on is 0.
    images += _from_grey(images) * _each(on * numbers.between(-1.0, 1.0))
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    return images + (images - mean) * _each(on * numbers.between(-0.5, 0.5))


def translation(images, numbers):
    """DiffAugment's shift by whole pixels, up to an eighth of the side.

    What comes in from outside is 0, a middle grey.
    """
    import tensorflow as tf

    side = images.shape[1]
    most = side // 8
    on = numbers.switch()
    down, right = (on * (numbers.whole(2 * most + 1) - most) for _ in "yx")
    if not most:
        return images
    places = tf.range(side, dtype=tf.float32)
    rows, columns = (places - shift[:, tf.newaxis] for shift in (down, right))
    inside = [(x >= 0) & (x < side) for x in (rows, columns)]  # [bR] each
    inside = inside[0][:, :, tf.newaxis] & inside[1][:, tf.newaxis]  # [bRR]
    picked = _picked(images, rows[:, :, tf.newaxis], columns[:, tf.newaxis])
    return picked * tf.cast(inside, tf.float32)[..., tf.newaxis]


def cutout(images, numbers):
    """DiffAugment's cutout: a square of half the side, set to 0.

    Its middle is anywhere in the picture, so that it may reach beyond.
    """
    import tensorflow as tf

    side = images.shape[1]
    on = numbers.switch()
    inside = []
    for _ in "yx":
        middle = numbers.whole(side + 1)[:, tf.newaxis]
        place = tf.range(side, dtype=tf.float32)
        inside.append(
            (place >= middle - side // 4) & (place < middle + side // 4)
        )
    hole = inside[0][:, :, tf.newaxis] & inside[1][:, tf.newaxis]  # [bRR]
    hole = tf.cast(hole, tf.float32)[..., tf.newaxis] * _each(on)
    return images * (1.0 - hole)


def ada(images, numbers):
    """Karras et al. 2020: nine changes, each with probability p of its own.

    Mirrored (half of the time), quarter turns, shifts by whole pixels up to an
    eighth of the side, scale 2^N(0, 0.2^2), rotation by any angle; brightness
    + N(0, 0.2^2), contrast times 2^N(0, 0.5^2), hue turned by any angle and
    saturation times 2^N(0, 1). What comes in from outside is the picture,
    mirrored at its edge.
    """
    import tensorflow as tf

    images = _moved(images, numbers)
    images += _each(numbers.switch() * 0.2 * numbers.normal())
    octaves = numbers.switch() * 0.5 * numbers.normal()
    images += images * _each(2.0**octaves - 1.0)
    # A turn about the axis of greys, by the formula of Rodrigues.
    angle = numbers.switch() * numbers.between(-math.pi, math.pi)
    across = tf.roll(images, 1, axis=-1) - tf.roll(images, -1, axis=-1)
    images += _from_grey(images) * _each(tf.cos(angle) - 1.0) + (
        across * _each(tf.sin(angle) / math.sqrt(3.0))
    )
    octaves = numbers.switch() * numbers.normal()
    return images + _from_grey(images) * _each(2.0**octaves - 1.0)


TRANSFORMS = {
    "color": Transform(color, 4),
    "translation": Transform(translation, 3),
    "cutout": Transform(cutout, 3, "grey squares"),
    "ada": Transform(ada, 19, "turned or recoloured pictures", alone=True),
}


def augmented(images, numbers, p):
    """Pictures as some transforms change them, each sample by its numbers.

    Args:
        images: float32 `[b, R, R, C]`, about in [-1, 1].
        numbers: mapping from names in `TRANSFORMS` to float32 `[b, n]` in
            [0, 1), n the `numbers` of the transform. The transforms are taken
            in the order of the table.
        p: float or float32 scalar in [0, 1], how often each change is made.
            At 0 the bits of the pictures stay as they are.

    Returns:
        float32 `[b, R, R, C]`; a differentiable function of the images.
    """
    for name, transform in TRANSFORMS.items():
        if name in numbers:
            images = transform.change(images, _Numbers(numbers[name], p))
    return images


def _each(numbers):
    """`[b]` to `[b, 1, 1, 1]`."""
    return numbers[:, None, None, None]


def _from_grey(images):
    """What the colours of a pixel differ by from their mean."""
    import tensorflow as tf

    return images - tf.reduce_mean(images, axis=3, keepdims=True)


def _picked(images, rows, columns):
    """Pixels at whole coordinates, which are clamped to the picture.

    Args:
        images: float32 `[b, R, R, C]`.
        rows, columns: float32, together `[b, R, R]`.
    """
    import tensorflow as tf

    side, channels = images.shape[2:]
    rows, columns = (
        tf.cast(tf.clip_by_value(x, 0.0, side - 1.0), tf.int32)
        for x in (rows, columns)
    )
    pixels = tf.gather(
        tf.reshape(images, [-1, side * side, channels]),
        tf.reshape(rows * side + columns, [-1, side * side]),
        batch_dims=1,
    )
    return tf.reshape(pixels, [-1, side, side, channels])  # [bRRC]


def _moved(images, numbers):
    """The pixel blitting and geometry of `ada`, in one sampling."""
    import tensorflow as tf

    side = images.shape[1]
    # The coordinates that each pixel comes from, relative to the middle of the
    # picture. They are transformed in the reverse order of the picture's own
    # changes: the rotation, which comes last there, first.
    middles = tf.range(side, dtype=tf.float32) + 0.5 - side / 2
    flip = 1.0 - 2.0 * numbers.switch() * numbers.whole(2)
    turn = tf.cast(numbers.switch() * numbers.whole(4), tf.int32)
    on = numbers.switch()
    shifts = [
        on * tf.round(numbers.between(-0.125, 0.125) * side) for _ in "yx"
    ]
    scale = 2.0 ** (numbers.switch() * 0.2 * numbers.normal())
    angle = numbers.switch() * numbers.between(-math.pi, math.pi)
    y, x = middles[:, tf.newaxis], middles[tf.newaxis]
    y, x = _turned(y, x, tf.cos(angle) / scale, tf.sin(angle) / scale)
    y, x = (
        place - shift[:, tf.newaxis, tf.newaxis]
        for place, shift in zip((y, x), shifts, strict=True)
    )
    # Of quarters exactly, so that whole pixels stay whole.
    cosine, sine = (
        tf.gather(tf.constant(table), turn)
        for table in ([1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0])
    )
    y, x = _turned(y, x, cosine, sine)
    x *= flip[:, tf.newaxis, tf.newaxis]
    return _sampled(images, y + side / 2 - 0.5, x + side / 2 - 0.5)


def _turned(y, x, cosine, sine):
    """Coordinates `[b, R, R]` rotated by `[b]` angles."""
    cosine, sine = cosine[:, None, None], sine[:, None, None]
    return cosine * y - sine * x, sine * y + cosine * x


def _sampled(images, y, x):
    """Bilinear samples of pictures, which are mirrored beyond their edges.

    Args:
        images: float32 `[b, R, R, C]`.
        y, x: float32 `[b, R, R]`, in pixels, 0 for the first one's middle.
    """
    import tensorflow as tf

    side = images.shape[1]

    def folded(place):
        place = tf.math.floormod(place + 0.5, 2.0 * side)
        return tf.minimum(place, 2.0 * side - place) - 0.5

    y, x = folded(y), folded(x)
    top, left = tf.floor(y), tf.floor(x)
    down, right = ((a - b)[..., tf.newaxis] for a, b in ((y, top), (x, left)))

    def row(y):
        first, second = (_picked(images, y, x) for x in (left, left + 1.0))
        return first + (second - first) * right

    upper, lower = row(top), row(top + 1.0)
    return upper + (lower - upper) * down
