"""How large the pictures of a large data set are, from a few of them."""

import statistics
from collections.abc import Callable
from typing import BinaryIO

from progan_tf.data.decode import read_size
from progan_tf.data.source import MAX_RESOLUTION, MIN_RESOLUTION
from progan_tf.errors import UserError

# Large data sets are made as one: LSUN's millions of pictures, for example,
# all have a short side of 256.
_HEADERS = 100


def sampled_resolution(
    open_picture: Callable[[int], BinaryIO], count: int, place: str
) -> tuple[int, str]:
    """Finds the resolution that most pictures reach, from some headers.

    Args:
        open_picture: gives the encoded picture of a number.
        count: pictures in the data set.
        place: what messages call the data set.

    Returns:
        the power of two from 4 to 1024 that the short side of the median
        picture reaches, and in words why it ends there.

    Raises:
        UserError: half of them or more cannot be read, or they are smaller.
    """
    some = range(0, count, max(1, -(-count // _HEADERS)))
    sides = []
    for index in some:
        try:
            sides.append(min(read_size(open_picture(index))))
        except UserError:
            raise  # Not this picture's fault.
        except Exception:  # Of any kind, on a broken picture.
            continue
    if len(sides) <= len(some) // 2:
        raise UserError(
            f"expected encoded pictures in {place}; of {len(some)} values "
            f"{len(sides)} are some"
        )
    median = statistics.median_low(sides)
    if median < MIN_RESOLUTION:
        raise UserError(
            f"expected pictures of at least {MIN_RESOLUTION} pixels in "
            f"{place}; most have a short side of {median} or less"
        )
    resolution = min(1 << (median.bit_length() - 1), MAX_RESOLUTION)
    return resolution, f"most pictures of {place} have a short side of {median}"
