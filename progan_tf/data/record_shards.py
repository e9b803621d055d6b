"""Records of any length in the shards of a split, read by their number."""

import bisect
import concurrent.futures
import itertools
import os
from collections.abc import Sequence

import numpy as np

from progan_tf.data.disk import file_size, read_part
from progan_tf.errors import UserError
from progan_tf.progress import progress
from progan_tf.reading import open_file, refusing

# Around the content of a TFRecord: its length as a little-endian uint64 and
# a checksum of that, and a checksum of the content.
_LENGTH, _BEFORE, _AFTER = 8, 12, 4


class Shards:
    """The content of the records of some TFRecord files, one after the other.

    The files are given, in order, by what TensorFlow Datasets calls file
    instructions: `filename`, `skip` records and `take` records, out of
    `examples_in_shard`. Opening reads the length of every record, to know
    where each begins; that takes 8 bytes of memory a record. May be used from
    several threads. Raises UserError where a file cannot be read, or is cut
    off.
    """

    def __init__(self, instructions: Sequence):
        self._paths = [part.filename for part in instructions]
        counts = [part.examples_in_shard for part in instructions]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            found = pool.map(record_starts, self._paths, counts)
            found = progress(found, len(counts), "file", "looked through")
            self._starts = [
                starts[part.skip :][: part.take + 1]
                for starts, part in zip(found, instructions, strict=True)
            ]
        taken = (len(starts) - 1 for starts in self._starts)
        self._ends = list(itertools.accumulate(taken))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> bytes:
        shard = bisect.bisect_right(self._ends, index)
        position = index - (self._ends[shard - 1] if shard else 0)
        start, end = self._starts[shard][position : position + 2].tolist()
        size = end - start - _BEFORE - _AFTER
        return read_part(self._paths[shard], start + _BEFORE, size)


def record_starts(path: str | os.PathLike, count: int) -> np.ndarray:
    """Finds where each of the `count` records of a TFRecord file begins.

    Returns int64 [count + 1], of which the last is the size of the file.
    Raises UserError where it cannot be read, or has not so many records.
    """
    size = file_size(path)
    # Not more than have room in it: what says how many may be damaged, too.
    starts = np.empty(min(count, size // (_BEFORE + _AFTER)) + 1, np.int64)
    start = found = 0
    with refusing(path), open_file(path) as file:
        while found < count and start + _BEFORE + _AFTER <= size:
            starts[found] = start
            length = os.pread(file.fileno(), _LENGTH, start)
            start += _BEFORE + int.from_bytes(length, "little") + _AFTER
            found += 1
    if found < count or start != size:
        raise UserError(
            f"expected {count} records in {path}, but it is cut off or has "
            "others; remove its folder, and it is prepared again"
        )
    starts[count] = size
    return starts
