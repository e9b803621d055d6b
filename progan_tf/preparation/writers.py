"""Writing prepared data sets: a common interface for both formats.

with open_writer("tfrecords", "data/cats", "cats", 64, 3) as writer:
    for image in images:  # uint8 [64, 64, 3]
        writer.append(writer.encode(image))
    writer.finish(labels, class_names)
"""

import abc
import contextlib
import os
import pathlib
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from progan_tf.data import compact
from progan_tf.data.example import example_before_data
from progan_tf.data.pyramid import pyramid
from progan_tf.data.source import check_grey_or_rgb
from progan_tf.data.tfrecords import LABELS_TOGETHER, labels_file, record_file
from progan_tf.errors import UserError
from progan_tf.files import replacing_folder, writing
from progan_tf.resolutions import check_resolution, resolutions


class SetWriter(abc.ABC):
    """Writes the files of one data set; see `open_writer`.

    Errors in writing are raised as `UserError`.
    """

    def __init__(
        self,
        folder: pathlib.Path,  # The folder to write to.
        place: pathlib.Path,  # Its final path, for messages.
        name: str,
        shape: tuple[int, int, int],  # (R, R, C) of all pictures.
    ):
        self.count = 0  # Pictures appended so far.
        self.finished = False  # Whether the set is complete.
        self._folder, self._place = folder, place
        self._name, self._shape = name, shape
        with self._writing():
            # In the order of a payload's parts.
            paths = (folder / name for name in self._file_names())
            self._files = list(map(self._open, paths))

    def encode(self, image: np.ndarray) -> list[bytes]:
        """Encodes a picture, uint8 [R, R, C], for `append`: the slow part.

        May run in any thread. Raises ValueError for another shape or dtype.
        """
        if image.shape != self._shape or image.dtype != np.uint8:
            raise ValueError(
                f"expected a uint8 image of shape {self._shape}, got "
                f"{image.dtype} {image.shape}"
            )
        return self._encode(image)

    def append(self, payload: list[bytes]) -> None:
        """Writes the encoded next picture; from one thread only."""
        with self._writing():
            for file, part in zip(self._files, payload, strict=True):
                file.write(part)
        self.count += 1

    def finish(
        self, labels: np.ndarray | None = None, class_names: tuple = ()
    ) -> None:
        """Writes labels and metadata: the set is then complete.

        Takes integers [count] in [0, number of classes), in the order of
        `append`, and one name per class; by default "0", "1" and so on up to
        the largest label. Official records store only the number of classes.
        Raises UserError if there are no pictures, ValueError for other labels.
        """
        if not self.count:
            raise UserError(f"there is no picture to write to {self._place}")
        if labels is None:
            class_names = ()
        else:
            labels = np.asarray(labels)
            numbers = map(str, range(int(labels.max()) + 1))
            class_names = tuple(class_names or numbers)
            _check_labels(labels, self.count, len(class_names))
        with self._writing():
            self._write_about(labels, class_names)
        self.close()
        self.finished = True

    def close(self) -> None:
        """Closes the files."""
        with self._writing():
            while self._files:
                self._files.pop().close()

    @abc.abstractmethod
    def _file_names(self) -> list[str]:
        """Returns the file name for each part of a payload."""

    def _open(self, path: pathlib.Path) -> BinaryIO:
        """Opens a new file, with `write` and `close`."""
        return open(path, "wb")

    def _writing(self) -> contextlib.AbstractContextManager:
        """Turns errors in writing into UserError."""
        return writing(self._place)

    @abc.abstractmethod
    def _encode(self, image: np.ndarray) -> list[bytes]:
        """Returns a picture's part of each file."""

    @abc.abstractmethod
    def _write_about(self, labels: np.ndarray | None, names: tuple) -> None:
        """Writes the labels and metadata, known only at the end."""


