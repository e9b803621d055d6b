"""Folders of pictures for tests."""

import numpy as np
from PIL import Image


def random_pixels(count, *shape, seed=0):
    """uint8 `[count, *shape]`."""
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, *shape), np.uint8)


def write_pictures(folder, count, size, channels=3, suffix="png"):
    """A folder of `count` pictures of noise: 000.png, 001.png, ...

    Their pixels are those of `random_pixels`.
    """
    folder.mkdir(parents=True)
    shape = (size, size) if channels == 1 else (size, size, channels)
    for number, pixels in enumerate(random_pixels(count, *shape)):
        Image.fromarray(pixels).save(folder / f"{number:03d}.{suffix}")
    return folder
