"""Writing compact data sets."""

import os
import zlib

import numpy as np

from progan_tf.data import compact_files
from progan_tf.data.compact_files import About
from progan_tf.data.pyramid import pyramid
from progan_tf.preparation.set_writer import SetWriter


class CompactWriter(SetWriter):
    """Writes a compact data set.

    See `compact_files` for the form and `SetWriter` for everything else.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        name: str,
        resolution: int,
        channels: int,
    ):
        super().__init__(folder, name, resolution, channels)
        self._lengths, self._checks = [], []

    def append(self, payload: list[bytes]) -> None:
        """See `SetWriter.append`."""
        super().append(payload)
        self._lengths.append(len(payload[0]))
        self._checks.append(zlib.crc32(payload[0]))

    def _file_names(self) -> list[str]:
        raw = compact_files.raw_resolutions(self._shape[0])
        names = [compact_files.raw_name(size) for size in raw]
        return [compact_files.PICTURES, *names]

    def _encode(self, image: np.ndarray) -> list[bytes]:
        levels = {level.shape[0]: level for level in pyramid(image)}
        raw = compact_files.raw_resolutions(self._shape[0])
        return [
            compact_files.encode_picture(image),
            *(levels[size].tobytes() for size in raw),
        ]

    def _write_about(
        self, labels: np.ndarray | None, class_names: tuple[str, ...]
    ) -> None:
        folder = self._partial
        index = np.zeros(self.count + 1, np.uint64)
        np.cumsum(self._lengths, out=index[1:])
        np.save(folder / compact_files.INDEX, index)
        checks = np.array(self._checks, np.uint32)
        np.save(folder / compact_files.CHECKS, checks)
        labels_check = 0
        if labels is not None:
            labels = labels.astype(np.int64)
            np.save(folder / compact_files.LABELS, labels)
            labels_check = zlib.crc32(labels)
        _, resolution, channels = self._shape
        About.of(
            self.count, resolution, channels, class_names, labels_check
        ).save(folder)