class RecordWriter(SetWriter):
    """Writes the official data-set tool's format: see `data.tfrecords`."""

    def _file_names(self) -> list[str]:
        sizes = resolutions(self._shape[0])
        return [record_file(self._name, size) for size in sizes]

    def _open(self, path: pathlib.Path) -> BinaryIO:
        from tensorflow import io  # Slow to import; it computes checksums.

        return io.TFRecordWriter(str(path))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        from tensorflow import errors

        with super()._writing():
            try:
                yield
            except errors.OpError as error:
                # TensorFlow's message begins with the name of the hidden file.
                raise OSError(error.message.rpartition("; ")[2]) from error

    def _encode(self, image: np.ndarray) -> list[bytes]:
        levels = [level.transpose(2, 0, 1) for level in pyramid(image)]  # [CRR]
        return [
            example_before_data(level.shape) + level.tobytes()
            for level in reversed(levels)
        ]

    def _write_about(self, labels: np.ndarray | None, names: tuple) -> None:
        if labels is None:
            return
        shape = (self.count, len(names))
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        with open(self._folder / labels_file(self._name), "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, self.count, LABELS_TOGETHER):
                some = labels[start : start + LABELS_TOGETHER]
                one_hot = np.zeros((len(some), len(names)), "<f4")
                one_hot[np.arange(len(some)), some] = 1
                file.write(one_hot)


class CompactWriter(SetWriter):
    """Writes a compact data set: see `data.compact`."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._lengths, self._checks = [], []

    def append(self, payload: list[bytes]) -> None:
        super().append(payload)
        self._lengths.append(len(payload[0]))
        self._checks.append(zlib.crc32(payload[0]))

    def _file_names(self) -> list[str]:
        raw = compact.raw_resolutions(self._shape[0])
        return [compact.PICTURES, *map(compact.raw_name, raw)]

    def _encode(self, image: np.ndarray) -> list[bytes]:
        levels = {level.shape[0]: level for level in pyramid(image)}
        raw = compact.raw_resolutions(self._shape[0])
        parts = [levels[size].tobytes() for size in raw]
        return [compact.encode_picture(image), *parts]

    def _write_about(self, labels: np.ndarray | None, names: tuple) -> None:
        folder, labels_check = self._folder, 0
        index = np.cumsum([0, *self._lengths], dtype=np.uint64)
        np.save(folder / compact.INDEX, index)
        np.save(folder / compact.CHECKS, np.array(self._checks, np.uint32))
        if labels is not None:
            labels = labels.astype(np.int64)
            np.save(folder / compact.LABELS, labels)
            labels_check = zlib.crc32(labels)
        about = (self.count, *self._shape[1:], names, labels_check)
        compact.About(compact.VERSION, *about).save(folder)


_WRITERS = {"tfrecords": RecordWriter, "compact": CompactWriter}
FORMS = tuple(_WRITERS)


@contextlib.contextmanager
def open_writer(
    form: str,  # One of `FORMS`.
    folder: str | os.PathLike,  # Of the data set; parents are created.
    name: str,  # Of the data set: the prefix of the file names.
    resolution: int,  # Of the pictures, a power of two from 4 to 1024.
    channels: int,  # Of the pictures, 1 or 3.
    overwrite: bool = False,  # Whether to replace an existing set.
) -> Iterator[SetWriter]:
    """Begins a data set in a folder that appears complete or not at all.

    Its files are written to a hidden folder, which is renamed at the end:
    see `files.replacing_folder`. Leaving without `finish` removes everything.
    Raises UserError if the folder exists, cannot be written or is being written
    by another process, and for other arguments.
    """
    if form not in _WRITERS:
        raise ValueError(f"expected a form of {FORMS}, got {form!r}")
    check_grey_or_rgb(channels)
    check_resolution(resolution)
    if not name or os.path.basename(name) != name:
        raise UserError(
            f"expected a name for the data set's files, without slashes, "
            f"got {name!r}"
        )
    place = pathlib.Path(os.path.realpath(folder))
    shape = (resolution, resolution, channels)
    with (
        contextlib.suppress(_Unfinished),
        replacing_folder(folder, overwrite) as partial,
    ):
        writer = _WRITERS[form](partial, place, name, shape)
        try:
            yield writer
            if not writer.finished:
                raise _Unfinished
        finally:
            with contextlib.suppress(UserError):
                writer.close()


class _Unfinished(Exception):
    """The context of a writer was left without `finish`."""


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
