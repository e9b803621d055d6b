"""Encoded pictures in an lmdb, as LSUN comes."""

import os

from progan_tf.data.disk import file_size
from progan_tf.data.encoded import RecordsSource
from progan_tf.data.source import CACHE_BYTES
from progan_tf.errors import UserError


class Lsun(RecordsSource):
    """The pictures of an lmdb whose values are picture files.

    They are in the order of their keys.

    Args:
        path: the lmdb: its folder or its file.
        channels: 3 for RGB or 1 for grey; the pictures are converted.
        labels: whether classes are wanted, of which an lmdb has none.
        cache_bytes: memory for decoded pictures.

    Raises:
        UserError: the package `lmdb` is not installed, there is no such
            database, or it does not hold pictures. More than 1 % of
            unreadable ones may also be found later, by `images`.
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
        self._environment, self._keys = _open(path)
        super().__init__(str(path), channels, cache_bytes=cache_bytes)

    def __len__(self) -> int:
        return len(self._keys)

    def _picture_name(self, index: int) -> str:
        """See `EncodedSource`."""
        return self._keys[index].decode(errors="replace")

    def _encoded(self, index: int) -> bytes:
        """See `RecordsSource`."""
        with self._environment.begin() as transaction:
            return transaction.get(self._keys[index])


def _open(path: str | os.PathLike):
    """Returns the lmdb environment, for reading by any thread, and its keys."""
    try:
        import lmdb
    except ImportError as error:
        raise UserError(
            "an lmdb needs the package lmdb: pip install progan-tf[lmdb]"
        ) from error
    if not os.path.exists(path):
        raise UserError(
            f"expected an lmdb, such as LSUN's; there is nothing at {path}"
        )
    try:
        environment = lmdb.open(
            str(path),
            subdir=os.path.isdir(path),
            readonly=True,
            # Nobody writes: without its lock file a read-only disk will do.
            lock=False,
            # Pictures are not asked for in the order of their keys.
            readahead=False,
        )
        _check_whole(path, environment)
        with environment.begin() as transaction:
            return environment, list(
                transaction.cursor().iternext(values=False)
            )
    except lmdb.Error as error:
        raise UserError(f"cannot read the lmdb {path}: {error}") from error


def _check_whole(path: str | os.PathLike, environment) -> None:
    """Raises UserError for a file that is cut off.

    An lmdb is mapped into memory, and the system ends a process that touches
    what is missing of such a file, without a word.
    """
    file = os.path.join(path, "data.mdb") if os.path.isdir(path) else path
    pages = environment.info()["last_pgno"] + 1
    size = pages * environment.stat()["psize"]
    if file_size(file) < size:
        raise UserError(
            f"expected at least {size} bytes in {file}, found "
            f"{file_size(file)}: it is cut off; copy or download it again"
        )
