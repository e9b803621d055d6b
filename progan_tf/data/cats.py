"""360,000 drawn cats, composed from layers on demand.

The layers are those of set4 in the PyPI package `robohash`: cats by David
Revoy, under CC-BY 4.0. They need no download beyond that package, which
makes them the data that a first training run uses.
"""

import functools
import importlib.resources
import logging
import math
import os
import threading
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from progan_tf.data.disk import files_fingerprint
from progan_tf.data.source import Source, Wanted, check_resolution
from progan_tf.errors import UserError
from progan_tf.images import box_down

if TYPE_CHECKING:
    # The name is new in Python 3.11, and needed for annotations only.
    from importlib.resources.abc import Traversable

_DRAWN_AT = 1024  # The width and height of every layer file.
# How many layers each part has, in the order in which the parts are stacked:
# body, fur, eyes, mouth, accessories. An index stands for one of each.
_PART_SIZES = (15, 10, 15, 10, 16)
# The weights of R, G and B in grey (ITU-R BT.601), as in Pillow's "L".
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class Cats(Source):
    """The cats over white, labelled by body.

    Index i stands for one layer of each part in a mixed radix, the body as
    the fastest digit: the body of cat i is i % 15. Two of the ten furs are
    empty layers, so 36,000 of the cats look like another one.

    The layers are downscaled once for each resolution and then composed. This
    is close to downscaling the composed cat, but not equal: where the edges of
    two layers share a pixel, their coverages are multiplied. Raises UserError
    if `robohash` is not installed or has other layers.
    """

    usage = "cats"
    has_path = False
    credit = (
        "The training data were cats composed from pictures by David Revoy, CC "
        "BY 4.0: credit him as the source of pictures made with this model."
    )

    @classmethod
    def is_named(cls, data: str) -> bool:
        return data == cls.usage

    @classmethod
    def open(cls, data: str, wanted: Wanted) -> "Cats":
        if os.path.isdir(data):
            logging.getLogger("progan_tf").warning(
                "--data=cats means the drawn cats that come with the program; "
                "for the folder cats that is here, give --data=./cats"
            )
        return cls(wanted.channels)

    @classmethod
    def fingerprint(cls, data: str) -> str:
        return files_fingerprint(str(_folder()))

    def __init__(self, channels: int = 3):
        self._parts = _find_parts()
        # The body of 000#body0.png is body0.
        names = (file.name.partition("#")[2] for file in self._parts[0])
        names = tuple(name.removesuffix(".png") for name in names)
        limit = f"the cats are drawn at {_DRAWN_AT}x{_DRAWN_AT}"
        super().__init__("cats", _DRAWN_AT, limit, channels, names)
        # Two, so that measuring at one resolution while training at another
        # does not read the files again and again.
        self._layers = functools.lru_cache(2)(self._read_layers)
        self._lock = threading.Lock()  # So that only one thread reads them.

    def __len__(self) -> int:
        return math.prod(_PART_SIZES)

    def images(self, indices: np.ndarray, resolution: int) -> np.ndarray:
        check_resolution(self, resolution)
        with self._lock:
            parts = self._layers(resolution)
        shape = (len(indices), resolution, resolution, self.channels)
        images = np.empty(shape, np.uint8)  # [NRRC]
        canvas = np.empty((self.channels, resolution, resolution), np.float32)
        # One cat at a time: the canvas stays in the processor's cache, and
        # each layer touches only the rectangle that it covers.
        choices = np.stack(self._choices(indices), axis=-1).tolist()
        for image, choice in zip(images, choices, strict=True):
            canvas.fill(255)
            for layers, number in zip(parts, choice, strict=True):
                rows, columns, colour, keep = layers[number]
                covered = canvas[:, rows, columns]
                covered *= keep
                covered += colour
            canvas += 0.5  # Rounds, because the cast below truncates.
            image[...] = canvas.transpose(1, 2, 0)  # [CRR] to [RRC]
        return images

    def labels(self, indices: np.ndarray) -> np.ndarray:
        return self._choices(indices)[0]  # The number of the body.

    def _choices(self, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        """Returns, for each part, the chosen layers, int64 [N]."""
        return np.unravel_index(indices, _PART_SIZES, order="F")

    def _read_layers(self, resolution: int) -> list[list[tuple]]:
        """Returns the layers of each part at a resolution."""
        return [
            [_read_layer(file, resolution, self.channels) for file in part]
            for part in self._parts
        ]


def _folder() -> "Traversable":
    """Returns the folder of the layers."""
    try:
        package = importlib.resources.files("robohash")
    except ModuleNotFoundError as error:
        raise UserError(
            "the cats are drawn from the layers of the package robohash, "
            "which is not installed; run: pip install robohash"
        ) from error
    return package / "sets" / "set4"


def _find_parts() -> list[list["Traversable"]]:
    """Returns the layer files of each part, in the order of stacking.

    A part is a folder such as `001#01fur`; the number after '#' says when
    it is laid on. Its files, such as `004#fur4.png`, count from `000#`.
    """
    folder = _folder()
    folders = folder.iterdir() if folder.is_dir() else ()
    parts = [part for part in folders if part.is_dir() and "#" in part.name]
    parts.sort(key=lambda part: part.name.partition("#")[2])
    files = [
        [file for file in part.iterdir() if file.name.endswith(".png")]
        for part in parts
    ]
    for part in files:
        part.sort(key=lambda file: file.name)
    sizes = tuple(map(len, files))
    if sizes != _PART_SIZES:
        raise UserError(
            f"expected the cats of robohash 2 with layers {_PART_SIZES}, "
            f"found {sizes} in {folder}; run: pip install 'robohash>=2'"
        )
    return files


def _read_layer(file: "Traversable", resolution: int, channels: int) -> tuple:
    """Reads one file, shrinks it with a box filter and cuts it out.

    Returns the slices of rows and of columns that are not transparent, colours
    float32 [C, h, w] in [0, 255] and one minus alpha, float32 [h, w] in [0, 1].
    Planes, not pixels, come first: NumPy then multiplies whole rows and not
    three channels. Colours are premultiplied by alpha: the meaningless ones of
    transparent pixels must not bleed into the edges.
    """
    with file.open("rb") as stream, Image.open(stream) as image:
        layer = image.convert("RGBA").convert("RGBa")
    factor = _DRAWN_AT // resolution
    # The box of what is not transparent, widened to whole blocks.
    left, top, right, bottom = layer.getbbox() or (0, 0, 0, 0)
    left, top = left // factor, top // factor
    right, bottom = -(-right // factor), -(-bottom // factor)
    box = (left * factor, top * factor, right * factor, bottom * factor)
    pixels = np.asarray(layer.crop(box))  # uint8 [h*factor, w*factor, 4]
    # Exact, because float32 still holds the sum of a box of 256x256 pixels.
    means = box_down(pixels[np.newaxis], factor)[0]  # [hw4]
    colour = means[..., :3]
    if channels == 1:
        colour = (colour @ _LUMA)[..., None]
    colour = np.ascontiguousarray(colour.transpose(2, 0, 1))  # [Chw]
    keep = np.ascontiguousarray(1 - means[..., 3] / 255)
    return slice(top, bottom), slice(left, right), colour, keep
