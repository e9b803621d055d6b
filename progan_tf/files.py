"""Writing files so that a reader never sees half of one."""

import contextlib
import fcntl
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
def only_writer(folder: str | os.PathLike) -> Iterator[None]:
    """Keeps a folder to this process while it writes there.

    The lock is on the folder itself, leaves no file, and ends with the
    process, whatever ends that.

    Args:
        folder: the folder, which is made if need be.

    Raises:
        UserError: another process has it, or it cannot be made.
    """
    with writing(folder):
        os.makedirs(folder, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"another command is writing {folder}; wait for it or choose "
                "another folder"
            ) from error
        except OSError:
            pass  # Some network file systems have no locks.
        yield
    finally:
        os.close(descriptor)


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
