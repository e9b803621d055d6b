"""Pictures at every resolution, by the official data-set tool's rule.

Each level is the mean over 2x2 pixels of the level above before that was
rounded, then rounded to nearest with ties to even. In float32 these means
are exact: from 1024x1024 down to 4x4 they need 8 + 16 bits, and float32 has
24. So it makes no difference whether a level is reached in one step or in
several, and every source that keeps to this rule trains alike.
"""

import numpy as np

from progan_tf.data.source import MIN_RESOLUTION
from progan_tf.images import box_down


def pyramid(image: np.ndarray) -> list[np.ndarray]:
    """Returns a picture at every resolution, from its own down to 4x4.

    Args:
        image: uint8 [R, R, C], R a power of two from 4 to 1024.

    Returns:
        uint8 [r, r, C] for r = R, R/2, ..., 4; the first is `image`.
    """
    levels, exact = [image], image[None]  # [1RRC]
    while exact.shape[1] > MIN_RESOLUTION:
        exact = box_down(exact, 2)
        levels.append(np.rint(exact[0]).astype(np.uint8))
    return levels


def shrink(images: np.ndarray, resolution: int) -> np.ndarray:
    """Returns one level of the pyramids of some pictures.

    Args:
        images: uint8 [N, R, R, C], R a power of two from 4 to 1024.
        resolution: r, a power of two from 4 to R.

    Returns:
        uint8 [N, r, r, C], the same as in `pyramid(image)` of each.
    """
    factor = images.shape[1] // resolution
    if factor == 1:
        return images
    return np.rint(box_down(images, factor)).astype(np.uint8)
