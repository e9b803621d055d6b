"""Batches of pictures on their way into a metric.

Every metric takes uint8 pictures `[N, R, R, C]`, C being 1 or 3, in batches of
any size: what it gives does not depend on how they are cut.
"""

import queue
import threading

import numpy as np

from progan_tf.errors import UserError
from progan_tf.threads import in_threads

# Pictures of an array that are looked at together.
_BATCH = 64
# Pixels that a thread works on together, so that they stay in a cache.
_GROUP_PIXELS = 256**2


def expect(good, expected, received):
    """Raises UserError unless it is good."""
    if not good:
        raise UserError(f"expected {expected}; received {received}")


def check_images(images, resolution=None):
    """Raises UserError for anything but uint8 `[N, R, R, C]`, C being 1 or 3.

    R is `resolution`, where that is known. Floats are refused, because a
    diverged network gives NaN, and NaN would become grey as uint8.
    """
    is_array = isinstance(images, np.ndarray)
    expect(is_array, "pictures as an array", type(images).__name__)
    shape = f"{images.dtype} {list(images.shape)}"
    finite = images.dtype.kind != "f" or np.all(np.isfinite(images))
    diverged = "as a diverged network makes them"
    received = f"floats with NaN or infinity, {diverged}"
    expect(finite, "uint8 pictures", received)
    good = images.dtype == np.uint8 and images.ndim == 4
    expect(good, "pictures uint8 [N, R, R, 1 or 3]", shape)
    _, height, width, channels = images.shape
    good = height == width and channels in (1, 3)
    expect(good, "square pictures, grey or RGB", shape)
    expected = f"pictures of {resolution}x{resolution}, as the others"
    expect(resolution in (None, height), expected, f"{height}x{width}")


def check_count(name, count, least):
    """Raises UserError if there are fewer than `least` pictures."""
    pictures = "picture" if least == 1 else "pictures"
    expect(count >= least, f"at least {least} {pictures} for the {name}", count)


def check_same_space(reals, fakes):
    """Raises UserError unless features `[N, D]` are of one network."""
    same = reals.ndim == 2 and reals.shape[1:] == fakes.shape[1:]
    shapes = f"{list(reals.shape)} and {list(fakes.shape)}"
    expect(same, "features [N, D] of one network", shapes)


def checked_batches(images):
    """Iterator of batches, uint8 `[n, R, R, C]`, all of one shape.

    From one array or an iterable of batches. Raises UserError at the first that
    is something else.
    """
    shape = None
    for batch in as_batches(images):
        check_images(batch, shape and shape[0])
        shape = shape or batch.shape[1:]
        expected = f"pictures of {shape[-1]} colours, as the first"
        expect(batch.shape[1:] == shape, expected, batch.shape[-1])
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


def by_groups(function, resolution, *rows):
    """Iterator of `function` of groups of rows, computed side by side.

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
    made, stopped = queue.SimpleQueue(), threading.Event()
    places, end = threading.Semaphore(depth), object()

    def produce():
        try:
            for item in iterable:
                made.put((item, None))
                places.acquire()
                if stopped.is_set():
                    return
            made.put((end, None))
        # Whatever it is, it is the consumer's.
        except BaseException as error:
            made.put((end, error))

    # A daemon: an item that takes for ever must not keep the program alive.
    thread = threading.Thread(target=produce, daemon=True)
    thread.start()
    try:
        while True:
            item, error = made.get()
            if error is not None:
                raise error
            if item is end:
                return
            places.release()
            yield item
    finally:
        stopped.set()
        places.release()
        thread.join()
