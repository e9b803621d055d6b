"""Atomic writing of files and folders, and locks on them.

What cannot be written, as on a full disk, raises `UserError`.
"""

import contextlib
import functools
import os
import pathlib
import platform
import re
import secrets
import shutil
import zlib
from collections.abc import Iterator

from progan_tf.errors import UserError

# .NAME.MACHINE-PROCESS-RANDOM.tmp.ENDING, see `_temporary`.
_TEMPORARY = re.compile(
    r"\..*\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.tmp(\..*)?", re.DOTALL
)
_mine = set()  # Such names of this process.
_tidied = set()  # Folders that were searched for leftovers of other processes.
_LOCK = ".lock"
# A complete folder, whose files are yet to be moved to the folder above it.
_WHOLE = ".whole"


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """Turns an OSError while writing a path into a UserError that names it."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"cannot write {path}: {reason}; "
            "free some space or choose another place"
        ) from error


def check_folder(path: str | os.PathLike) -> None:
    """Raises UserError unless a folder is writable or can be created."""
    near = nearest_folder(path)
    if not near.is_dir() or not os.access(near, os.W_OK | os.X_OK):
        raise UserError(
            f"cannot write {path}: {near} is not a folder that can be written "
            "to"
        )


def nearest_folder(path: str | os.PathLike) -> pathlib.Path:
    """Returns a path, or its nearest parent that exists."""
    path = pathlib.Path(path).absolute()
    return next(place for place in (path, *path.parents) if place.exists())


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary file to write, which is renamed to `path` at the end.

    It is hidden, with the same ending and in the same folder, which must exist:
    a rename is atomic only within one file system. Its bytes are synced to disk
    first. If anything fails, an older file of that name is unchanged.
    """
    path = pathlib.Path(path)
    temporary = _temporary(path)
    try:
        with writing(path):
            yield temporary
            _to_disk(temporary)
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


@contextlib.contextmanager
def replacing_folder(
    path: str | os.PathLike, overwrite: bool = False
) -> Iterator[pathlib.Path]:
    """Yields a temporary folder to fill, which is renamed to `path` at the end.

    It is hidden, and all its files are synced to disk first. An older folder,
    if `overwrite` allows it, is kept aside until then and restored if anything
    fails: at once or, after a kill, by `put_back`. An empty folder (it may be a
    mount point or a working directory) is not replaced but receives the files.
    Parents are created, and removed again on failure. A link is kept and leads
    to the new folder.
    """
    put_back(path)
    free = is_free(path)
    path = pathlib.Path(os.path.realpath(path))
    into = free and path.exists()
    if not (free or overwrite):
        raise UserError(
            f"cannot write {path}: it is there already; choose another place"
        )
    with (
        making(path.parent),
        only_writer(path, beside=not into),
        scratch_folder(path / path.name if into else path) as new,
    ):
        yield new
        with writing(path):
            for file in new.rglob("*"):
                if file.is_file():
                    _to_disk(file)
            if into:
                new.rename(path / _WHOLE)
            elif path.exists():
                shutil.rmtree(_aside(path), ignore_errors=True)
                path.rename(_aside(path))
            try:
                if not into:
                    new.rename(path)
            finally:
                _put_back(path)


def put_back(path: str | os.PathLike) -> None:
    """Completes or undoes a killed `replacing_folder`; UserError if unable."""
    path = pathlib.Path(os.path.realpath(path))
    _remove_leftovers(path.parent)
    with writing(path):
        into = os.path.lexists(path / _WHOLE)
        if into or os.path.lexists(_aside(path)):
            # Skipped while another process is between its two renames.
            with contextlib.suppress(UserError), only_writer(path, not into):
                _put_back(path)


