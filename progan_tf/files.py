"""Writing files so that a reader never sees half of one.

What cannot be written, such as on a full disk, is a `UserError`.
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
_tidied = set()  # Folders in which it has looked for others'.
_LOCK = ".lock"
# A folder that is written, but whose files are not yet where they belong.
_WHOLE = ".whole"


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """Turns the OSError of writing a path into a UserError that names it."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"cannot write {path}: {reason}; "
            "free some space or choose another place"
        ) from error


def check_folder(path: str | os.PathLike) -> None:
    """Raises UserError unless a folder can be written, or made and written."""
    near = nearest_folder(path)
    if not near.is_dir() or not os.access(near, os.W_OK | os.X_OK):
        raise UserError(
            f"cannot write {path}: {near} is not a folder that can be written "
            "to"
        )


def nearest_folder(path: str | os.PathLike) -> pathlib.Path:
    """Returns a path, or the nearest above it that is there."""
    path = pathlib.Path(path).absolute()
    return next(place for place in (path, *path.parents) if place.exists())


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a temporary file to write, which takes the name in the end.

    It is a hidden one with the same ending in the same folder, which must be
    there: a rename is atomic only within one file system. Its bytes reach the
    disk first. Whatever fails, an older file of that name stays as it was.
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
    """Gives a temporary folder to fill, which takes the name in the end.

    It is a hidden one beside it, and all its files reach the disk first. What
    had the name, if `overwrite` allows it, is kept aside until then, so that it
    is there again whatever fails: at once or, after a kill, by `put_back`. An
    empty folder stays (it may be a mount point, or where a shell stands) and
    gets the files. Folders above are made, and removed again if it fails. A
    link stays and leads to the new one.
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
    """Mends what a kill left of `replacing_folder`; UserError if it cannot."""
    path = pathlib.Path(os.path.realpath(path))
    _remove_leftovers(path.parent)
    with writing(path):
        into = os.path.lexists(path / _WHOLE)
        if into or os.path.lexists(_aside(path)):
            # Not where another process is just between its two renames.
            with contextlib.suppress(UserError), only_writer(path, not into):
                _put_back(path)


def is_free(path: str | os.PathLike) -> bool:
    """Says whether a path is free: nothing is there, or an empty folder.

    A hidden folder in it, to which another process writes, does not count.
    """
    path = os.path.realpath(path)  # What a link leads to need not be there.
    if not os.path.isdir(path):
        return not os.path.lexists(path)
    try:
        names = os.listdir(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    return all(name == _LOCK or _TEMPORARY.fullmatch(name) for name in names)


@contextlib.contextmanager
def scratch_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Makes a hidden folder beside a path, which is removed in the end."""
    temporary = _temporary(pathlib.Path(path))
    try:
        with writing(path):
            temporary.mkdir()
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def making(folder: str | os.PathLike) -> Iterator[None]:
    """Makes a folder and those above; an error removes what is still empty."""
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
    """Keeps a folder or a file to this process while it writes there.

    The lock is on a hidden file, `.lock` in the folder or `.NAME.lock` beside
    what has that name. The system holds it, so it ends with the process,
    whatever ends that; the file is removed, and does no harm where a kill left
    it. On network file systems that have no locks nothing is kept.

    It keeps the inside of a folder, which is made if need be, or with `beside`
    what has the name, which need not be there. Where another process has it, it
    waits if told to and else raises UserError.
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
        # While it is held, because afterwards it may be another's. On Windows
        # it stays.
        with contextlib.suppress(OSError):
            file.unlink()
        os.close(descriptor)


def _locked(file: pathlib.Path, wait: bool) -> int | None:
    """A descriptor that holds a file's lock; None where another one does."""
    # Here, because --help need not wait for it.
    import filelock

    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            held = filelock.lock_descriptor(descriptor, blocking=wait)
        except OSError:
            return descriptor  # There are no locks.
        except BaseException:
            os.close(descriptor)
            raise
        # Its last holder may have removed it before it was locked here.
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
    """Sends bytes to the disk, which a rename might otherwise reach first."""
    with open(file, "rb+") as opened:
        os.fsync(opened.fileno())


def _aside(path: pathlib.Path) -> pathlib.Path:
    """Where a folder is kept while another one takes its name."""
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
    """A hidden name beside a path that tells whose it is."""
    folder = path.parent
    if folder not in _tidied:
        _tidied.add(folder)
        _remove_leftovers(folder)
    writer = f"{_host()}-{os.getpid()}-{secrets.token_hex(4)}"
    # A name may have 255 bytes, and a letter of it four.
    ending = path.suffix if len(path.suffix) <= 16 else ""
    name = f".{path.stem[:32]}.{writer}.tmp{ending}"
    _mine.add(name)
    return folder / name


def _remove_leftovers(folder: pathlib.Path) -> None:
    """Removes what killed processes of this machine left half-written."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            match = _TEMPORARY.fullmatch(name)
            if match and match[1] == _host() and _is_dead(int(match[2]), name):
                shutil.rmtree(folder / name, ignore_errors=True)
                with contextlib.suppress(OSError):
                    (folder / name).unlink()


@functools.cache
def _host() -> str:
    """Tells machines, and containers with processes of their own, apart."""
    space = ""
    with contextlib.suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    return f"{zlib.crc32(f'{platform.node()} {space}'.encode()):08x}"


def _is_dead(process: int, name: str) -> bool:
    if process == os.getpid():
        return name not in _mine
    if os.name == "nt":
        return False  # There `os.kill` would kill it.
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass  # It is another user's.
    return False
