"""Showing how far long work is, on a terminal and where there is none."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import tqdm

from progan_tf.text import duration

Item = TypeVar("Item")

_SECONDS = 10.0  # Between two lines, where no bar can be drawn.


def progress(
    items: Iterable[Item],
    total: int,
    unit: str,
    action: str,
    size: Callable[[Item], int] = lambda item: 1,
    leave: bool = True,
) -> Iterator[Item]:
    """Yields items while it shows how many, how fast and the time left.

    A bar where stderr is a terminal, which stays with `leave`. Elsewhere a
    line now and then, for logs; none for work that is done at once. It says
    for example "prepared 5 of 9 pictures", with the action "prepared" and the
    unit "picture". An item counts, as many as its `size`, such as the `len`
    of a batch, when the next is asked for.
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
