"""What the writers of all forms of prepared data sets have in common."""

import abc
import contextlib
import os
import pathlib
from typing import BinaryIO

import numpy as np

from progan_tf.data.source import check_grey_or_rgb
from progan_tf.errors import UserError
from progan_tf.files import replacing_folder, writing
from progan_tf.resolutions import resolutions


class SetWriter(abc.ABC):
    """Writes one data set into a folder that appears whole or not at all.

    Files are written to a hidden folder, which takes the name in `finish`: see
    `files.replacing_folder`. Leaving the `with` block without `finish` removes
    everything. `count` is the number of pictures appended so far.

    Args:
        folder: the data set's folder. Its parents are made.
        name: of the data set, the beginning of the files' names.
        resolution: of the pictures, a power of two from 4 to 1024.
        channels: of the pictures, 1 or 3.
        overwrite: take the place of what is there.

    Raises UserError where the folder is there and not empty, or cannot be
    written, another writer is at work on it, or an argument is something else.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        name: str,
        resolution: int,
        channels: int,
        overwrite: bool = False,
    ):
        check_grey_or_rgb(channels)
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
        self._files = []  # In the order of a payload's parts.
        with contextlib.ExitStack() as stack:
            replacing = replacing_folder(folder, overwrite)
            self._partial = stack.enter_context(replacing)
            with writing(self._folder):
                for file in self._file_names():
                    self._files.append(self._open(self._partial / file))
            # It gives the folder its name, or is told that it must not.
            self._end = stack.pop_all()

    def encode(self, image: np.ndarray) -> list[bytes]:
        """Returns what `append` takes of uint8 [R, R, C]: the heavy part.

        May run in any thread. Raises ValueError for another shape or dtype.
        """
        if image.shape != self._shape or image.dtype != np.uint8:
            raise ValueError(
                f"expected a uint8 image of shape {self._shape}, got "
                f"{image.dtype} {image.shape}"
            )
        return self._encode(image)

    def append(self, payload: list[bytes]) -> None:
        """Writes what `encode` made of the next picture; from one thread.

        Raises UserError where the disk is full or the place cannot be written.
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

        Takes integers [count] in [0, number of classes), in the order of
        `append`, or None for a set without labels, and one name a class; by
        default "0", "1" and so on up to the largest label. The official records
        keep the number of classes only. Raises UserError as `append`, or where
        there is no picture, and ValueError for other labels.
        """
        if not self.count:
            raise UserError(f"there is no picture to write to {self._folder}")
        if labels is None:
            class_names = ()
        else:
            labels = np.asarray(labels)
            numbers = map(str, range(int(labels.max()) + 1))
            class_names = tuple(class_names or numbers)
            _check_labels(labels, self.count, len(class_names))
        with writing(self._folder):
            self._write_about(labels, class_names)
            self._close_files()
        self._end.close()

    def __enter__(self) -> "SetWriter":
        return self

    def __exit__(self, *exception) -> None:
        """Removes what is written, unless `finish` came to its end."""
        with contextlib.suppress(OSError, UserError):
            self._close_files()
        with contextlib.suppress(_Unfinished), self._end:
            raise _Unfinished

    @abc.abstractmethod
    def _file_names(self) -> list[str]:
        """Returns a file's name for each part of a payload."""

    def _open(self, path: pathlib.Path) -> BinaryIO:
        """Opens a new file, with `write` and `close`."""
        return open(path, "wb")

    @abc.abstractmethod
    def _encode(self, image: np.ndarray) -> list[bytes]:
        """Returns a picture's part of each file."""

    @abc.abstractmethod
    def _write_about(
        self, labels: np.ndarray | None, class_names: tuple[str, ...]
    ) -> None:
        """Writes what is known of the whole set only at its end."""

    def _close_files(self) -> None:
        while self._files:
            self._files.pop().close()


class _Unfinished(Exception):
    """A writer is left before its end."""


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
