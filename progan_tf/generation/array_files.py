"""Writing images as one array, a .npy or .npz file of any size.

The array is written under a hidden name, `.NAME.partial`. A manifest
beside it, `.NAME.generate.json`, records how many images are written, so that
an interrupted command can resume.
"""

import hashlib
import io
import math
import os
import pathlib
import shutil
import time
import zipfile

import numpy as np

from progan_tf.files import only_writer, replacing, writing
from progan_tf.generation.image_files import (
    MANIFEST,
    occupied,
    read_manifest,
    write_manifest,
)

# Between two updates of the manifest: the work that a power cut may cost.
_SECONDS = 2.0


def save_array(source, seeds, path, overwrite=False):
    """Writes all images as uint8 `[N, height, width, channels]`.

    FILE.npy is that array. FILE.npz holds it as `images`, uncompressed,
    besides `seeds` and, if there are classes, `labels`, both int64 `[N]`.
    It is packed at the end, which takes twice the space on the disk. The
    folder must exist.

    Images are written as they are made. After an interruption the same call
    resumes, and its file is byte for byte that of an uninterrupted one.

    Returns the number of images made: 0 if the file is complete already. Raises
    UserError if there is a file of another request, which `overwrite` replaces
    once this one is complete, or another process is writing it, or it cannot be
    written.
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
    found, done = stored.get("request"), stored.get("done")
    found = found if isinstance(found, dict) else {}
    if found != request or done not in range(len(seeds) + 1):
        done = 0
    there = path.exists()
    whole = done == len(seeds) and not partial.exists()
    if there and whole and path.stat().st_size == stored.get("bytes"):
        return 0
    if found != request:
        there = there or partial.exists()
    if there and not overwrite:
        raise occupied(path, found, request)
    with writing(path):
        path.parent.stat()  # A lock would create the folder.
    with only_writer(path, beside=True), writing(path):

        def note(done, size=None):
            fields = {"request": request, "done": done, "bytes": size}
            write_manifest(manifest, fields)

        made = _grow(partial, source, seeds, done, note)
        if path.suffix.lower() == ".npz":
            with replacing(path) as temporary:
                _pack(temporary, partial, members)
                note(len(seeds), temporary.stat().st_size)
            partial.unlink()
        else:
            note(len(seeds), partial.stat().st_size)
            os.replace(partial, path)
    return made


def _grow(path, source, seeds, done, note):
    """Writes the missing images of an .npy file; returns their number.

    It should hold `done` already. `note` is called with how many are on disk.
    """
    header = _npy_header((len(seeds), *source.shape))
    image_bytes = math.prod(source.shape)
    # Without truncation, to resume what is there.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    with open(descriptor, "r+b") as file:
        whole = os.fstat(descriptor).st_size >= len(header) + done * image_bytes
        if file.read(len(header)) != header or not whole:
            done = 0
            file.seek(0)
            file.write(header)
        file.seek(len(header) + done * image_bytes)

        def save(count):
            file.flush()
            os.fsync(descriptor)
            note(count)

        save(done)
        noted, left = time.monotonic(), seeds[done:]
        for count, image in enumerate(source.images(left), done + 1):
            file.write(np.ascontiguousarray(image))
            if time.monotonic() - noted >= _SECONDS:
                save(count)
                noted = time.monotonic()
        # Removes leftovers of an earlier attempt.
        file.truncate()
        save(len(seeds))
    return len(left)


def _pack(path, images, members):
    """Writes an .npz of `images`, an .npy file, and of small arrays."""
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


def _entry(name):
    """An archive entry dated 1980, so that equal arrays give equal files."""
    entry = zipfile.ZipInfo(f"{name}.npy")
    entry.external_attr = 0o644 << 16  # Readable where it is unpacked.
    return entry


def _npy_header(shape):
    """The beginning of a .npy file of uint8."""
    buffer = io.BytesIO()
    fields = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, fields)
    return buffer.getvalue()
