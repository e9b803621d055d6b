"""Reading folders and parts of large files.

Nothing is mapped into memory or read ahead here: a process holds only
what it asked for, and the system caches the rest while it has room.
Files that cannot be read raise `UserError`.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from progan_tf.errors import UserError
from progan_tf.reading import open_file, refusing


def read_rows(
    path: str | os.PathLike, indices: np.ndarray, size: int
) -> np.ndarray:
    """Reads rows of a file by `indices`, int64 [N]; returns uint8 [N, size]."""
    rows = np.empty((len(indices), size), np.uint8)
    with refusing(path), open_file(path) as file:
        for row, index in zip(rows, indices.tolist(), strict=True):
            count = os.preadv(file.fileno(), [row], index * size)
            _check_whole(path, count == size, (index + 1) * size)
    return rows


def read_part(path: str | os.PathLike, start: int, size: int) -> bytes:
    """Returns `size` bytes of a file, from byte `start` on."""
    with refusing(path), open_file(path) as file:
        part = os.pread(file.fileno(), size, start)
        _check_whole(path, len(part) == size, start + size)
    return part


def list_folder(path: str | os.PathLike) -> list[str]:
    """Returns the names in a folder, in the order of the file system."""
    with refusing(path):
        return os.listdir(path)


def file_size(path: str | os.PathLike) -> int:
    """Returns the bytes of a file."""
    with refusing(path):
        return os.stat(path).st_size


def walk(
    root: str | os.PathLike,
    hidden: bool = True,
    on_error: Callable[[OSError], None] | None = None,
) -> Iterator[tuple[str, list[str]]]:
    """Yields (folder, its files) for a folder and all below; follows links.

    Hidden folders are entered only if `hidden`. A folder that cannot be read
    is skipped, after a call of `on_error`.
    """
    visited, waiting = set(), [os.fspath(root)]
    # Not by `os.walk`, which is recursive in some versions of Python.
    while waiting:
        folder = waiting.pop()
        # A link to a folder above would otherwise be followed for ever.
        visited.add(_identity(folder))
        names, files = [], []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    (names if entry.is_dir() else files).append(entry.name)
        except OSError as error:
            if on_error:
                on_error(error)
            continue
        yield folder, files
        below = [
            os.path.join(folder, name)
            for name in sorted(names, reverse=True)
            if hidden or not name.startswith(".")
        ]
        waiting += [path for path in below if _identity(path) not in visited]


def _identity(path: str | os.PathLike) -> tuple[int, int] | None:
    """Returns a folder's identity, the same by whatever path it is reached."""
    try:
        status = os.stat(path)
    except OSError:
        return None  # Whoever lists it says why.
    return status.st_dev, status.st_ino


def files_fingerprint(path: str | os.PathLike) -> str:
    """A digest of the names, sizes and times of a file or a folder's files.

    If nothing is there, as for an address, only the name counts.
    """
    if os.path.exists(path):
        # The same files from wherever they are looked at.
        path = os.path.abspath(path)
    digest = hashlib.sha256(os.fsencode(path))
    for folder, files in walk(path):
        for name in sorted(files):
            digest.update(_file_line(os.path.join(folder, name)))
    digest.update(_file_line(path))
    return digest.hexdigest()[:16]


def count_copies(
    paths: Iterable[str | os.PathLike], others: Iterable[str | os.PathLike]
) -> int:
    """How many of some files have the bytes of one of the others.

    A file is only read whole if another one has its size and its middle. Files
    that cannot be read are no copies.
    """
    paths, others = list(paths), list(others)
    for part in (os.path.getsize, _middle, _digest):
        ours, theirs = _by_part(paths, part), _by_part(others, part)
        both = ours.keys() & theirs.keys()
        paths, others = (
            [path for key in both for path in found[key]]
            for found in (ours, theirs)
        )
    return len(paths)


def _by_part(paths, part):
    """dict from what a function gives for a path to the paths, a list."""
    found = {}
    for path in paths:
        with contextlib.suppress(OSError):
            found.setdefault(part(path), []).append(path)
    return found


def _middle(path: str | os.PathLike) -> bytes:
    with open_file(path) as file:
        file.seek(os.path.getsize(path) // 2)
        return file.read(4096)


def _digest(path: str | os.PathLike) -> bytes:
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").digest()


def _check_whole(path: str | os.PathLike, is_whole: bool, size: int) -> None:
    if not is_whole:
        raise UserError(
            f"expected at least {size} bytes in {path}, found "
            f"{os.path.getsize(path)}: it is cut off; copy or prepare it again"
        )


def _file_line(path: str | os.PathLike) -> bytes:
    """Name, size and time of a file; nothing for a folder or none."""
    try:
        status = os.stat(path)
    except OSError:
        return b""
    if os.path.isdir(path):
        return b""
    times = f"{status.st_mtime_ns}\0{status.st_ctime_ns}"
    # A name need not be UTF-8.
    return os.fsencode(f"{path}\0{status.st_size}\0{times}\n")
