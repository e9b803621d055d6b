"""Reading folders and parts of large files.

Nothing is mapped into memory or read ahead here: what a process holds is
what it asked for, and the system's cache keeps the rest while it has room.
"""

import os

import numpy as np

from progan_tf.errors import UserError


def read_rows(
    path: str | os.PathLike, indices: np.ndarray, size: int
) -> np.ndarray:
    """Reads some rows of a file of rows of equal size.

    Args:
        path: the file.
        indices: int64 [N], the rows to read, counted from 0.
        size: bytes in a row.

    Returns:
        uint8 [N, size].

    Raises:
        UserError: the file cannot be read, or ends before.
    """
    rows = np.empty((len(indices), size), np.uint8)
    try:
        with open(path, "rb", buffering=0) as file:
            descriptor = file.fileno()
            for row, index in zip(rows, indices.tolist(), strict=True):
                if os.preadv(descriptor, [row], index * size) != size:
                    raise UserError(_cut_off(path, (index + 1) * size))
    except OSError as error:
        raise cannot_read(path, error) from error
    return rows


def read_part(path: str | os.PathLike, start: int, size: int) -> bytes:
    """Reads `size` bytes of a file, from byte `start` on.

    Raises:
        UserError: the file cannot be read, or ends before.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            part = os.pread(file.fileno(), size, start)
    except OSError as error:
        raise cannot_read(path, error) from error
    if len(part) != size:
        raise UserError(_cut_off(path, start + size))
    return part


def list_folder(path: str | os.PathLike) -> list[str]:
    """Returns the names in a folder, in the order of the file system.

    Raises:
        UserError: there is no such folder, or it may not be read.
    """
    try:
        return os.listdir(path)
    except OSError as error:
        raise cannot_read(path, error) from error


def file_size(path: str | os.PathLike) -> int:
    """Returns the bytes of a file.

    Raises:
        UserError: there is no such file.
    """
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise cannot_read(path, error) from error


def cannot_read(path: str | os.PathLike, error: OSError) -> UserError:
    """Returns the error of a path that cannot be read."""
    return UserError(f"cannot read {path}: {error.strerror or error}")


def _cut_off(path: str | os.PathLike, size: int) -> str:
    return (
        f"expected at least {size} bytes in {path}, found "
        f"{os.path.getsize(path)}: it is cut off; copy or prepare it again"
    )
