"""Writing the images of seeds: a grid in one file, or a file each.

A hidden file beside them, the manifest, records the request. With it an
interrupted command resumes when it is run again, and never mixes the images of
two generators.
"""

import contextlib
import hashlib
import itertools
import json
import math
import os
import pathlib
import re

import numpy as np

from progan_tf.errors import UserError
from progan_tf.files import (
    replacing,
    write_atomically,
    write_text_atomically,
    writing,
)
from progan_tf.images import encoded, make_grid, save_png
from progan_tf.progress import progress
from progan_tf.reading import read_json
from progan_tf.threads import in_threads

# Extensions of the files in a folder, of grids and of single files.
FORMATS = ("png", "jpg", "npy")
GRIDS = ("png", "jpg")
_FILES = (*GRIDS, "npy", "npz")
MANIFEST = ".generate.json"
_JPEG_OPTIONS = {"quality": 95, "subsampling": "4:4:4"}
# The limit of JPEG; and a grid is assembled in memory.
_LONGEST_SIDE = 65_500
_GRID_BYTES = 10**9
_IMAGE = re.compile(rf"seed(\d{{6,10}})\.({'|'.join(FORMATS)})")
# Encoding PNG files takes longer than generating the images on a GPU.
_MOST_THREADS = 8


class SeededImages:
    """The images of an `AnyGenerator` by their seeds, generated on demand.

    `chosen` is the class of all (UserError if there is no such class), by
    default seed modulo classes; an offset, float `[latent_size]`, moves all.

    Attributes:
        shape: (height, width, channels) of an image.
        request: dict for JSON, all that an image depends on except its seed.
    """

    def __init__(self, generator, chosen=None, offset=None):
        self._generator, self._chosen = generator, chosen
        self._offset = offset
        self.shape = generator.image_shape
        self.request = {
            "generator": generator.fingerprint,
            "resolution": self.shape[0],
            "class": chosen,
        }
        if offset is not None:
            digest = hashlib.sha256(np.ascontiguousarray(offset)).hexdigest()
            self.request["edit"] = digest[:16]
        # So that a wrong class raises before anything is written.
        self.labels([0])

    def labels(self, seeds):
        """Classes int64 `[N]`, or None if the generator has none."""
        return self._generator.labels_of(seeds, self._chosen)

    def images(self, seeds):
        """Yields images uint8 `[height, width, channels]`, one by one."""
        labels = self.labels(seeds)
        groups = self._generator.stream(seeds, labels, self._offset)
        images = itertools.chain.from_iterable(groups)
        return progress(images, len(seeds), "image", "generated")


def place_of(out, kind=None):
    """Whether images are written to a folder, and the extension of files.

    `out` is a folder if it exists as one or ends with a slash, otherwise a
    file. `kind` is one of `FORMATS` for the files in a folder, by default PNG.
    Raises UserError if it is neither, or the file cannot be written.
    """
    if out.endswith(("/", os.sep)) or os.path.isdir(out):
        return True, kind or FORMATS[0]
    path = pathlib.Path(out)
    ending = path.suffix.lower().removeprefix(".")
    if ending not in _FILES:
        names = ", ".join(f"FILE.{known}" for known in _FILES)
        raise UserError(f"expected FOLDER/, {names}; received {out!r}")
    if kind not in (None, ending):
        raise UserError(
            f"--format={kind} is for FOLDER/; the format of a single file "
            f"follows its ending, here {ending}"
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        reason = f"{path.parent} is not a folder that can be written to"
        raise UserError(f"cannot write {out}: {reason}")
    return False, ending


def save_grid(source, seeds, path, columns=None):
    """Writes all images as one PNG or JPEG file, and replaces an existing one.

    By default it has about as many columns as rows. Raises UserError if the
    grid is too large, or cannot be written.
    """
    columns = columns or math.ceil(math.sqrt(len(seeds)))
    height, width, channels = source.shape
    height, width = height * -(-len(seeds) // columns), width * columns
    too_long = max(height, width) > _LONGEST_SIDE
    if too_long or height * width * channels > _GRID_BYTES:
        raise UserError(
            f"a grid of {len(seeds):,} images would have {width:,} x "
            f"{height:,} pixels; write FOLDER/ or FILE.npz, or give fewer seeds"
        )
    images = np.stack(list(source.images(seeds)))
    write_image(path, make_grid(images, columns))


def save_folder(source, seeds, folder, kind, overwrite=False):
    """Writes the missing images as seedNNNNNN.png, .jpg or .npy.

    Files of the same request are kept, because each is written atomically:
    after an interruption the same call resumes. Other calls may write images of
    other seeds at the same time. Repeated seeds count once; the folder is
    created if necessary.

    Returns how many images were made. Raises UserError if the folder holds
    images of another request, which `overwrite` removes, or cannot be written.
    """
    folder, request = pathlib.Path(folder), {"format": kind, **source.request}
    there = set()
    with contextlib.suppress(OSError):
        there.update(filter(_IMAGE.fullmatch, os.listdir(folder)))
    found = read_manifest(folder / MANIFEST)
    others = there if found != request else set()
    if others and not overwrite:
        raise occupied(folder, found, request)
    names = {f"seed{seed:06d}.{kind}": seed for seed in seeds}
    kept = there - others
    missing = [name for name in names if name not in kept]
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # Before the manifest is written, which is thus true at any moment.
        for name in others:
            (folder / name).unlink(missing_ok=True)
    write_manifest(folder / MANIFEST, request)
    images = source.images([names[name] for name in missing])
    pairs = zip((folder / name for name in missing), images, strict=True)
    written = in_threads(lambda pair: write_image(*pair), pairs, _MOST_THREADS)
    with contextlib.closing(written):
        for _ in written:
            pass
    return len(missing)


def write_image(path, image):
    """Writes an image uint8 `[height, width, 1 or 3]`, whole or not at all.

    The path ends with .png, .jpg (quality 95, colours at full resolution) or
    .npy. Raises UserError if it cannot be written.
    """
    ending = pathlib.Path(path).suffix.lower()
    if ending == ".png":
        save_png(path, image)
    elif ending == ".npy":
        with replacing(path) as temporary:
            np.save(temporary, image)
    else:
        write_atomically(path, encoded(image, "JPEG", _JPEG_OPTIONS))


def read_manifest(path):
    """The fields of a manifest, a dict; empty if it cannot be read."""
    try:
        fields = read_json(path)
    except UserError:
        return {}
    return fields if isinstance(fields, dict) else {}


def write_manifest(path, fields):
    """Writes a manifest atomically; `fields` is a dict for JSON."""
    write_text_atomically(path, json.dumps(fields, indent=2) + "\n")


def occupied(place, found, wanted):
    """The UserError for a place that holds images of another request.

    `found` is the request in its manifest, empty if there is none; `wanted` is
    the current request.
    """
    both = {**wanted, **found}
    names = [name for name in both if found.get(name) != wanted.get(name)]
    kind = "made by an unknown request"
    if found and names:
        kind = f"made by a request that differs in {' and '.join(names)}"
    return UserError(
        f"{place} holds images {kind}; choose another place, or give "
        "--overwrite to replace them"
    )
