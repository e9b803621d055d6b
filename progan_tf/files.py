"""Writing files so that a reader never sees half of one."""

import contextlib
import os
import pathlib
import threading
from collections.abc import Iterator

from progan_tf.errors import UserError


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
    """Makes sure that a folder can be written, or made where it is not yet.

    Args:
        path: the folder; it and those above need not exist.

    Raises:
        UserError: it is something else, or may not be written.
    """
    above = pathlib.Path(path).absolute()
    while not above.exists():
        above = above.parent
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise UserError(
            f"cannot write {path}: {above} is no folder to write to"
        )


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a temporary path to write, which takes the name in the end.

    The temporary file is a hidden one in the same folder (a rename is atomic
    only within one file system) with the same ending, and its bytes reach the
    disk before it takes the name. Whatever fails, an older file of that name
    stays as it was and the temporary file is removed.

    Args:
        path: the file to write; its folder must exist.

    Raises:
        UserError: the place cannot be written or the disk is full.
    """
    path = pathlib.Path(path)
    # The process and thread keep two writers of one name apart.
    writer = f"{os.getpid()}-{threading.get_ident()}"
    temporary = path.with_name(f".{path.stem}.{writer}.tmp{path.suffix}")
    try:
        with writing(path):
            yield temporary
            with open(temporary, "rb+") as file:
                # Without this a power cut could leave the new name on an
                # empty file: the rename may reach the disk before the bytes.
                os.fsync(file.fileno())
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
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

    Args:
        path: the folder, which is made if need be. With `beside` a file or
            folder that need not exist, unlike the folder that it is in.
        beside: keep what has this name, not the inside of a folder.
        wait: until other processes have done with it.

    Raises:
        UserError: another process has it, or it cannot be made.
    """
    path = pathlib.Path(path)
    with writing(path):
        if beside:
            file = path.with_name(f".{path.name}.lock")
        else:
            file = path / ".lock"
            path.mkdir(parents=True, exist_ok=True)
        descriptor = _locked(file, wait)
    if descriptor is None:
        raise UserError(
            f"another command is writing {path}; wait for it or choose "
            "another place"
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
    """Writes a whole file or nothing; see `replacing`.

    Args:
        path: the file to write; its folder must exist.
        data: the contents.

    Raises:
        UserError: the place cannot be written or the disk is full.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text_atomically(path: str | os.PathLike, text: str) -> None:
    """Writes a whole UTF-8 text file or nothing; see `write_atomically`."""
    write_atomically(path, text.encode("utf-8"))
