"""The files of a compact data set.

    compact.json   what the set is: see `About`
    pictures.webp  every picture as lossless WebP, one after the other
    index.npy      uint64 [N + 1], where in that file each begins and ends
    checks.npy     uint32 [N], the CRC-32 of each one's bytes
    labels.npy     int64 [N], the classes, where there are some; their CRC-32
                   is in compact.json
    rNN.raw        uint8 [N, r, r, C], the pictures at r = 2**NN, for 4x4 up
                   to 64x64, below the pictures' own resolution

Lossless WebP, because it was smaller than PNG and faster to write and read,
at every resolution. What is not stored is shrunk from the pictures, by the
rule of the official records. The lowest resolutions are stored because there
a training asks for more pictures a second than can be decoded; they take 16
KB a picture.
"""

import io
import json
import os
import pathlib
from typing import NamedTuple

import numpy as np
from PIL import Image

from progan_tf.arithmetic import resolutions
from progan_tf.data.disk import file_size
from progan_tf.errors import UserError

ABOUT = "compact.json"
PICTURES = "pictures.webp"
INDEX = "index.npy"
CHECKS = "checks.npy"
LABELS = "labels.npy"

_VERSION = 1
_LARGEST_RAW = 64

# Of Pillow's WebP writer. More effort than this made files 10 to 15 % smaller
# and took ten to twenty times as long.
_EFFORT = {"method": 0, "quality": 20}


class About(NamedTuple):
    """What a compact data set says of itself, in compact.json.

    Attributes:
        version: of the form.
        count: pictures.
        resolution: theirs, a power of two from 4 to 1024.
        channels: 1 or 3.
        class_names: one a class, empty without labels.
        labels_check: the CRC-32 of the labels' bytes, 0 without labels.
    """

    version: int
    count: int
    resolution: int
    channels: int
    class_names: tuple[str, ...]
    labels_check: int

    @classmethod
    def of(
        cls,
        count: int,
        resolution: int,
        channels: int,
        class_names: tuple[str, ...],
        labels_check: int,
    ) -> "About":
        """Returns what a data set of the present form says of itself."""
        class_names = tuple(class_names)
        return cls(
            _VERSION, count, resolution, channels, class_names, labels_check
        )

    def save(self, folder: pathlib.Path) -> None:
        """Writes compact.json."""
        text = json.dumps(self._asdict(), indent=2) + "\n"
        (folder / ABOUT).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: pathlib.Path) -> "About":
        """Reads compact.json.

        Raises:
            UserError: it cannot be read, or is of another version.
        """
        path = folder / ABOUT
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            # First, because another version may have other fields.
            version = dict(fields).get("version", _VERSION)
            if version != _VERSION:
                raise UserError(
                    f"expected version {_VERSION} of compact data in {path}, "
                    f"found {version}; prepare the data again"
                )
            about = cls(**fields)
            about = about._replace(class_names=tuple(about.class_names))
            for number in (about.count, about.resolution, about.channels):
                if not isinstance(number, int) or number < 1:
                    raise ValueError(f"{number!r} is no whole number above 0")
            for name in about.class_names:
                if not isinstance(name, str):
                    raise ValueError(f"{name!r} is no name of a class")
        except UserError:
            raise
        except (OSError, ValueError, TypeError) as error:
            raise UserError(
                f"cannot read {path}: {error}; copy or prepare the data again"
            ) from error
        return about


def is_compact(folder: str | os.PathLike) -> bool:
    """Says whether a folder is a compact data set."""
    return os.path.isfile(os.path.join(folder, ABOUT))


def raw_resolutions(resolution: int) -> tuple[int, ...]:
    """Returns which levels of pictures of a resolution are stored raw."""
    below = (size for size in resolutions(resolution) if size < resolution)
    return tuple(size for size in below if size <= _LARGEST_RAW)


def raw_name(resolution: int) -> str:
    """Returns the file's name of one of the raw resolutions."""
    return f"r{resolution.bit_length() - 1:02d}.raw"


def load_array(
    folder: pathlib.Path, name: str, dtype: type, count: int
) -> np.ndarray:
    """Reads a one-dimensional .npy file.

    Raises:
        UserError: it cannot be read or has another dtype or length.
    """
    path = folder / name
    try:
        array = np.load(path, allow_pickle=False)
    except Exception as error:  # Of any kind, where the header is damaged.
        raise UserError(
            f"cannot read {path}: {error}; copy or prepare the data again"
        ) from error
    if array.dtype != dtype or array.shape != (count,):
        raise UserError(
            f"expected {np.dtype(dtype)} [{count}] in {path}, found "
            f"{array.dtype} {list(array.shape)}; copy or prepare the data again"
        )
    return array


def check_size(path: pathlib.Path, size: int) -> None:
    """Raises UserError unless a file has `size` bytes."""
    found = file_size(path)
    if found != size:
        raise UserError(
            f"expected {size} bytes in {path}, found {found}; copy or prepare "
            "the data again"
        )


def encode_picture(image: np.ndarray) -> bytes:
    """Returns uint8 [R, R, C] as lossless WebP."""
    buffer = io.BytesIO()
    pixels = image[..., 0] if image.shape[-1] == 1 else image
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, **_EFFORT)
    return buffer.getvalue()


def decode_picture(encoded: bytes, channels: int) -> np.ndarray:
    """Returns uint8 [R, R, C] of what `encode_picture` made."""
    with Image.open(io.BytesIO(encoded), formats=["WEBP"]) as image:
        # WebP has no grey: then all three channels are the same.
        return np.asarray(image.convert("RGB"))[..., :channels]
