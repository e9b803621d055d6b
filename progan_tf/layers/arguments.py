"""Checks of the layers' arguments; the messages are worded as Keras' are."""

import math
import numbers


def whole_number(name, value):
    """The value of an argument as an int of 1 or more.

    Raises:
        ValueError: if it is something else, named with what was received.
    """
    if not _is_whole(value):
        raise ValueError(
            f"`{name}` must be a whole number, 1 or more. "
            f"Received: {name}={value!r}"
        )
    return int(value)


def positive_number(name, value):
    """The value of an argument as a positive, finite float.

    Raises:
        ValueError: if it is something else, named with what was received.
    """
    good = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not good or not 0 < value < math.inf:
        raise ValueError(
            f"`{name}` must be a positive number. Received: {name}={value!r}"
        )
    return float(value)


def kernel_shape(value, resample):
    """The height and width of a kernel from one number or two.

    Raises:
        ValueError: unless both are odd, and 3 where something is resampled.
    """
    sizes = value if isinstance(value, (tuple, list)) else (value, value)
    good = len(sizes) == 2 and all(_is_whole(s) and s % 2 == 1 for s in sizes)
    if not good or (resample and tuple(sizes) != (3, 3)):
        raise ValueError(
            "`kernel_size` must be an odd number or two, and 3 with "
            f"`resample`. Received: kernel_size={value!r}, "
            f"resample={resample!r}"
        )
    return tuple(map(int, sizes))


def _is_whole(value):
    is_int = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return is_int and value >= 1
