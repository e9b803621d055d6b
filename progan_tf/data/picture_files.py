"""Reading a picture file of any supported format as a square of pixels."""

import os
from typing import BinaryIO

import numpy as np
from PIL import Image

from progan_tf.reading import open_picture

# The formats that are read, by extension.
EXTENSIONS = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"))
KINDS = "JPEG, PNG, WebP, BMP or GIF"
# The operations that turn a picture upright, for EXIF tag 0x0112 from 2 to 8.
_ORIENTATION = 0x0112
_NAMES = (
    "FLIP_LEFT_RIGHT ROTATE_180 FLIP_TOP_BOTTOM TRANSPOSE ROTATE_270 "
    "TRANSVERSE ROTATE_90"
).split()
_UPRIGHT = {2 + i: Image.Transpose[name] for i, name in enumerate(_NAMES)}


def read_size(path: str | os.PathLike | BinaryIO) -> tuple[int, int]:
    """Returns (width, height) from the header; raises as `open_picture`."""
    with open_picture(path) as image:
        return image.size


def read_picture(
    path: str | os.PathLike | BinaryIO,
    resolution: int,
    channels: int,
    box: tuple[int, int, int, int] | None = None,
) -> np.ndarray:
    """Reads the centre square of a picture at a resolution.

    Only the first frame of an animation is used; the EXIF orientation is
    applied; transparent pictures are composited over white. Larger pictures are
    downscaled by area averaging, smaller ones enlarged bicubically.

    Returns uint8 [R, R, C] in [0, 255] for R the resolution and C channels, 3
    for RGB or 1 for grey (ITU-R BT.601); raises as `open_picture`. The `box`,
    (left, top, right, bottom) in pixels, is cut out first.
    """
    with open_picture(path) as image:
        if box is None:
            # A JPEG can be decoded at 1/2, 1/4 or 1/8 of its size for a
            # fraction of the time. Twice the target leaves the area filter
            # something to average. Other formats ignore this.
            image.draft(None, (2 * resolution, 2 * resolution))
        image.load()
        image = _plain(_upright(image), is_bitmap=image.format == "BMP")
    if box is not None:
        image = image.crop(box)
    return fit_square(image, resolution, channels)


def fit_square(
    image: Image.Image, resolution: int, channels: int
) -> np.ndarray:
    """Returns the centre square of a picture, "L" or "RGB", as uint8 [R, R, C].

    Larger pictures are downscaled by area averaging, smaller ones enlarged
    bicubically; a square of the right size stays unchanged, bit for bit.
    """
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    box, size = (left, top, left + side, top + side), (resolution, resolution)
    name = "BOX" if side >= resolution else "BICUBIC"
    image = image.resize(size, Image.Resampling[name], box)
    pixels = np.asarray(image.convert("RGB" if channels == 3 else "L"))
    return pixels.reshape(resolution, resolution, channels)


def _upright(image: Image.Image) -> Image.Image:
    """Applies the EXIF orientation, if there is one.

    Not `ImageOps.exif_transpose`: that also rewrites the other EXIF tags,
    and fails where one of them is malformed.
    """
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:
        # Malformed EXIF is common and no reason to lose a good picture.
        return image
    if orientation not in _UPRIGHT:
        return image
    return image.transpose(_UPRIGHT[orientation])


def _plain(image: Image.Image, is_bitmap: bool) -> Image.Image:
    """Converts any mode that Pillow reads to opaque 8-bit "L" or "RGB"."""
    if image.mode.startswith("I"):
        # 16-bit grey, as "I;16" and relatives or, from older Pillows, "I".
        # Pillow's own conversion clips at 255 instead of scaling.
        values = np.asarray(image).astype(np.int64).clip(0, 65535)
        # One value of it can mean transparency.
        values[values == image.info.get("transparency", -1)] = 65535
        return Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if image.mode == "RGBA" and is_bitmap and not image.getchannel(3).getbbox():
        # Programs that write no transparency leave its bits zero.
        return image.convert("RGB")
    if image.has_transparency_data:
        colour = image.info.get("transparency")
        if isinstance(colour, tuple) and max(colour) > 255:
            # Of 16 bits, while Pillow has kept 8 of the pixels.
            image.info["transparency"] = tuple(part >> 8 for part in colour)
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    if image.mode in ("1", "L"):
        return image.convert("L")
    return image.convert("RGB")
