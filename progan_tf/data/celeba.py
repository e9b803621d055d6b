"""CelebA's aligned pictures, cropped as in the official tool."""

import os
import pathlib

import numpy as np

from progan_tf.data.folder import Folder
from progan_tf.data.picture_files import read_picture, read_size

_SIZE = (178, 218)  # The width and height of an aligned picture.
_SIDE = 128
_CENTRE = (89, 121)  # The official tool's cx and cy, right below the eyes.


class CelebA(Folder):
    """A folder of CelebA's aligned pictures, such as `img_align_celeba`.

    The square of 128x128 around (89, 121) is cut out, as for the paper's
    table 1. Pictures of another size than 178x218 count as unreadable. See
    `Folder` for the arguments.
    """

    usage = "celeba:FOLDER"
    prefix = "celeba:"
    prepare_first = True

    @classmethod
    def lies_at(cls, path: str | os.PathLike) -> bool:
        return False  # Other folders are `Folder`s.

    def _short_side(self, file: pathlib.Path) -> int:
        size = read_size(self._root / file)
        if size != _SIZE:
            raise ValueError(
                f"expected the {_SIZE[0]}x{_SIZE[1]} pixels of an aligned "
                f"picture, got {size[0]}x{size[1]}"
            )
        return _SIDE

    def _read_picture(self, index: int, resolution: int) -> np.ndarray:
        left, top = (place - _SIDE // 2 for place in _CENTRE)
        box = (left, top, left + _SIDE, top + _SIDE)
        path = self._root / self._files[index]
        return read_picture(path, resolution, self.channels, box)
