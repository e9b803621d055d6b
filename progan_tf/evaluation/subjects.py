"""Whose pictures are evaluated: snapshots of a run, a generator, a folder."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple


class Subject(NamedTuple):
    """Something whose pictures are evaluated.

    `stream(numbers, labels)` iterates over uint8 `[n, r, r, C]` for a range of
    numbers. A generator's picture number n is that of seed n; a folder's come
    in another order for another first number. Labels are int64, one a picture,
    or None without classes.
    """

    name: str
    images_seen: int | None  # Where a run was, if that is known.
    stream: Callable


@dataclasses.dataclass
class OneSubject:
    """One generator or folder; attributes like those of `Snapshots`."""

    subject: Subject
    resolution: int
    channels: int
    num_classes: int
    available: int | None = None  # How many pictures, if there is an end.
    data: str | None = None
    config = None

    def __len__(self):
        return 1

    def __iter__(self):
        yield self.subject
