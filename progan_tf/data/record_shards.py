"""Records of any length in the shards of a split, read by their number."""

import bisect
import concurrent.futures
import itertools
import os
from collections.abc import Sequence

import numpy as np

from progan_tf.data.disk import cannot_read, file_size, read_part
from progan_tf.errors import UserError
from progan_tf.progress import progress
from progan_tf.reading import open_file

# Around the content of a TFRecord: its length as a little-endian uint64 and
# a checksum of that, and a checksum of the content.
_LENGTH, _BEFORE, _AFTER = 8, 12, 4


class Shards:
    """The content of the records of some TFRecord files, one after the other.

    Opening reads the length of every record, to know where each begins; that
    takes 8 bytes of memory a record. May be used from several threads.

    Args:
        instructions: for each file, in order, what TensorFlow Datasets calls
            a file instruction: `filename`, `skip` records and `take` records,
            out of `examples_in_shard`.

    Raises:
        UserError: a file cannot be read, or is cut off.
    """

    def __init__(self, instructions: Sequence):
        self._paths = [part.filename for part in instructions]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            found = pool.map(
                record_starts,
                self._paths,
                [part.examples_in_shard for part in instructions],
            )
            found = list(
                progress(found, len(self._paths), "file", "looked through")
            )
        self._starts = [
            starts[part.skip :][: part.take + 1]
            for starts, part in zip(found, instructions, strict=True)
        ]
        counts = [len(starts) - 1 for starts in self._starts]
        self._ends = list(itertools.accumulate(counts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> bytes:
        """Returns the content of one record.

        Raises:
            UserError: the file can no longer be read.
        """
        shard = bisect.bisect_right(self._ends, index)
        position = index - (self._ends[shard - 1] if shard else 0)
        start, end = self._starts[shard][position : position + 2].tolist()
        return read_part(
            self._paths[shard], start + _BEFORE, end - start - _BEFORE - _AFTER
        )


def record_starts(path: str | os.PathLike, count: int) -> np.ndarray:
    """Finds where each record of a TFRecord file begins.

    Args:
        path: the file.
        count: how many records it should have.

    Returns:
        int64 [count + 1]; the last is the size of the file.

    Raises:
        UserError: the file cannot be read, or has not so many records.
    """
    size = file_size(path)
    # Not more than have room in it: what says how many may be damaged, too.
    starts = np.empty(min(count, size // (_BEFORE + _AFTER)) + 1, np.int64)
    start = found = 0
    try:
        with open_file(path) as file:
            while found < count and start + _BEFORE + _AFTER <= size:
                starts[found] = start
                length = os.pread(file.fileno(), _LENGTH, start)
                start += _BEFORE + int.from_bytes(length, "little") + _AFTER
                found += 1
    except OSError as error:
        raise cannot_read(path, error) from error
    if found < count or start != size:
        raise UserError(
            f"expected {count} records in {path}, but it is cut off or has "
            "others; remove its folder, and it is prepared again"
        )
    starts[count] = size
    return starts
