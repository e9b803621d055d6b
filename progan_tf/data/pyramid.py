"""Pictures at every resolution, by the official data-set tool's rule.

Each level is the mean over 2x2 pixels of the unrounded level above, then
rounded to nearest with ties to even. In float32 these means
are exact: from 1024x1024 down to 4x4 they need 8 + 16 bits, and float32 has
24. So it makes no difference whether a level is reached in one step or in
several, and every source that follows this rule gives the same pictures.
"""

import numpy as np

from progan_tf.images import box_down
from progan_tf.resolutions import LOWEST_RESOLUTION


def pyramid(image: np.ndarray) -> list[np.ndarray]:
    """Returns uint8 [R, R, C] at R, R/2, ..., 4; R is a power of two."""
    levels, exact = [image], image[None]  # [1RRC]
    while exact.shape[1] > LOWEST_RESOLUTION:
        exact = box_down(exact, 2)
        levels.append(np.rint(exact[0]).astype(np.uint8))
    return levels


def shrink(images: np.ndarray, resolution: int) -> np.ndarray:
    """Returns one level of the pyramids of uint8 [N, R, R, C]."""
    factor = images.shape[1] // resolution
    if factor == 1:
        return images
    return np.rint(box_down(images, factor)).astype(np.uint8)
