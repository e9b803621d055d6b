"""Preparing a data set from any source, in parallel, in either format."""

import itertools
import logging
import os
import pathlib
import re
import shutil

import numpy as np

from progan_tf.data import Source, check_resolution, kind_named
from progan_tf.data.disk import list_folder
from progan_tf.data.sources import kind_at
from progan_tf.errors import UserError
from progan_tf.files import is_free, nearest_folder, put_back
from progan_tf.preparation.writers import SetWriter, open_writer
from progan_tf.progress import progress
from progan_tf.resolutions import resolutions
from progan_tf.text import data_size
from progan_tf.threads import in_threads

# A thread's task is about this many bytes of pictures: enough that the
# overhead is negligible, little enough that hundreds fit in memory.
_TASK_BYTES = 1 << 20
_MOST_A_TASK = 64
# The files of prepared sets. A folder with any others is not replaced, because
# they would be lost.
_SET_FILE = re.compile(
    r".+-r\d\d\.tfrecords|.+-rxx\.labels|r\d\d\.raw|compact\.json|"
    r"pictures\.webp|(index|checks|labels)\.npy",
    re.DOTALL,
)


def choose(
    source: Source, most: int | None = None, seed: int = -1
) -> np.ndarray:
    """Returns which pictures to prepare, in their order: int64 [N].

    If given, `most` limits them to the first ones of the shuffled order, so
    that a few pictures of a sorted source are of all its kinds. The seed is for
    the official tool's shuffle; -1 does not shuffle.
    """
    order = source.preparing_order()
    if seed >= 0:
        # NumPy's old generator, because it gives the official order.
        np.random.RandomState(seed).shuffle(order)
    return order[:most]


def prepare(
    source: Source,
    order: np.ndarray,
    out: str | os.PathLike,
    resolution: int,
    form: str = "tfrecords",
    name: str | None = None,
    labels: bool = False,
    overwrite: bool = False,
) -> None:
    """Writes pictures `order`, int64 [N], as a data set, whole or not at all.

    The `resolution`, a power of two, is the highest; file names begin with
    `name`, by default the folder's. For `form` and `overwrite` see
    `writers.open_writer`; `labels` says whether to write classes. Raises
    UserError if the source cannot read the pictures, `out` exists or cannot be
    written, or the disk is full. Files of a killed run are removed by the next.
    """
    check_resolution(source, resolution)
    out = pathlib.Path(out).resolve()
    check_place(out, overwrite)
    if form == "tfrecords":
        _check_space(out, len(order), resolution, source.channels)
    about = (out, name or out.name, resolution, source.channels, overwrite)
    with open_writer(form, *about) as writer:
        classes = _write_pictures(source, order, resolution, writer, labels)
        writer.finish(classes, source.class_names if labels else ())
    if source.replaced:
        logging.getLogger("progan_tf").warning(
            "%d pictures could not be decoded; each was replaced by the next "
            "readable one, which is therefore in the set twice",
            source.replaced,
        )


def _write_pictures(
    source: Source,
    order: np.ndarray,
    resolution: int,
    writer: SetWriter,
    labels: bool,
) -> np.ndarray | None:
    """Reads and encodes in worker threads, and writes in order in this one.

    Returns the classes, int64 [N], if wanted. They are read with the pictures,
    because some sources read a whole record for a label.
    """
    size = _TASK_BYTES // (resolution**2 * source.channels)
    size = min(max(size, 1), _MOST_A_TASK)
    classes = np.zeros(len(order), np.int64)

    def encode(start: int) -> list:
        part = order[start : start + size]
        if labels:
            classes[start : start + size] = source.labels(part)
        images = source.images(part, resolution)
        return [writer.encode(image) for image in images]

    tasks = in_threads(encode, range(0, len(order), size))
    payloads = itertools.chain.from_iterable(tasks)
    for payload in progress(payloads, len(order), "picture", "prepared"):
        writer.append(payload)
    return classes if labels else None


def _check_space(
    folder: pathlib.Path, pictures: int, resolution: int, channels: int
) -> None:
    """Raises UserError if the records of all levels do not fit on the disk."""
    pixels = sum(size**2 for size in resolutions(resolution))
    needed = pictures * pixels * channels
    above = nearest_folder(folder)
    free = shutil.disk_usage(above).free
    if needed > free:
        raise UserError(
            f"{pictures:,} pictures of {resolution}x{resolution} take "
            f"{data_size(needed)} as tfrecords, and {above} has "
            f"{data_size(free)} free; lower --resolution or --max_images, "
            "or use --format=compact"
        )


def check_place(
    out: str | os.PathLike, overwrite: bool, source: str = "cats"
) -> None:
    """Raises UserError unless a data set can be written to the folder `out`.

    With `overwrite` it may replace an existing one. It may not lie within
    the `source`, which is named as for `open_source`: in a folder of pictures
    it would become a class, and the file of a compact set a picture.
    """
    if not out:
        raise UserError("expected --out=FOLDER for the data set")
    pictures = kind_named(source).path(source)
    above = pathlib.Path(out).resolve().parents
    # An empty path is told when it is opened.
    if pictures and pathlib.Path(pictures).resolve() in above:
        raise UserError(f"{out} lies within {source}; choose another --out")
    put_back(out)
    if is_free(out):
        return
    if not overwrite:
        raise UserError(
            f"{out} is there already; --overwrite replaces a data set"
        )
    whole = os.path.isdir(out) and kind_at(out).form is not None
    if not whole or not all(map(_SET_FILE.fullmatch, list_folder(out))):
        raise UserError(
            f"{out} is not a prepared data set, or holds other files as well, "
            "so it is not replaced; choose another --out"
        )
