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
# Pixels that a thread works on together, so that they stay in a cache.
_GROUP_PIXELS = 256**2


def check_images(images, resolution=None):
    """Raises UserError for anything but uint8 `[N, R, R, C]`, C being 1 or 3.

    R is `resolution`, where that is known. Floats are refused, because a
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
    """Raises UserError if there are fewer than `least` pictures."""
    if count < least:
        raise UserError(
            f"expected at least {least} picture{'s' * (least > 1)} for the "
            f"{name}; received {count}"
        )


def check_same_space(reals, fakes):
    """Raises UserError unless features `[N, D]` are of one network."""
    if reals.ndim != 2 or reals.shape[1:] != fakes.shape[1:]:
        raise UserError(
            "expected features [N, D] of one network; received "
            f"{list(reals.shape)} and {list(fakes.shape)}"
        )


def checked_batches(images):
    """Iterator of batches, uint8 `[n, R, R, C]`, all of one shape.

    From one array or an iterable of batches. Raises UserError at the first that
    is something else.
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
    """Iterator of arrays `[n, ...]`, from one array or what is cut already."""
    if not isinstance(rows, np.ndarray):
        yield from rows
        return
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]


def regrouped(batches, size):
    """The rows of arrays `[n, ...]` in groups of one size.

    Returns an iterator of arrays `[size, ...]`, of which the last may be
    smaller.
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


def by_groups(function, resolution, *rows):
    """A list of `function` of groups of rows, computed side by side.

    Pictures of a group, which have that resolution, stay in a cache together.
    """
    size = max(1, _GROUP_PIXELS // resolution**2)
    starts = range(0, len(rows[0]), size)
    groups = [[x[start : start + size] for x in rows] for start in starts]
    return in_threads(lambda group: function(*group), groups)


def prefetched(iterable, depth=2):
    """Generator of the items of an iterable, made in a thread of their own.

    So a generator draws the next pictures while a metric looks at the last; at
    most `depth` items wait. An error of the iterable's comes out here. When the
    consumer stops early (`close`, or an error of its own) the thread ends after
    the item that it is at.
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
