"""Work in several threads, in order."""

import collections
import concurrent.futures
import math
import os
from collections.abc import Callable, Iterable, Iterator


def in_threads(
    function: Callable, items: Iterable, most: float = math.inf
) -> Iterator:
    """Yields what a function makes of items, in order, in `most` threads.

    Items are drawn as threads become free, so that few are held. Threads, not
    processes: decoding, packing and NumPy's work on large arrays leave Python's
    lock to others. After an error, those that have not begun are left out.
    """
    threads = min(os.cpu_count() or 1, most)
    pool = concurrent.futures.ThreadPoolExecutor(threads)
    waiting = collections.deque()
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
