"""Showing how far long work is, on a terminal and where there is none."""

import sys
import time
from collections.abc import Iterable, Iterator
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
    leave: bool = True,
) -> Iterator[Item]:
    """Yields items while it shows how many, how fast and the time left.

    A bar where stderr is a terminal. Elsewhere a line now and then, for logs;
    none for work that is done at once.

    Args:
        items: what is worked on; an item counts when the next is asked for.
        total: how many there are.
        unit: what one is called, such as "picture".
        action: what is done with them, such as "prepared".
        leave: whether the bar stays on the terminal when all is done.
    """
    if sys.stderr.isatty():
        yield from tqdm.tqdm(
            items,
            action,
            total,
            leave,
            unit=unit,
            dynamic_ncols=True,
            smoothing=0.05,
        )
        return
    start = said = time.monotonic()
    for count, item in enumerate(items):
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