def is_free(path: str | os.PathLike) -> bool:
    """Returns whether nothing, or only an empty folder, exists at a path.

    A lock in it, and hidden folders that processes write to, do not count.
    """
    path = os.path.realpath(path)  # The target of a link need not exist.
    if not os.path.isdir(path):
        return not os.path.lexists(path)
    try:
        names = os.listdir(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    return all(name == _LOCK or _TEMPORARY.fullmatch(name) for name in names)


@contextlib.contextmanager
def scratch_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a new hidden folder beside a path, which is removed at the end."""
    temporary = _temporary(pathlib.Path(path))
    try:
        with writing(path):
            temporary.mkdir()
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def making(folder: str | os.PathLike) -> Iterator[None]:
    """Creates a folder and its parents; after an error removes empty ones."""
    folder, made = pathlib.Path(folder), []
    try:
        with writing(folder):
            for part in (*reversed(folder.parents), folder):
                if not part.exists():
                    part.mkdir(exist_ok=True)
                    made.append(part)
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            while made:
                made.pop().rmdir()
        raise


@contextlib.contextmanager
def only_writer(
    path: str | os.PathLike, beside: bool = False, wait: bool = False
) -> Iterator[None]:
    """Locks a folder or a file while this process writes there.

    The lock is on a hidden file: `.lock` in the folder, which is created if
    need be, or with `beside` `.NAME.lock` beside the path, which need not
    exist. If another process holds it, this waits if told to, and otherwise
    raises UserError.

    The system releases the lock when the process ends in any way; a lock file
    that a kill left is harmless. On network file systems without locks nothing
    is locked.
    """
    path = pathlib.Path(path)
    with writing(path):
        file = path.parent / f".{path.name}.lock" if beside else path / _LOCK
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _locked(file, wait)
    if descriptor is None:
        raise UserError(
            f"another command is writing {path}; wait for it or choose another "
            "place"
        )
    try:
        yield
    finally:
        # While the lock is held: afterwards the file may be another process's.
        # On Windows this fails, and the file stays.
        with contextlib.suppress(OSError):
            file.unlink()
        os.close(descriptor)


def _locked(file: pathlib.Path, wait: bool) -> int | None:
    """A descriptor that holds a file's lock; None if another process does."""
    # Imported here, because --help need not wait for it.
    import filelock

    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            held = filelock.lock_descriptor(descriptor, blocking=wait)
        except OSError:
            return descriptor  # The file system has no locks.
        except BaseException:
            os.close(descriptor)
            raise
        # The last holder may have removed the file before it was locked here.
        if held and os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)
        if not held:
            return None


def write_atomically(path: str | os.PathLike, data: bytes) -> None:
    """Writes a whole file or nothing; see `replacing`."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text_atomically(path: str | os.PathLike, text: str) -> None:
    """Writes a whole UTF-8 text file or nothing; see `write_atomically`."""
    write_atomically(path, text.encode("utf-8"))


def _to_disk(file: pathlib.Path) -> None:
    """Syncs a file to disk; otherwise a later rename might get there first."""
    with open(file, "rb+") as opened:
        os.fsync(opened.fileno())


def _aside(path: pathlib.Path) -> pathlib.Path:
    """Where a folder is kept while a new one replaces it."""
    return path.parent / f".{path.name}.replaced"


def _put_back(path: pathlib.Path) -> None:
    """`put_back`, for a caller that holds the lock."""
    if path.exists():
        shutil.rmtree(_aside(path), ignore_errors=True)
    elif _aside(path).exists():
        _aside(path).rename(path)
    whole = path / _WHOLE
    if whole.exists():
        for item in whole.iterdir():
            item.rename(path / item.name)
        whole.rmdir()


def _temporary(path: pathlib.Path) -> pathlib.Path:
    """A hidden path beside a path; it names this process."""
    folder = path.parent
    if folder not in _tidied:
        _tidied.add(folder)
        _remove_leftovers(folder)
    writer = f"{_host()}-{os.getpid()}-{secrets.token_hex(4)}"
    # A name may have 255 bytes, and a character four.
    ending = path.suffix if len(path.suffix) <= 16 else ""
    name = f".{path.stem[:32]}.{writer}.tmp{ending}"
    _mine.add(name)
    return folder / name


def _remove_leftovers(folder: pathlib.Path) -> None:
    """Removes temporary files and folders of this machine's dead processes."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            match = _TEMPORARY.fullmatch(name)
            if match and match[1] == _host() and _is_dead(int(match[2]), name):
                shutil.rmtree(folder / name, ignore_errors=True)
                with contextlib.suppress(OSError):
                    (folder / name).unlink()


@functools.cache
def _host() -> str:
    """A code for this machine or, in a container, for its process space."""
    space = ""
    with contextlib.suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    return f"{zlib.crc32(f'{platform.node()} {space}'.encode()):08x}"


def _is_dead(process: int, name: str) -> bool:
    if process == os.getpid():
        return name not in _mine
    if os.name == "nt":
        return False  # On Windows `os.kill` would kill it.
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass  # It is another user's.
    return False
