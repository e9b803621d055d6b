"""Writing the images of seeds: a grid in one file, or a file each.

What they were made for is kept in a hidden file beside them, the manifest. With
it a command that was stopped goes on when it is given again, and never mixes
the images of two generators.
"""

import collections
import hashlib
import io
import itertools
import json
import math
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from PIL import Image

from progan_tf.errors import UserError
from progan_tf.files import write_atomically, write_text_atomically, writing
from progan_tf.images import make_grid, save_png
from progan_tf.progress import progress
from progan_tf.reading import read_json
from progan_tf.sampling import AnyGenerator

# Endings of the files in a folder, of grids and of single files.
FORMATS = ("png", "jpg", "npy")
GRIDS = ("png", "jpg")
_FILES = (*GRIDS, "npy", "npz")
MANIFEST = ".generate.json"
_JPEG_QUALITY = 95
# JPEG holds no more, and a grid is laid out in memory.
_LONGEST_SIDE = 65_500
_GRID_BYTES = 10**9
_IMAGE = re.compile(rf"seed(\d{{6,10}})\.({'|'.join(FORMATS)})")
# Packing PNG files takes longer than making the images on a GPU.
_THREADS = min(8, os.cpu_count() or 1)
_WAITING = 4 * _THREADS


class SeededImages:
    """The images of one generator by their seeds, made when they are wanted.

    Args:
        generator: whose images they are.
        chosen: the class of all images; by default seed modulo classes.
        offset: float `[latent_size]`, by which all latents are moved.

    Attributes:
        shape: (height, width, channels) of an image.
        request: what an image depends on but its seed; JSON can hold it.

    Raises:
        UserError: there is no such class.
    """

    def __init__(
        self,
        generator: AnyGenerator,
        chosen: int | None = None,
        offset: np.ndarray | None = None,
    ):
        self._generator = generator
        self._chosen = chosen
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
        # So that a wrong class is told before anything is written.
        self.labels([0])

    def labels(self, seeds: Sequence[int]) -> np.ndarray | None:
        """Classes int64 `[N]`, or None where the generator has none."""
        return self._generator.labels_of(seeds, self._chosen)

    def images(self, seeds: Sequence[int]) -> Iterator[np.ndarray]:
        """Images uint8 `[height, width, channels]`, one after the other."""
        batches = self._generator.stream(
            seeds, self.labels(seeds), self._offset
        )
        return itertools.chain.from_iterable(batches)


