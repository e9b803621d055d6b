"""Pictures in an `.npz` file, a common form of MNIST and CIFAR-10."""

import os

import numpy as np
from PIL import Image

from progan_tf.data.labels_file import classes_of
from progan_tf.data.picture_files import fit_square
from progan_tf.data.pyramid import shrink
from progan_tf.data.source import Source, check_resolution
from progan_tf.errors import UserError
from progan_tf.reading import ArrayArchive
from progan_tf.resolutions import HIGHEST_RESOLUTION, LOWEST_RESOLUTION
from progan_tf.text import listed

# Names of the arrays of pictures and of labels: here, in Keras (`x_test` is
# left out, as in the official tool), in MedMNIST, and in `numpy.savez` without
# names.
_NAMES = {
    "x": "y",
    "x_train": "y_train",
    "images": "labels",
    "train_images": "train_labels",
    "arr_0": "arr_1",
}
# The official tool gives the digits of MNIST a black frame: 28 -> 32.
_FRAMED, _FRAME = 28, 2


class Arrays(Source):
    """The pictures of an `.npz` file, held in memory.

    They are uint8 [N, H, W], [N, H, W, C] or [N, C, H, W] with C 1 or 3.
    Pictures of 28x28 are padded with black to 32x32, as MNIST by the official
    tool; others are cropped to their central square and downscaled by area.
    Raises UserError if the file cannot be read, has no pictures, or lacks
    labels that are wanted: see `classes_of`.
    """

    usage = "FILE.npz"
    prepare_first = True

    @classmethod
    def is_named(cls, data: str) -> bool:
        return data.lower().endswith(".npz") and not os.path.isdir(data)

    def __init__(
        self, path: str | os.PathLike, channels: int = 3, labels: bool = False
    ):
        pictures, values = _load(path, labels)
        if pictures.shape[1:3] == (_FRAMED, _FRAMED):
            frame = ((_FRAME, _FRAME), (_FRAME, _FRAME))
            rest = ((0, 0),) * (pictures.ndim - 3)
            pictures = np.pad(pictures, ((0, 0), *frame, *rest))
        height, width = pictures.shape[1:3]
        side = min(height, width, HIGHEST_RESOLUTION)
        if side < LOWEST_RESOLUTION:
            raise UserError(
                f"expected pictures of at least {LOWEST_RESOLUTION} pixels in "
                f"{path}, got {width}x{height}"
            )
        names, numbers = (), None
        if labels:
            names, numbers = classes_of(values, len(pictures), str(path))
        largest = 1 << (side.bit_length() - 1)
        limit = f"the pictures of {path} are {width}x{height}"
        super().__init__(str(path), largest, limit, channels, names, numbers)
        self._pictures = pictures  # uint8 [N, H, W] or [N, H, W, 3]

    def __len__(self) -> int:
        return len(self._pictures)

    def images(self, indices: np.ndarray, resolution: int) -> np.ndarray:
        check_resolution(self, resolution)
        shape = (len(indices), resolution, resolution, self.channels)
        images = np.empty(shape, np.uint8)  # [NRRC]
        for image, index in zip(images, indices, strict=True):
            picture = Image.fromarray(self._pictures[index])
            square = fit_square(picture, self.resolution, self.channels)
            (image[...],) = shrink(square[np.newaxis], resolution)
        return images


def _load(
    path: str | os.PathLike, labels: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns pictures [N, H, W] or [N, H, W, 3], and labels if wanted."""
    with ArrayArchive(path) as arrays:
        name = next(filter(arrays.names.__contains__, _NAMES), None)
        there = listed(arrays.names)[:200] or "nothing"
        if name is None:
            raise UserError(
                f"expected pictures in {path} under one of the names "
                f"{', '.join(_NAMES)}; found {there}"
            )
        label_name = _NAMES[name]
        if labels and label_name not in arrays.names:
            raise UserError(
                f"expected labels in {path} under the name {label_name}; "
                f"found {there}"
            )
        pictures = _plain(arrays[name], f"{name} of {path}")
        return pictures, arrays[label_name] if labels else None


def _plain(pictures: np.ndarray, place: str) -> np.ndarray:
    """Returns channels last, and grey ones without that axis."""
    shape = list(pictures.shape)
    if pictures.dtype != np.uint8 or len(shape) not in (3, 4) or 0 in shape:
        raise UserError(
            f"expected pictures uint8 [N, H, W] or [N, H, W, C] as {place}, "
            f"got {pictures.dtype} {shape}"
        )
    if len(shape) == 4:
        if shape[3] not in (1, 3) and shape[1] in (1, 3):
            pictures = pictures.transpose(0, 2, 3, 1)  # [NCHW] to [NHWC]
        if pictures.shape[3] not in (1, 3):
            raise UserError(
                f"expected pictures of 1 or 3 channels as {place}, got {shape}"
            )
        if pictures.shape[3] == 1:
            pictures = pictures[..., 0]
    return np.ascontiguousarray(pictures)
