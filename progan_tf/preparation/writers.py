"""Writing prepared data sets: one face for every form.

with open_writer("tfrecords", "data/cats", "cats", 64, 3) as writer:
    for image in images:  # uint8 [64, 64, 3]
        writer.append(writer.encode(image))
    writer.finish(labels, class_names)
"""

import contextlib
import os
import pathlib
import zlib
from collections.abc import Iterator

import numpy as np

from progan_tf.data import compact
from progan_tf.data.example import example_before_data
from progan_tf.data.pyramid import pyramid
from progan_tf.data.tfrecords import LABELS_TOGETHER, labels_file, record_file
from progan_tf.preparation.set_writer import SetWriter


class RecordWriter(SetWriter):
    """Writes what the official data-set tool writes, byte for byte.

    See `data.tfrecords` for the form and `SetWriter` for everything else.
    """

    def _file_names(self) -> list[str]:
        return [record_file(self._name, size) for size in self._sizes]

    def _open(self, path: pathlib.Path) -> "_RecordFile":
        return _RecordFile(path)

    def _encode(self, image: np.ndarray) -> list[bytes]:
        levels = [
            x.transpose(2, 0, 1) for x in reversed(pyramid(image))
        ]  # [CRR]
        return [example_before_data(x.shape) + x.tobytes() for x in levels]

    def _write_about(
        self, labels: np.ndarray | None, class_names: tuple[str, ...]
    ) -> None:
        if labels is None:
            return
        classes = len(class_names)
        header = {"descr": "<f4", "fortran_order": False}
        header["shape"] = (self.count, classes)
        with open(self._partial / labels_file(self._name), "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, self.count, LABELS_TOGETHER):
                some = labels[start : start + LABELS_TOGETHER]
                one_hot = np.zeros((len(some), classes), "<f4")
                one_hot[np.arange(len(some)), some] = 1
                file.write(one_hot)


class CompactWriter(SetWriter):
    """Writes a compact data set.

    See `data.compact` for the form and `SetWriter` for everything else.
    """

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

    def _write_about(
        self, labels: np.ndarray | None, class_names: tuple[str, ...]
    ) -> None:
        folder = self._partial
        index = np.cumsum([0, *self._lengths], dtype=np.uint64)
        np.save(folder / compact.INDEX, index)
        np.save(folder / compact.CHECKS, np.array(self._checks, np.uint32))
        labels_check = 0
        if labels is not None:
            labels = labels.astype(np.int64)
            np.save(folder / compact.LABELS, labels)
            labels_check = zlib.crc32(labels)
        _, resolution, channels = self._shape
        compact.About(
            compact.VERSION,
            self.count,
            resolution,
            channels,
            class_names,
            labels_check,
        ).save(folder)


_WRITERS = {"tfrecords": RecordWriter, "compact": CompactWriter}
FORMS = tuple(_WRITERS)


def open_writer(form: str, *arguments) -> SetWriter:
    """Begins a data set in one of `FORMS`; see `SetWriter` for the arguments.

    They are `tfrecords` for the official multi-resolution records, `compact`
    for losslessly compressed pictures. Raises ValueError for another.
    """
    if form not in _WRITERS:
        raise ValueError(f"expected a form of {FORMS}, got {form!r}")
    return _WRITERS[form](*arguments)


class _RecordFile:
    """A file of TFRecords, whose checksums TensorFlow computes."""

    def __init__(self, path: str | os.PathLike):
        # Slow to import, and needed only here.
        from tensorflow import io

        with _system_errors():
            self._writer = io.TFRecordWriter(str(path))

    def write(self, content: bytes) -> None:
        with _system_errors():
            self._writer.write(content)

    def close(self) -> None:
        with _system_errors():
            self._writer.close()


@contextlib.contextmanager
def _system_errors() -> Iterator[None]:
    """Turns TensorFlow's errors, such as of a full disk, into OSError."""
    from tensorflow import errors

    try:
        yield
    except errors.OpError as error:
        # Before the reason TensorFlow names the hidden file.
        raise OSError(error.message.rpartition("; ")[2]) from error
