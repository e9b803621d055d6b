"""Preparing a data set: from any source, in parallel, to one of two forms."""

import collections
import concurrent.futures
import itertools
import logging
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from progan_tf.data import Source, check_resolution
from progan_tf.preparation.place import check_place, check_space
from progan_tf.preparation.writers import SetWriter, open_writer
from progan_tf.progress import progress

# A task of the threads is about so many bytes of pictures: enough that
# handing it over costs nothing, little enough that hundreds fit in memory.
_TASK_BYTES = 1 << 20
_MOST_A_TASK = 64


def choose(
    source: Source, most: int | None = None, seed: int = -1
) -> np.ndarray:
    """Says which pictures are prepared, and in which order.

    Args:
        source: where the pictures come from.
        most: how many are wanted; None for all.
        seed: of the official tool's shuffle; -1 for none.

    Returns:
        int64 [at most `most`]: the first ones of the whole, shuffled order,
        so that a few pictures of a sorted source are of all its kinds.
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
    """Writes a data set, whole or not at all.

    What a killed run has left is removed when the next one starts.

    Args:
        source: where the pictures come from.
        order: int64 [N], the pictures to write.
        out: the data set's folder.
        resolution: of its largest pictures, a power of two.
        form: one of `preparation.writers.FORMS`.
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
    check_place(out, overwrite)
    if form == "tfrecords":
        check_space(out, len(order), resolution, source.channels)
    with open_writer(
        form, out, name, resolution, source.channels, overwrite
    ) as writer:
        classes = _write_pictures(source, order, resolution, writer, labels)
        writer.finish(classes, source.class_names if labels else ())
    if source.replaced:
        logging.getLogger("progan_tf").warning(
            "%d pictures could not be decoded; each has the next readable one "
            "in its place, which so is in the set twice",
            source.replaced,
        )


def _write_pictures(
    source: Source,
    order: np.ndarray,
    resolution: int,
    writer: SetWriter,
    labels: bool,
) -> np.ndarray | None:
    """Reads and encodes in all threads, and writes in order in this one.

    Returns the classes, int64 [N], if wanted. They are read with the pictures,
    because some sources read a whole record for one.
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

    tasks = _in_threads(encode, range(0, len(order), size))
    payloads = itertools.chain.from_iterable(tasks)
    for payload in progress(payloads, len(order), "picture", "prepared"):
        writer.append(payload)
    return classes if labels else None


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
