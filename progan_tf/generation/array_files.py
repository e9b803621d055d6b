"""Writing images as one array, a .npy or .npz file of any size.

The images grow as an array under a hidden name, `.NAME.partial`. A manifest
beside it, `.NAME.generate.json`, tells how many are written, so that an
interrupted one goes on there.
"""

import hashlib
import io
import math
import os
import pathlib
import shutil
import time
import zipfile
from collections.abc import Iterable, Sequence
from typing import BinaryIO

import numpy as np

from progan_tf.files import only_writer, replacing, writing
from progan_tf.generation.image_files import (
    MANIFEST,
    SeededImages,
    occupied,
    read_manifest,
    write_manifest,
)
from progan_tf.progress import progress

# Between two notes of how far the file is: what a power cut may cost.
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
    It is packed when all images are there, for which the disk needs their
    space twice.

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
    path = pathlib.Path(path)
    partial = path.with_name(f".{path.name}.partial")
    manifest = path.with_name(f".{path.name}{MANIFEST}")
    members = {"seeds": np.array(seeds, "int64")}
    if (labels := source.labels(seeds)) is not None:
        members["labels"] = labels
    digest = hashlib.sha256(members["seeds"]).hexdigest()[:16]
    request = {**source.request, "seeds": digest}
    stored = read_manifest(manifest)
    found = stored.get("request", {})
    done = stored.get("done", 0) if found == request else 0
    there = path.exists()
    whole = done == len(seeds) and not partial.exists()
    if there and whole and path.stat().st_size == stored.get("bytes"):
        return 0
    if found != request:
        there = there or partial.exists()
    if there and not overwrite:
        raise occupied(path, found, request)
    with writing(path):
        path.parent.stat()  # A lock would make the folder.
    with only_writer(path, beside=True), writing(path):

        def note(done: int, size: int | None = None) -> None:
            fields = {"request": request, "done": done, "bytes": size}
            write_manifest(manifest, fields)

        # Not emptied, because it goes on where it was.
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT, 0o666)
        with open(descriptor, "r+b") as file:
            header = _npy_header((len(seeds), *source.shape))
            size = len(header) + done * math.prod(source.shape)
            if os.fstat(descriptor).st_size < size:
                done = 0
            if file.read(len(header)) != header:
                done = 0
                file.seek(0)
                file.write(header)
            note(done)
            file.seek(len(header) + done * math.prod(source.shape))
            left = seeds[done:]
            images = source.images(left)
            images = progress(images, len(left), "image", "generated")
            _write(file, images, lambda more: note(done + more))
        if path.suffix.lower() == ".npz":
            with replacing(path) as temporary:
                _pack(temporary, partial, members)
                note(len(seeds), temporary.stat().st_size)
            partial.unlink()
        else:
            note(len(seeds), partial.stat().st_size)
            os.replace(partial, path)
    return len(left)


def _write(file: BinaryIO, images: Iterable[np.ndarray], note) -> None:
    """Writes the images that are missing, the last ones of the file.

    Args:
        file: at the place of the first.
        images: uint8.
        note: function of how many have reached the disk.
    """
    noted, count = time.monotonic(), 0
    for count, image in enumerate(images, 1):
        file.write(np.ascontiguousarray(image))
        if time.monotonic() - noted >= _SECONDS:
            file.flush()
            os.fsync(file.fileno())
            note(count)
            noted = time.monotonic()
    # What an attempt may have left that was interrupted here.
    file.truncate()
    file.flush()
    os.fsync(file.fileno())
    note(count)


def _pack(
    path: pathlib.Path, images: pathlib.Path, members: dict[str, np.ndarray]
) -> None:
    """Writes an .npz of an .npy file, its `images`, and of small arrays."""
    with zipfile.ZipFile(path, "w") as archive:
        with (
            open(images, "rb") as source,
            archive.open(_entry("images"), "w", force_zip64=True) as target,
        ):
            shutil.copyfileobj(source, target, 2**20)
        for name, array in members.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            archive.writestr(_entry(name), buffer.getvalue())


def _entry(name: str) -> zipfile.ZipInfo:
    """An array's place in an archive, of 1980: equal arrays, equal files."""
    entry = zipfile.ZipInfo(f"{name}.npy")
    entry.external_attr = 0o644 << 16  # Readable where it is unpacked.
    return entry


def _npy_header(shape: tuple[int, ...]) -> bytes:
    """The beginning of a .npy file of uint8."""
    buffer = io.BytesIO()
    fields = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, fields)
    return buffer.getvalue()
