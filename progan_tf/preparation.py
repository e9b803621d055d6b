"""Preparing a data set: from any source, in parallel, to one of two forms."""

import collections
import concurrent.futures
import contextlib
import itertools
import os
import pathlib
import re
import shutil
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator

import numpy as np

from progan_tf.arithmetic import resolutions
from progan_tf.data import Folder
from progan_tf.data import Source
from progan_tf.data import check_resolution
from progan_tf.data import open_source
from progan_tf.data.arrays import Arrays
from progan_tf.data.celeba import CelebA
from progan_tf.data.compact_files import is_compact
from progan_tf.data.lsun import Lsun
from progan_tf.data.record_files import has_records
from progan_tf.data.tfds import TFDS
from progan_tf.data.writers import SetWriter
from progan_tf.data.writers import open_writer
from progan_tf.errors import UserError
from progan_tf.files import writing
from progan_tf.progress import progress

# A task of the threads is about so many bytes of pictures: enough that
# handing it over costs nothing, little enough that hundreds fit in memory.
_TASK_BYTES = 1 << 20
_MOST_A_TASK = 64

# The files of prepared sets. Where others lie among them, something would be
# lost with the set.
_SET_FILE = re.compile(
    r".+-r\d\d\.tfrecords|.+-rxx\.labels|r\d\d\.raw|compact\.json|"
    r"pictures\.webp|(index|checks|labels)\.npy",
    re.DOTALL,
)


def open_pictures(
    source: str,
    channels: int = 3,
    labels: bool = False,
    labels_file: str | None = None,
) -> Source:
    """Opens what the flag `--source` names.

    Args:
        source: what `--data` takes, or FILE.npz, celeba:FOLDER, lsun:FOLDER.
        channels: 3 for RGB or 1 for grey; the pictures are converted.
        labels: whether classes are wanted.
        labels_file: the classes of a folder's pictures, see `labels_file`.

    Raises:
        UserError: there is no such source, or it has no labels where they
            are wanted.
    """
    kind, _, place = source.partition(":")
    # Decoded pictures are not kept, because each is needed once.
    if kind == "celeba":
        return CelebA(place, channels, labels, 0, labels_file)
    if os.path.isdir(source) and not _is_prepared(source):
        return Folder(source, channels, labels, 0, labels_file)
    if labels_file is not None:
        raise UserError(
            f"expected --labels_file with a folder of pictures, got {source}"
        )
    if kind == "lsun":
        opened = Lsun(place, channels, cache_bytes=0)
    elif source.endswith(".npz"):
        opened = Arrays(source, channels, labels)
    elif kind == "tfds":
        opened = TFDS(source, channels, labels, cache_bytes=0)
    elif source == "cats" or os.path.isdir(source):
        opened = open_source(source, channels, labels)
    else:
        raise UserError(
            "expected --source=cats, a folder, FILE.npz, tfds:NAME, "
            f"celeba:FOLDER or lsun:FOLDER; there is no folder {source!r}"
        )
    if labels and not opened.num_classes:
        raise UserError(f"{source} has no labels; prepare it without --labels")
    return opened


def choose(
    source: Source, most: int | None = None, seed: int = -1
) -> np.ndarray:
    """Says which pictures are prepared, and in which order.

    The files of a folder are in the order of their names, in whatever
    sub-folder they are, so that sorting them into classes changes nothing.

    Args:
        source: where the pictures come from.
        most: how many are wanted; None for all.
        seed: of the official tool's shuffle; -1 for none.

    Returns:
        int64 [at most `most`]: the first ones of the whole, shuffled order,
        so that a few pictures of a sorted source are of all its kinds.
    """
    if isinstance(source, Folder):
        order = source.by_name()
    else:
        order = np.arange(len(source))
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
    """Writes a data set, whole or not at all.

    What a killed run has left is removed when the next one starts.

    Args:
        source: where the pictures come from.
        order: int64 [N], the pictures to write.
        out: the data set's folder.
        resolution: of its largest pictures, a power of two.
        form: one of `data.writers.FORMS`.
        name: of the set, the beginning of its files' names; by default the
            folder's.
        labels: write the classes, too.
        overwrite: replace a data set that is there.

    Raises:
        UserError: the source cannot give such pictures, the place is taken
            or cannot be written, or the disk is full.
    """
    check_resolution(source, resolution)
    out = pathlib.Path(out).resolve()
    name = name or out.name
    with _place(out, overwrite) as folder:
        if form == "tfrecords":
            _check_space(folder, len(order), resolution, source.channels)
        with open_writer(
            form, folder, name, resolution, source.channels
        ) as writer:
            _write_pictures(source, order, resolution, writer)
            writer.finish(
                source.labels(order) if labels else None,
                source.class_names if labels else (),
            )


