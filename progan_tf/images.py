"""Value ranges, sizes, grids and PNG files of pictures in NumPy arrays.

Pictures are channels-last. Inside the program they are float32 in [-1, 1];
uint8 in [0, 255] is for files and screens.
"""

import io
import os

import numpy as np
from PIL import Image

from progan_tf.files import write_atomically


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Converts floats in [-1, 1] to uint8 in [0, 255], rounding to nearest.

    Values outside the range, which are common in an untrained generator, are
    clipped; NaN becomes grey. The shape is kept.
    """
    images = np.nan_to_num(np.asarray(images, np.float32)).clip(-1, 1)
    return np.rint(images * 127.5 + 127.5).astype(np.uint8)


def to_float(images: np.ndarray) -> np.ndarray:
    """Converts uint8 in [0, 255] to float32 in [-1, 1]; the shape is kept.

    Raises ValueError for other dtypes than uint8: floats would silently be
    scaled twice.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise ValueError(f"expected uint8 images, got {images.dtype}")
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1)


def box_down(images: np.ndarray, factor: int) -> np.ndarray:
    """Shrinks [N, H, W, C] by the mean over blocks of factor x factor pixels.

    Takes any real dtype and returns float32 in the same range. Raises
    ValueError if `factor`, an int, does not divide H and W.
    """
    n, height, width, channels = images.shape
    if factor < 1 or height % factor or width % factor:
        raise ValueError(
            f"expected a factor that divides {height}x{width}, got {factor}"
        )
    h, w, f = height // factor, width // factor, factor
    # Rows first: adding whole rows is fast, and leaves only one pixel in
    # `factor` for the slow sum over short runs of channels.
    rows = images.reshape(n, h, f, width * channels)  # [NHFX] X = W*C
    rows = rows.sum(axis=2, dtype=np.float32)  # [NHX]
    sums = rows.reshape(n, h, w, f, channels).sum(axis=3)  # [NHWC]
    return sums / np.float32(f * f)


def nearest_up(images: np.ndarray, factor: int) -> np.ndarray:
    """Enlarges [N, H, W, C] by repeating pixels; ValueError for factors < 1."""
    if factor < 1 or factor != int(factor):
        raise ValueError(f"expected a factor of 1 or more; received {factor}")
    return images.repeat(factor, axis=1).repeat(factor, axis=2)


def grid_shape(resolution: int, classes: int = 0) -> tuple[int, int]:
    """Returns (columns, rows) of a sample grid that fits a 1080p screen.

    At least 3 x 2, so that a grid of large pictures still shows several, and
    at most 16 x 9, because more small ones are too many to look at. If there
    are more classes than rows, one row each, as far as twice the height goes.
    """
    columns = min(max(1920 // resolution, 3), 16)
    rows = min(max(1080 // resolution, 2), 9)
    return columns, max(rows, min(classes, 2160 // resolution))


def make_grid(images: np.ndarray, columns: int) -> np.ndarray:
    """Lays pictures out in rows, left to right and top to bottom.

    Takes uint8 [N, H, W, C] with N >= 1 and C 1 or 3, and returns
    uint8 [rows * H, columns * W, C]; cells without a picture are black. Raises
    ValueError for other shapes or dtypes, or without columns.
    """
    images = np.asarray(images)
    if images.ndim != 4 or not len(images) or images.shape[-1] not in (1, 3):
        wanted = "expected images [N, H, W, 1 or 3] with N >= 1"
        raise ValueError(f"{wanted}, got {list(images.shape)}")
    if images.dtype != np.uint8:
        raise ValueError(f"expected uint8 images, got {images.dtype}")
    if columns < 1:
        raise ValueError(f"expected at least one column, got {columns}")
    n, height, width, channels = images.shape
    rows = -(-n // columns)
    cells = np.zeros((rows * columns, height, width, channels), np.uint8)
    cells[:n] = images
    cells = cells.reshape(rows, columns, height, width, channels)  # [RKHWC]
    cells = cells.swapaxes(1, 2)  # [RHKWC]
    return cells.reshape(rows * height, columns * width, channels)


def encoded(image: np.ndarray, form: str, options: dict | None = None) -> bytes:
    """Returns uint8 [H, W, 3] or [H, W, 1] (grey) as the bytes of a file.

    `form` is Pillow's name of the file's format, such as "PNG", and `options`
    are those of its writer.
    """
    buffer = io.BytesIO()
    pixels = image[..., 0] if image.shape[-1] == 1 else image
    Image.fromarray(pixels).save(buffer, form, **(options or {}))
    return buffer.getvalue()


def save_png(path: str | os.PathLike, image: np.ndarray) -> None:
    """Writes uint8 [H, W, 3] or [H, W, 1] (grey) as a PNG, whole or not at all.

    The folder must exist. Raises ValueError for other shapes or dtypes, and
    UserError if the file cannot be written or the disk is full.
    """
    image = np.asarray(image)
    shape = list(image.shape)
    if image.ndim != 3 or shape[-1] not in (1, 3):
        raise ValueError(f"expected an image [H, W, 1 or 3], got {shape}")
    if image.dtype != np.uint8:
        raise ValueError(f"expected a uint8 image, got {image.dtype}")
    write_atomically(path, encoded(image, "PNG"))
