"""What the writers of all forms of prepared data sets have in common."""

import abc
import contextlib
import fcntl
import os
import pathlib
import shutil
from typing import BinaryIO

import numpy as np

from progan_tf.arithmetic import resolutions
from progan_tf.errors import UserError
from progan_tf.files import writing


class SetWriter(abc.ABC):
    """Writes one data set into a folder that appears whole or not at all.

    Files are written to a hidden sibling, `.NAME.partial`, which takes the
    folder's name in `finish`. What an earlier, killed writer left there is
    removed. Leaving the `with` block without `finish` removes everything.

    Args:
        folder: the data set's folder; it must not exist, or be empty. Its
            parents are made.
        name: of the data set, the beginning of the files' names.
        resolution: of the pictures, a power of two from 4 to 1024.
        channels: of the pictures, 1 or 3.

    Attributes:
        count: pictures appended so far.

    Raises:
        UserError: the folder is not empty or cannot be written, another
            writer is at work on it, or `name`, `resolution` or `channels` is
            something else.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        name: str,
        resolution: int,
        channels: int,
    ):
        if channels not in (1, 3):
            raise UserError(
                f"expected 1 (grey) or 3 (RGB) channels, got {channels}"
            )
        if not name or os.path.basename(name) != name:
            raise UserError(
                f"expected a name for the data set's files, without slashes, "
                f"got {name!r}"
            )
        self.count = 0
        self._name = name
        self._sizes = resolutions(resolution)
        self._shape = (resolution, resolution, channels)
        self._folder = pathlib.Path(os.path.realpath(folder))
        self._partial = self._folder.with_name(f".{self._folder.name}.partial")
        self._lock = None
        self._undo = contextlib.ExitStack()  # For what `finish` did not reach.
        self._files = []  # In the order of a payload's parts.
        self._begin()

    def encode(self, image: np.ndarray) -> list[bytes]:
        """Does the heavy part of one picture; may run in any thread.

        Args:
            image: uint8 [R, R, C].

        Returns:
            what `append` takes; it holds nothing of this writer.

        Raises:
            ValueError: another shape or dtype.
        """
        if image.shape != self._shape or image.dtype != np.uint8:
            raise ValueError(
                f"expected a uint8 image of shape {self._shape}, got "
                f"{image.dtype} {image.shape}"
            )
        return self._encode(image)

    def append(self, payload: list[bytes]) -> None:
        """Writes the next picture; from one thread, in the set's order.

        Args:
            payload: what `encode` returned.

        Raises:
            UserError: the disk is full or the place cannot be written.
        """
        with writing(self._folder):
            for file, part in zip(self._files, payload, strict=True):
                file.write(part)
        self.count += 1

    def finish(
        self,
        labels: np.ndarray | None = None,
        class_names: tuple[str, ...] = (),
    ) -> None:
        """Makes the data set visible under its name.

        Args:
            labels: integers [count], each in [0, number of classes), in the
                order of `append`; None for a set without.
            class_names: one a class; by default "0", "1" and so on up to the
                largest label. The official records keep their number only.

        Raises:
            UserError: as for `append`, or there is no picture.
            ValueError: labels of another number or range.
        """
        if not self.count:
            raise UserError(f"there is no picture to write to {self._folder}")
        if labels is not None:
            labels = np.asarray(labels)
            class_names = tuple(class_names) or tuple(
                str(number) for number in range(int(labels.max()) + 1)
            )
            _check_labels(labels, self.count, len(class_names))
        else:
            class_names = ()
        with writing(self._folder):
            self._write_about(labels, class_names)
            self._close_files()
            for path in self._partial.iterdir():
                with open(path, "rb+") as file:
                    os.fsync(file.fileno())
            os.rename(self._partial, self._folder)
        self._undo.pop_all()
        self._unlock()

    def __enter__(self) -> "SetWriter":
        return self

    def __exit__(self, *exception) -> None:
        """Removes what is written, unless `finish` came to its end."""
        if self._lock is not None:
            with contextlib.suppress(OSError, UserError):
                self._close_files()
            shutil.rmtree(self._partial, ignore_errors=True)
            self._unlock()
        self._undo.close()

    @abc.abstractmethod
    def _file_names(self) -> list[str]:
        """Returns a file's name for each part of a payload."""

    def _open(self, path: pathlib.Path) -> BinaryIO:
        """Opens a new file; what it has is `write` and `close`."""
        return open(path, "wb")

    @abc.abstractmethod
    def _encode(self, image: np.ndarray) -> list[bytes]:
        """Returns a picture's part of each file."""

    @abc.abstractmethod
    def _write_about(
        self, labels: np.ndarray | None, class_names: tuple[str, ...]
    ) -> None:
        """Writes what is known of the whole set only at its end."""

    def _begin(self) -> None:
        """Makes the hidden folder, locks and empties it, opens the files."""
        with writing(self._folder):
            self._make_room()
            self._partial.mkdir(exist_ok=True)
            self._lock = os.open(self._partial, os.O_RDONLY)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                self._unlock()
                self._undo.close()
                raise UserError(
                    f"another command is writing {self._folder}; wait for it "
                    "or choose another folder"
                ) from error
            except OSError:
                pass  # Some network file systems have no locks.
        try:
            with writing(self._folder):
                for left_over in self._partial.iterdir():
                    left_over.unlink()
                for file in self._file_names():
                    self._files.append(self._open(self._partial / file))
        except BaseException:
            self.__exit__()
            raise

    def _make_room(self) -> None:
        """Makes the folders above, and removes an empty one of the name.

        Both are undone where the set does not come about.
        """
        for parent in reversed(self._folder.parents):
            if not parent.exists():
                parent.mkdir(exist_ok=True)
                self._undo.callback(_remove_silently, parent)
        if self._folder.is_dir():
            mode = self._folder.stat().st_mode & 0o7777
            _remove_if_empty(self._folder)
            self._undo.callback(_make_again, self._folder, mode)
        else:
            _remove_if_empty(self._folder)

    def _close_files(self) -> None:
        while self._files:
            self._files.pop().close()

    def _unlock(self) -> None:
        os.close(self._lock)
        self._lock = None


def _remove_if_empty(folder: pathlib.Path) -> None:
    """Makes room for the folder that is to take this name.

    At once and not in the end, because a mount point could not be replaced
    then, and hours of work would be in vain.
    """
    try:
        folder.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(
            f"cannot write {folder}: it exists and cannot be replaced "
            f"({error.strerror}); choose another folder"
        ) from error


def _remove_silently(folder: pathlib.Path) -> None:
    """Removes a folder, unless something has come into it."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def _make_again(folder: pathlib.Path, mode: int) -> None:
    """Puts back the empty folder that made room."""
    with contextlib.suppress(OSError):
        folder.mkdir()
        folder.chmod(mode)


def _check_labels(labels: np.ndarray, count: int, classes: int) -> None:
    """Raises ValueError unless there is one class for each picture."""
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"expected {count} whole numbers as labels, got {labels.dtype} "
            f"{labels.shape}"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"expected labels from 0 to {classes - 1}, got {labels.min()} to "
            f"{labels.max()}"
        )