def _write_pictures(
    source: Source, order: np.ndarray, resolution: int, writer: SetWriter
) -> None:
    """Reads and encodes in all threads, and writes in order in this one."""
    size = _TASK_BYTES // (resolution**2 * source.channels)
    size = min(max(size, 1), _MOST_A_TASK)
    parts = (order[at : at + size] for at in range(0, len(order), size))

    def encode(part: np.ndarray) -> list:
        images = source.images(part, resolution)
        return [writer.encode(image) for image in images]

    payloads = itertools.chain.from_iterable(_in_threads(encode, parts))
    for payload in progress(payloads, len(order), "picture", "prepared"):
        writer.append(payload)


def _in_threads(function: Callable, items: Iterable) -> Iterator:
    """Yields what a function makes of items, in order, working ahead.

    Threads, not processes: decoding and NumPy's work on large arrays leave
    Python's lock to others.
    """
    threads = os.cpu_count() or 1
    waiting = collections.deque()
    pool = concurrent.futures.ThreadPoolExecutor(threads)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            # As much ahead as keeps all busy, and memory bounded.
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _check_space(
    folder: pathlib.Path, pictures: int, resolution: int, channels: int
) -> None:
    """Raises UserError where raw records of all levels cannot fit."""
    pixels = sum(size**2 for size in resolutions(resolution))
    needed = pictures * pixels * channels
    above = folder.absolute().parent
    while not above.exists():
        above = above.parent
    free = shutil.disk_usage(above).free
    if needed > free:
        raise UserError(
            f"{pictures:,} pictures of {resolution}x{resolution} take "
            f"{needed / 1e9:,.1f} GB as tfrecords, and {above} has "
            f"{free / 1e9:,.1f} GB free; lower --resolution or --max_images, "
            "or use --format=compact"
        )


def check_place(
    out: str | os.PathLike, overwrite: bool, source: str = "cats"
) -> None:
    """Raises UserError unless a data set can be written to a folder.

    Args:
        out: the folder.
        overwrite: a data set that is there may be replaced.
        source: what `open_pictures` takes. In a folder of pictures a data set
            would be a class, and the file of a compact one a picture.
    """
    if not out:
        raise UserError("expected --out=FOLDER for the data set")
    folder = pathlib.Path(re.sub("^(celeba|lsun):", "", source)).resolve()
    if source != "cats" and folder in pathlib.Path(out).resolve().parents:
        raise UserError(f"{out} lies within {source}; choose another --out")
    if _is_free(out):
        return
    if not overwrite:
        raise UserError(
            f"{out} is there already; --overwrite replaces a data set"
        )
    whole = os.path.isdir(out) and _is_prepared(out)
    if not whole or not all(map(_SET_FILE.fullmatch, os.listdir(out))):
        raise UserError(
            f"{out} is no prepared data set, or more than that, so it is not "
            "replaced; choose another --out"
        )


@contextlib.contextmanager
def _place(out: pathlib.Path, overwrite: bool) -> Iterator[pathlib.Path]:
    """Gives the folder to write, which is `out` or will take its place.

    An old set is moved aside only when the new one is whole. Where that was
    cut off, the next run puts the old set back.
    """
    new, old = (
        out.with_name(f".{out.name}.{kind}") for kind in ("new", "replaced")
    )
    with writing(out):
        if old.exists() and not out.exists():
            old.rename(out)
    check_place(out, overwrite)
    if _is_free(out):
        yield out
        return
    try:
        shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(new, ignore_errors=True)
        yield new
        with writing(out):
            out.rename(old)
            new.rename(out)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _is_free(out: str | os.PathLike) -> bool:
    """Whether nothing is there but perhaps an empty folder."""
    if os.path.isdir(out):
        return not os.listdir(out)
    return not os.path.lexists(out)


def _is_prepared(folder: str | os.PathLike) -> bool:
    return is_compact(folder) or has_records(folder)
