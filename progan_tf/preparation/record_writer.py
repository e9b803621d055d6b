"""Writing the official code's multi-resolution records."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

import numpy as np

from progan_tf.data.example import example_before_data
from progan_tf.data.pyramid import pyramid
from progan_tf.data.record_files import (
    LABELS_TOGETHER,
    labels_file,
    record_file,
)
from progan_tf.preparation.set_writer import SetWriter


class RecordWriter(SetWriter):
    """Writes what the official data-set tool writes, byte for byte.

    See `record_files` for the form and `SetWriter` for everything else.
    """

    def _file_names(self) -> list[str]:
        return [record_file(self._name, size) for size in self._sizes]

    def _open(self, path: pathlib.Path) -> "_RecordFile":
        return _RecordFile(path)

    def _encode(self, image: np.ndarray) -> list[bytes]:
        examples = []
        for level in reversed(pyramid(image)):
            pixels = level.transpose(2, 0, 1)  # [CRR]
            before = example_before_data(pixels.shape)
            examples.append(before + pixels.tobytes())
        return examples

    def _write_about(
        self, labels: np.ndarray | None, class_names: tuple[str, ...]
    ) -> None:
        if labels is None:
            return
        classes = len(class_names)
        header = {
            "descr": "<f4",
            "fortran_order": False,
            "shape": (self.count, classes),
        }
        with open(self._partial / labels_file(self._name), "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, self.count, LABELS_TOGETHER):
                some = labels[start : start + LABELS_TOGETHER]
                one_hot = np.zeros((len(some), classes), "<f4")
                one_hot[np.arange(len(some)), some] = 1
                file.write(one_hot)


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
