"""Picture files in an lmdb, the format of LSUN.

An lmdb is a tree of pages. A page has a header and then the offsets of its
nodes: keys with the number of a child page, or with a value, which may lie in
pages of its own. It is read here, and not by the package lmdb, which maps the
file into memory and trusts it: if a bit is flipped or the end is missing, the
process crashes.
"""

import logging
import os
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from progan_tf.data.disk import file_size, read_part
from progan_tf.data.encoded import RecordsSource
from progan_tf.data.source import CACHE_BYTES
from progan_tf.errors import UserError
from progan_tf.reading import open_file, refusing

_MAGIC, _VERSION = 0xBEEFC0DE, 1
# Of a page: padding and number, flags, end of the list of node offsets.
_PAGE = struct.Struct("<10xHH2x")
_BRANCH, _LEAF = 1, 2  # Flags of pages.
# Of a node: the halves of a number, flags, length of the key.
_NODE = struct.Struct("<HHHH")
_OWN_PAGES, _OTHER_TREE = 1, 2 | 4  # Flags of nodes.
# Magic, version, size of a page, root of the tree, last page, transaction.
_META = struct.Struct("<16xII16xI44x40xQQQ")
_NO_ROOT = 2**64 - 1
_MOST_LEVELS = 32  # Of a tree, as in the library.
# Offset and size of a value, offset of its node, and the size of the picture
# according to a key such as 64-00012, otherwise 0.
_RECORD = [(name, np.int64) for name in ("start", "size", "node", "side")]
_SIZED_KEY = re.compile(rb"(\d{1,6})-\d+")


class Lsun(RecordsSource):
    """The pictures of an lmdb, a folder or file, in the order of their keys.

    Its values are picture files; it has no labels. See `RecordsSource`. Raises
    UserError if there is no such database.
    """

    usage = "lsun:FOLDER"
    prefix = "lsun:"
    prepare_first = True

    def __init__(
        self,
        path: str | os.PathLike,
        channels: int = 3,
        labels: bool = False,
        cache_bytes: int = CACHE_BYTES,
    ):
        if labels:
            raise UserError(f"the lmdb {path} has no labels")
        if not os.path.exists(path):
            raise UserError(
                f"expected an lmdb, such as LSUN's; there is nothing at {path}"
            )
        folder = os.path.isdir(path)
        self._path = os.path.join(path, "data.mdb") if folder else path
        with refusing(self._path, "as lmdb"), open_file(self._path) as file:
            records = np.fromiter(_records(self._path, file), _RECORD)
        self._records = _of_one_size(records, str(path))
        super().__init__(str(path), channels, cache_bytes=cache_bytes)

    def __len__(self) -> int:
        return len(self._records)

    def _picture_name(self, index: int) -> str:
        place = int(self._records["node"][index])
        *_, length = _NODE.unpack(read_part(self._path, place, _NODE.size))
        key = read_part(self._path, place + _NODE.size, length)
        return key.decode(errors="replace")

    def _encoded(self, index: int) -> bytes:
        start, size, _, _ = self._records[index].tolist()
        return read_part(self._path, start, size)


def _records(path: str | os.PathLike, file: BinaryIO) -> Iterator[tuple]:
    """Yields the `_RECORD` of each value, in the order of the keys."""
    first = _META.unpack(file.read(_META.size))
    if first[:2] != (_MAGIC, _VERSION):
        raise ValueError("it is not an lmdb, or of another version")
    size = first[2]
    if not 256 <= size <= 65536 or size & (size - 1):
        raise ValueError(f"pages of {size} bytes")
    # There are two meta pages; the last transaction wrote the newer one.
    file.seek(size)
    second = _META.unpack(file.read(_META.size))
    newest = max(first, second, key=lambda meta: meta[-1])
    magic, version, _, root, last, _ = newest
    if (magic, version) != (_MAGIC, _VERSION):
        raise ValueError("it is damaged")
    there = file_size(path)
    if there < (last + 1) * size:
        raise UserError(
            f"expected at least {(last + 1) * size} bytes in {path}, found "
            f"{there}: it is cut off; copy or download it again"
        )
    if root != _NO_ROOT:
        yield from _below(file, size, root, last, set(), _MOST_LEVELS)


def _below(
    file: BinaryIO, size: int, number: int, last: int, seen: set, levels: int
) -> Iterator[tuple]:
    """Yields the records of a page and of those below it."""
    if number > last or number in seen or not levels:
        raise ValueError("it is damaged: its pages do not form a tree")
    seen.add(number)
    file.seek(number * size)
    page = file.read(size)
    flags, end = _PAGE.unpack_from(page)
    if flags & ~16 not in (_BRANCH, _LEAF):  # 16: written a moment ago.
        raise ValueError(
            "it is damaged, or has several values per key, which is not "
            "supported"
        )
    for (place,) in struct.iter_unpack("<H", page[_PAGE.size : end]):
        low, high, node_flags, key_length = _NODE.unpack_from(page, place)
        if flags & _BRANCH:
            below = low | high << 16 | node_flags << 32
            yield from _below(file, size, below, last, seen, levels - 1)
            continue
        if node_flags & _OTHER_TREE:
            raise ValueError(
                "it has named databases or several values per key, which is "
                "not supported"
            )
        key_end = place + _NODE.size + key_length
        length, start = low | high << 16, number * size + key_end
        if node_flags & _OWN_PAGES:
            (own,) = struct.unpack_from("<Q", page, key_end)
            start = own * size + _PAGE.size
        if start + length > (last + 1) * size:
            raise ValueError("it is damaged: a value is beyond its end")
        key = _SIZED_KEY.fullmatch(page, place + _NODE.size, key_end)
        side = int(key[1]) if key else 0
        yield start, length, number * size + place, side


def _of_one_size(records: np.ndarray, name: str) -> np.ndarray:
    """Keeps only the largest size if pictures are stored at several sizes."""
    sides = np.unique(records["side"])
    sides = sides[sides > 0]
    # LSUN's own keys are digests, few of which look like a size.
    sized = np.count_nonzero(records["side"])
    if len(sides) < 2 or sized < len(records) - 1:
        return records
    logging.getLogger("progan_tf").warning(
        "%s has pictures of %s pixels; only those of %d are used",
        name,
        ", ".join(map(str, sides[:20])),
        sides[-1],
    )
    return records[records["side"] == sides[-1]]
