"""Compact data sets: losslessly compressed pictures in one folder.

    compact.json   metadata of the set: see `About`
    pictures.webp  every picture as lossless WebP, one after the other
    index.npy      uint64 [N + 1], where in that file each begins and ends
    checks.npy     uint32 [N], the CRC-32 of each one's bytes
    labels.npy     int64 [N], the classes, if there are any; their CRC-32
                   is in compact.json
    rNN.raw        uint8 [N, r, r, C], the pictures at r = 2**NN, for 4x4 up
                   to 64x64, below the pictures' own resolution

WebP is lossless here; it was smaller than PNG and faster to write and read,
at every resolution. Resolutions that are not stored are downscaled from the
pictures, by the rule of the official records. The lowest ones are stored,
because there training consumes more pictures per second than can be decoded;
they take 16 KB a picture.
"""

import io
import json
import math
import os
import pathlib
import zlib
from typing import NamedTuple

import numpy as np

from progan_tf.data.disk import file_size, read_part, read_rows
from progan_tf.data.encoded import EncodedSource
from progan_tf.data.folder import Folder
from progan_tf.data.labels_file import MOST_CLASSES
from progan_tf.data.pyramid import shrink
from progan_tf.data.source import CACHE_BYTES, check_channels, check_resolution
from progan_tf.errors import UserError
from progan_tf.images import encoded
from progan_tf.reading import open_picture, read_array, read_json
from progan_tf.resolutions import resolutions
from progan_tf.text import first_line, shortened

ABOUT = "compact.json"
PICTURES = "pictures.webp"
INDEX = "index.npy"
CHECKS = "checks.npy"
LABELS = "labels.npy"
VERSION = 1
_LARGEST_RAW = 64
_AGAIN = "copy or prepare the data again"
# Options of Pillow's WebP writer. More effort made files 10 to 15 % smaller
# and took ten to twenty times as long.
_WEBP_OPTIONS = {"lossless": True, "method": 0, "quality": 20}


class About(NamedTuple):
    """The metadata of a compact data set, in compact.json."""

    version: int  # Of the format.
    count: int  # Number of pictures.
    resolution: int  # Of the pictures, a power of two from 4 to 1024.
    channels: int  # 1 or 3.
    class_names: tuple[str, ...]  # One per class, empty without labels.
    labels_check: int  # The CRC-32 of the labels' bytes, 0 without labels.

    def save(self, folder: pathlib.Path) -> None:
        """Writes compact.json."""
        text = json.dumps(self._asdict(), indent=2) + "\n"
        (folder / ABOUT).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: pathlib.Path) -> "About":
        """Reads compact.json; UserError if damaged or of another version."""
        path = folder / ABOUT
        try:
            fields = read_json(path)
            # First, because another version may have other fields.
            version = dict(fields).get("version", VERSION)
            if version != VERSION:
                raise UserError(
                    f"expected version {VERSION} of compact data in {path}, "
                    f"found {shortened(version)}; prepare the data again"
                )
            about = cls(**fields)
            about = about._replace(class_names=tuple(about.class_names))
            for number in (about.count, about.resolution, about.channels):
                if type(number) is not int or number < 1:
                    raise _not(number, "whole number above 0")
            if len(about.class_names) > MOST_CLASSES:
                raise ValueError(f"more than {MOST_CLASSES} classes")
            for name in about.class_names:
                if not isinstance(name, str):
                    raise _not(name, "name of a class")
        except UserError:
            raise
        except (ValueError, TypeError) as error:
            raise UserError(
                f"cannot read {path}: {first_line(error)}; {_AGAIN}"
            ) from error
        return about


