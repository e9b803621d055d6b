"""Batches of pictures on their way into a metric.

Every metric takes uint8 pictures `[N, R, R, C]`, C being 1 or 3, in batches of
any size: what it gives does not depend on how they are cut.
"""

import concurrent.futures
import os
import queue
import threading

import numpy as np

from progan_tf.errors import UserError

# Pictures of an array that are looked at together.
_BATCH = 64


def check_images(images, resolution=None):
    """Make sure that a batch can be measured.

    Args:
        images: anything; expected is uint8 `[N, R, R, C]` with C 1 or 3.
        resolution: int, the R that is expected, where it is known.

    Raises:
        UserError: if it is something else. Floats are refused, because a
            diverged network gives NaN, and NaN would become grey as uint8.
    """
    if not isinstance(images, np.ndarray):
        raise UserError(
            f"expected pictures as an array; received {type(images).__name__}"
        )
    shape = f"{images.dtype} {list(images.shape)}"
    if images.dtype.kind == "f" and not np.all(np.isfinite(images)):
        raise UserError(
            "expected uint8 pictures; received floats with NaN or infinity, "
            "such as a network makes that has diverged"
        )
    if images.dtype != np.uint8 or images.ndim != 4:
        raise UserError(
            f"expected pictures uint8 [N, R, R, 1 or 3]; received {shape}"
        )
    _, height, width, channels = images.shape
    if height != width or channels not in (1, 3):
        raise UserError(
            f"expected square pictures, grey or RGB; received {shape}"
        )
    if resolution not in (None, height):
        raise UserError(
            f"expected pictures of {resolution}x{resolution}, as the others; "
            f"received {height}x{width}"
        )


def check_count(name, count, least):
    """Make sure that there are enough pictures.

    Raises:
        UserError: if there are fewer than `least`.
    """
    if count < least:
        raise UserError(
            f"expected at least {least} picture{'s' * (least > 1)} for the "
            f"{name}; received {count}"
        )


def check_same_space(reals, fakes):
    """Make sure that features `[N, D]` are of one network.

    Raises:
        UserError: if their dimensions differ.
    """
    if reals.ndim != 2 or reals.shape[1:] != fakes.shape[1:]:
        raise UserError(
            "expected features [N, D] of one network; received "
            f"{list(reals.shape)} and {list(fakes.shape)}"
        )


def checked_batches(images):
    """Batches of pictures, all of one shape.

    Args:
        images: uint8 `[N, R, R, C]` or an iterable of batches of those.

    Returns:
        Iterator of uint8 `[n, R, R, C]`.

    Raises:
        UserError: at the first batch that is something else.
    """
    shape = None
    for batch in as_batches(images):
        check_images(batch, shape and shape[0])
        shape = shape or batch.shape[1:]
        if batch.shape[1:] != shape:
            raise UserError(
                f"expected pictures of {shape[-1]} colours, as the first; "
                f"received {batch.shape[-1]}"
            )
        yield batch


def as_batches(rows):
    """Batches of what is an array `[N, ...]` or has been cut already.

    Returns:
        Iterator of arrays `[n, ...]`.
    """
    if not isinstance(rows, np.ndarray):
        yield from rows
        return
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]


def regrouped(batches, size):
    """The same rows in groups of one size; the last may be smaller.

    Args:
        batches: iterable of arrays `[n, ...]`, any n.
        size: int, rows a group.

    Returns:
        Iterator of arrays `[size or fewer, ...]`.
    """
    waiting, missing = [], size
    for batch in batches:
        while len(batch) >= missing:
            first = batch[:missing]
            yield np.concatenate([*waiting, first]) if waiting else first
            batch = batch[missing:]
            waiting, missing = [], size
        waiting.append(batch)
        missing -= len(batch)
    if missing < size:
        yield np.concatenate(waiting)


def as_rgb(images):
    """Pictures `[..., 1 or 3]` with three colours; grey is repeated."""
    return np.broadcast_to(images, (*images.shape[:-1], 3))


def in_threads(function, items):
    """A list of `function(item)`, computed side by side.

    NumPy lets other threads run while it computes on large arrays.
    """
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, items))


def prefetched(iterable, depth=2):
    """The items of an iterable, made in a thread of their own.

    So a generator draws the next pictures while a metric looks at the last.
    An error of the iterable's comes out here. When the consumer stops early
    (`close`, or an error of its own) the thread ends after the item that it
    is at.

    Args:
        iterable: where the items come from; only that thread uses it.
        depth: int, items that may wait.

    Returns:
        Generator of the items, in order.
    """
    waiting = queue.Queue(maxsize=depth)
    stopped, end = threading.Event(), object()

    def put(entry):
        while not stopped.is_set():
            try:
                waiting.put(entry, timeout=0.1)
                return
            except queue.Full:
                continue

    def produce():
        try:
            for item in iterable:
                put((item, None))
                if stopped.is_set():
                    return
            put((end, None))
        # Whatever it is, it is the consumer's.
        except BaseException as error:
            put((end, error))

    # A daemon: an item that takes for ever must not keep the program alive.
    thread = threading.Thread(target=produce, daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is end:
                return
            yield item
    finally:
        stopped.set()
        thread.join()
