"""Work in several threads, in order."""

import collections
import concurrent.futures
import math
import os
from collections.abc import Callable, Iterable, Iterator


def in_threads(
    function: Callable, items: Iterable, most: float = math.inf
) -> Iterator:
    """Yields a function's results for items, in order, from `most` threads.

    Items are drawn as results are taken, so that few are held. Threads, not
    processes: decoding, compression and NumPy's work on large arrays release
    Python's global lock. After an error, waiting items are cancelled.
    """
    threads = min(os.cpu_count() or 1, most)
    pool = concurrent.futures.ThreadPoolExecutor(threads)
    waiting = collections.deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            # Enough ahead to keep all threads busy, in bounded memory.
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