class Compact(EncodedSource):
    """A compact data set: the pictures of official records in less space.

    See this module for the format. The resolutions in `stored`, up to 64x64,
    are read directly; higher ones are decoded, downscaled by the rule of the
    official records, and cached in memory if all of them fit.

    Raises UserError if there is no such data set, or it is damaged, has other
    channels, or lacks labels that are wanted. Damage within a picture is only
    found when `images` or `verify` read it.
    """

    usage = Folder.usage
    form = "compact"

    @classmethod
    def lies_at(cls, path: str | os.PathLike) -> bool:
        return os.path.isfile(os.path.join(path, ABOUT))

    def __init__(
        self,
        path: str | os.PathLike,
        channels: int | None = 3,  # 3 also takes grey; None takes as stored.
        labels: bool | None = False,  # None takes classes if there are any.
        cache_bytes: int = CACHE_BYTES,
    ):
        self._folder = folder = pathlib.Path(path)
        self._about = about = About.load(folder)
        self._index, self._checks = _open(folder, about)
        channels = about.channels if channels is None else channels
        labels = bool(about.class_names) if labels is None else labels
        check_channels(path, about.channels, channels)
        size = about.resolution
        self.stored = raw_resolutions(size)
        limit = f"the pictures in {path} are {size}x{size}"
        numbers = _open_labels(folder, about) if labels else None
        names = about.class_names if labels else ()
        about = (str(path), size, limit, channels, names, numbers)
        super().__init__(*about, cache_bytes=cache_bytes)

    def __len__(self) -> int:
        return self._about.count

    def images(self, indices: np.ndarray, resolution: int) -> np.ndarray:
        check_resolution(self, resolution)
        if resolution not in self.stored:
            return super().images(indices, resolution)
        shape = (resolution, resolution, self._about.channels)
        path = self._folder / raw_name(resolution)
        rows = read_rows(path, np.asarray(indices), math.prod(shape))
        images = rows.reshape(-1, *shape)  # [NRRC]
        more = self.channels // shape[-1]
        return images if more == 1 else images.repeat(more, axis=-1)

    def _read_picture(self, index: int, resolution: int) -> np.ndarray:
        path = self._folder / PICTURES
        start, end = self._index[index : index + 2].tolist()
        encoded = read_part(path, start, end - start)
        if zlib.crc32(encoded) != self._checks[index]:
            raise UserError(
                f"picture {index}, counted from 0, of {path} is damaged; "
                + _AGAIN
            )
        picture = decode_picture(encoded, self.resolution, self._about.channels)
        return shrink(picture[np.newaxis], resolution)[0]


def _not(value: object, wanted: str) -> ValueError:
    return ValueError(f"{shortened(repr(value))} is no {wanted}")


def raw_resolutions(resolution: int) -> tuple[int, ...]:
    """Returns the levels below a resolution that are stored uncompressed."""
    below = resolutions(resolution)[:-1]
    return tuple(size for size in below if size <= _LARGEST_RAW)


def raw_name(resolution: int) -> str:
    """Returns the file name of an uncompressed level."""
    return f"r{resolution.bit_length() - 1:02d}.raw"


def _load_array(path: pathlib.Path, dtype: type, count: int) -> np.ndarray:
    """Reads a one-dimensional .npy file."""
    array = read_array(path, np.dtype(dtype).itemsize * max(count, 1) + 64)
    if array.dtype != dtype or array.shape != (count,):
        raise UserError(
            f"expected {np.dtype(dtype)} [{count}] in {path}, found "
            f"{array.dtype} {list(array.shape)}; {_AGAIN}"
        )
    return array


def _check_size(path: pathlib.Path, size: int) -> None:
    """Raises UserError unless a file has `size` bytes."""
    found = file_size(path)
    if found != size:
        raise UserError(
            f"expected {size} bytes in {path}, found {found}; {_AGAIN}"
        )


def encode_picture(image: np.ndarray) -> bytes:
    """Returns uint8 [R, R, C] as lossless WebP."""
    return encoded(image, "WEBP", _WEBP_OPTIONS)


def decode_picture(encoded: bytes, size: int, channels: int) -> np.ndarray:
    """Decodes what `encode_picture` returned, uint8 [R, R, C]; R is `size`."""
    with open_picture(io.BytesIO(encoded), ("WEBP",)) as image:
        if image.size != (size, size):
            raise ValueError(f"expected {size} pixels, got {image.size}")
        # WebP has no grey: then all three channels are the same.
        return np.asarray(image.convert("RGB"))[..., :channels]


def _open(folder: pathlib.Path, about: About) -> tuple[np.ndarray, np.ndarray]:
    """Checks the files' sizes; returns the index and the checksums."""
    index = _load_array(folder / INDEX, np.uint64, about.count + 1)
    checks = _load_array(folder / CHECKS, np.uint32, about.count)
    if index[0] != 0 or (index[1:] < index[:-1]).any():
        raise UserError(
            "expected numbers that begin with 0 and never decrease in "
            f"{folder / INDEX}; " + _AGAIN
        )
    _check_size(folder / PICTURES, int(index[-1]))
    for size in raw_resolutions(about.resolution):
        pixels = about.count * size**2
        _check_size(folder / raw_name(size), pixels * about.channels)
    return index, checks


def _open_labels(folder: pathlib.Path, about: About) -> np.ndarray:
    """Returns the class of each picture, int64 [N]."""
    if not about.class_names:
        raise UserError(
            f"expected labels, but {folder} was prepared without; train "
            "without labels or prepare the data with classes"
        )
    labels = _load_array(folder / LABELS, np.int64, about.count)
    if zlib.crc32(labels) != about.labels_check:
        raise UserError(f"{folder / LABELS} is damaged; {_AGAIN}")
    classes = len(about.class_names)
    if labels.min() < 0 or labels.max() >= classes:
        raise UserError(
            f"expected labels from 0 to {classes - 1} in {folder / LABELS}, "
            f"found {labels.min()} to {labels.max()}; prepare the data again"
        )
    return labels