def place_of(out: str, kind: str | None = None) -> tuple[bool, str]:
    """Where and how images are written.

    Args:
        out: a folder where it exists as one or ends with a slash, otherwise
            a file.
        kind: one of `FORMATS`, for the files in a folder; by default PNG.

    Returns:
        (whether it is a folder, the ending of the file or of those in it).

    Raises:
        UserError: it is neither, the file cannot be written, or the format
            is another one than its ending.
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
            f"--format={kind} is for FOLDER/; a file is what its ending says, "
            f"here {ending}"
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UserError(
            f"cannot write {out}: {path.parent} is no folder to write to"
        )
    return False, ending


def save_grid(
    source: SeededImages,
    seeds: Sequence[int],
    path: str | os.PathLike,
    columns: int | None = None,
) -> None:
    """Writes all images as one PNG or JPEG file, in place of what is there.

    Args:
        source: of the images.
        seeds: at least one.
        path: FILE.png or FILE.jpg; the folder must exist.
        columns: of the grid; by default it has about as many as rows.

    Raises:
        UserError: the grid is too large, or cannot be written.
    """
    columns = columns or math.ceil(math.sqrt(len(seeds)))
    height, width, channels = source.shape
    height, width = height * -(-len(seeds) // columns), width * columns
    too_long = max(height, width) > _LONGEST_SIDE
    if too_long or height * width * channels > _GRID_BYTES:
        raise UserError(
            f"a grid of {len(seeds):,} images would have {width:,} x "
            f"{height:,} pixels; write FOLDER/ or FILE.npz, or fewer seeds"
        )
    images = progress(source.images(seeds), len(seeds), "image", "generated")
    write_image(path, make_grid(np.stack(list(images)), columns))


def save_folder(
    source: SeededImages,
    seeds: Sequence[int],
    folder: str | os.PathLike,
    kind: str,
    overwrite: bool = False,
) -> int:
    """Writes those images that are missing as seedNNNNNN.png, .jpg or .npy.

    Files that the same request has made stay as they are, for they are
    whole: after an interruption the same call goes on where it was. Other
    calls may write images of other seeds at the same time.

    Args:
        source: of the images.
        seeds: a seed that comes again counts once.
        folder: it is made where need be.
        kind: one of `FORMATS`.
        overwrite: remove the images of another request that are there.

    Returns:
        How many images were made.

    Raises:
        UserError: the folder holds images of another request, or cannot be
            written.
    """
    folder, request = pathlib.Path(folder), {"format": kind, **source.request}
    there = set(_names_in(folder, _IMAGE))
    found = read_manifest(folder / MANIFEST)
    others = there if found != request else set()
    if others and not overwrite:
        raise occupied(folder, found, request)
    names = {f"seed{seed:06d}.{kind}": seed for seed in seeds}
    kept = there - others
    missing = [name for name in names if name not in kept]
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # Before the manifest, which is thus true at any moment.
        for name in others:
            (folder / name).unlink(missing_ok=True)
    write_manifest(folder / MANIFEST, request)
    images = source.images([names[name] for name in missing])
    images = progress(images, len(missing), "image", "generated")
    paths = (folder / name for name in missing)
    _in_threads(write_image, zip(paths, images, strict=True))
    return len(missing)


def write_image(path: str | os.PathLike, image: np.ndarray) -> None:
    """Writes one image as its path ends, whole or not at all.

    Args:
        path: .png, .jpg (quality 95, colours at full resolution) or .npy.
        image: uint8 `[height, width, 1 or 3]`.

    Raises:
        UserError: it cannot be written.
    """
    ending = pathlib.Path(path).suffix.lower()
    if ending == ".png":
        save_png(path, image)
        return
    buffer = io.BytesIO()
    if ending == ".npy":
        np.save(buffer, image)
    else:
        pixels = image[..., 0] if image.shape[-1] == 1 else image
        Image.fromarray(pixels).save(
            buffer, "JPEG", quality=_JPEG_QUALITY, subsampling="4:4:4"
        )
    write_atomically(path, buffer.getvalue())


def _names_in(folder: pathlib.Path, pattern: re.Pattern) -> list[str]:
    """Names of files that match, none where there is no such folder."""
    try:
        return [name for name in os.listdir(folder) if pattern.fullmatch(name)]
    except OSError:
        return []


def _in_threads(function: Callable, arguments: Iterable[tuple]) -> None:
    """Calls a function with each tuple of arguments, several at a time.

    Tuples are drawn as threads become free, so that few are held.
    """
    pool, waiting = ThreadPoolExecutor(_THREADS), collections.deque()
    try:
        for each in arguments:
            if len(waiting) == _WAITING:
                waiting.popleft().result()
            waiting.append(pool.submit(function, *each))
        while waiting:
            waiting.popleft().result()
    finally:
        # After an error or Ctrl-C without those that have not begun.
        pool.shutdown(cancel_futures=True)


def read_manifest(path: pathlib.Path) -> dict[str, Any]:
    """The fields of a manifest; none where no file can be read."""
    try:
        fields = read_json(path)
    except UserError:
        return {}
    return fields if isinstance(fields, dict) else {}


def write_manifest(path: pathlib.Path, fields: dict[str, Any]) -> None:
    """Writes a manifest, whole or not at all.

    Args:
        path: the file; its folder must exist.
        fields: of numbers, texts, dicts and None.

    Raises:
        UserError: the place cannot be written or the disk is full.
    """
    write_text_atomically(path, json.dumps(fields, indent=2) + "\n")


def occupied(
    place: str | os.PathLike, found: dict[str, Any], wanted: dict[str, Any]
) -> UserError:
    """The error to raise where a place holds images of another request.

    Args:
        place: the file or folder.
        found: the request in its manifest, empty where there is none.
        wanted: the request that is made now.
    """
    both = {**wanted, **found}
    names = [name for name in both if found.get(name) != wanted.get(name)]
    kind = "of an unknown request"
    if found and names:
        kind = f"of a request that differs in {' and '.join(names)}"
    return UserError(
        f"{place} holds images {kind}; choose another place, or give "
        "--overwrite to replace them"
    )
