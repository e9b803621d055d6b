"""Showing the progress of long work, on a terminal and in logs."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import tqdm

from progan_tf.text import duration

Item = TypeVar("Item")

_SECONDS = 10.0  # Between two lines of a log.


def progress(
    items: Iterable[Item],
    total: int,
    unit: str,
    action: str,
    size: Callable[[Item], int] = lambda item: 1,
    leave: bool = True,
) -> Iterator[Item]:
    """Yields items and shows their number, the rate and the time left.

    A bar if stderr is a terminal, which stays at the end with `leave`.
    Otherwise a line now and then, for logs; none for short work. It says for
    example "prepared 5 of 9 pictures", with the action "prepared" and the unit
    "picture". An item counts when the next one is requested, as `size(item)`,
    such as the `len` of a batch.
    """
    if sys.stderr.isatty():
        with tqdm.tqdm(
            desc=action,
            total=total,
            leave=leave,
            unit=unit,
            dynamic_ncols=True,
            smoothing=0.05,
        ) as bar:
            for item in items:
                yield item
                bar.update(size(item))
        return
    start = said = time.monotonic()
    count = 0
    for item in items:
        now = time.monotonic()
        if count and now - said >= _SECONDS:
            said = now
            rate = count / (now - start)
            left = duration((total - count) / rate)
            print(
                f"{action} {count:,} of {total:,} {unit}s  "
                f"{rate:,.4g} {unit}s/s  {left} left",
                file=sys.stderr,
                flush=True,
            )
        yield item
        count += size(item)
