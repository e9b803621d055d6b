"""Writing images as one array, a .npy or .npz file of any size.

The file grows under a hidden name, `.NAME.partial`, and takes its own when it
is whole. A manifest beside it, `.NAME.generate.json`, tells how far it is, so
that an interrupted one goes on there.
"""

import contextlib
import hashlib
import io
import math
import os
import pathlib
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from progan_tf.files import only_writer, writing
from progan_tf.generation.image_files import (
    MANIFEST,
    SeededImages,
    occupied,
    read_manifest,
    write_manifest,
)
from progan_tf.progress import progress

# Between two notes of how far the file is: what a crash may cost.
_SECONDS = 2.0


def save_array(
    source: SeededImages,
    seeds: Sequence[int],
    path: str | os.PathLike,
    overwrite: bool = False,
) -> int:
    """Writes all images as uint8 `[N, height, width, channels]`.

    FILE.npy is that array. FILE.npz holds it as `images`, not compressed,
    besides `seeds` and, where there are classes, `labels`, both int64 `[N]`.

    An image goes to the disk when it is made. After an interruption the same
    call goes on, and its file is that of an uninterrupted one, to the byte.

    Args:
        source: of the images.
        seeds: N of them, in the order of the images.
        path: FILE.npy or FILE.npz; the folder must exist.
        overwrite: replace a file of another request, once this one is whole.

    Returns:
        How many images were made: 0 where the file is there already.

    Raises:
        UserError: there is a file of another request, another process is
            writing it, or the place cannot be written.
    """
    file = _ArrayFile(source, seeds, pathlib.Path(path))
    if file.is_whole():
        return 0
    with file.claimed(overwrite) as done:
        left = seeds[done:]
        images = source.images(left)
        file.write(progress(images, len(left), "image", "generated"))
    return len(left)


class _ArrayFile:
    """A file that grows; the arguments are those of `save_array`."""

    def __init__(
        self,
        source: SeededImages,
        seeds: Sequence[int],
        path: pathlib.Path,
    ):
        self._path = path
        self._partial = path.with_name(f".{path.name}.partial")
        self._manifest = path.with_name(f".{path.name}{MANIFEST}")
        # The other arrays of an .npz file.
        self._members = {"seeds": np.array(seeds, "int64")}
        if (labels := source.labels(seeds)) is not None:
            self._members["labels"] = labels
        digest = hashlib.sha256(self._members["seeds"]).hexdigest()[:16]
        self._request = {**source.request, "seeds": digest}
        self._count, self._image_bytes = len(seeds), math.prod(source.shape)
        self._header = _npy_header((len(seeds), *source.shape))
        stored = read_manifest(self._manifest)
        self._found = stored.get("request", {})
        # Images that are written, and the check sum of the array up to them.
        self._done, self._crc = 0, zlib.crc32(self._header)
        self._bytes = None  # Of the file when that was noted.
        if self._found == self._request:
            self._done, self._crc = stored["done"], stored["crc"]
            self._bytes = stored.get("bytes")

    def is_whole(self) -> bool:
        """Whether the file of this very request is there."""
        return (
            self._done == self._count
            and self._path.exists()
            and self._path.stat().st_size == self._bytes
            and not self._partial.exists()
        )

    @contextlib.contextmanager
    def claimed(self, overwrite: bool) -> Iterator[int]:
        """Hold the place; yields how many images are written already.

        Raises:
            UserError: something of another request is there, another process
                is writing it, or the place cannot be written.
        """
        there = self._path.exists()
        if self._found != self._request:
            there = there or self._partial.exists()
        if there and not overwrite:
            raise occupied(self._path, self._found, self._request)
        with only_writer(self._path, beside=True), writing(self._path):
            # Not emptied, because it goes on where it was.
            descriptor = os.open(self._partial, os.O_RDWR | os.O_CREAT, 0o666)
            with open(descriptor, "r+b") as self._file:
                if os.fstat(descriptor).st_size < self._end(self._done):
                    self._done, self._crc = 0, zlib.crc32(self._header)
                yield self._done

    def write(self, images: Iterable[np.ndarray]) -> None:
        """Write the images that are missing, and give the file its name."""
        self._save()
        noted = time.monotonic()
        self._file.seek(self._end(self._done))
        for image in images:
            data = np.ascontiguousarray(image)
            self._file.write(data)
            self._done += 1
            self._crc = zlib.crc32(data, self._crc)
            if time.monotonic() - noted >= _SECONDS:
                self._save()
                noted = time.monotonic()
        self._complete()
        os.replace(self._partial, self._path)

    def _save(self) -> None:
        """Note what is written once it has reached the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        size = os.fstat(self._file.fileno()).st_size
        fields = {"done": self._done, "crc": self._crc, "bytes": size}
        write_manifest(self._manifest, {"request": self._request, **fields})

    def _complete(self) -> None:
        """Write what stands before and after the images."""
        file = self._file
        if self._done != self._count:
            raise ValueError(f"expected {self._count} images; got {self._done}")
        entry = self._zip_entry()
        file.seek(0)
        file.write(self._head(entry))
        file.seek(self._end(self._count))
        # What an attempt may have left that was interrupted here.
        file.truncate()
        if self._path.suffix.lower() == ".npz":
            # Into an open file zipfile writes from where it stands on; the
            # directory at the end must list the images, too.
            with zipfile.ZipFile(file, "w") as archive:
                archive.filelist.append(entry)
                for name, array in self._members.items():
                    buffer = io.BytesIO()
                    np.save(buffer, array)
                    entry = _entry(f"{name}.npy")
                    archive.writestr(entry, buffer.getvalue())
        self._save()

    def _zip_entry(self) -> zipfile.ZipInfo:
        """The images as a file in an archive, at its very beginning."""
        entry = _entry("images.npy")
        entry.header_offset = 0
        entry.CRC = self._crc
        entry.file_size = len(self._header) + self._count * self._image_bytes
        entry.compress_size = entry.file_size
        return entry

    def _head(self, entry: zipfile.ZipInfo) -> bytes:
        """What stands before the images; its length is always the same."""
        if self._path.suffix.lower() == ".npz":
            return entry.FileHeader(zip64=True) + self._header
        return self._header

    def _end(self, count: int) -> int:
        """The place in the file after some images."""
        return len(self._head(self._zip_entry())) + count * self._image_bytes


def _npy_header(shape: tuple[int, ...]) -> bytes:
    """The beginning of a .npy file of uint8."""
    buffer = io.BytesIO()
    fields = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, fields)
    return buffer.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    """A file in an archive, of 1980, so that equal arrays are equal files."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o644 << 16  # Readable where it is unpacked.
    return entry
