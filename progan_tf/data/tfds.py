"""Data sets of TensorFlow Datasets, such as `tfds:celeb_a`."""

import io
import os

import numpy as np

from progan_tf.data.decode import read_picture
from progan_tf.data.decoding import CACHE_BYTES, DecodingSource
from progan_tf.data.example import parse_example
from progan_tf.data.sizes import sampled_resolution
from progan_tf.data.tfds_builder import (
    feature_classes,
    find_builder,
    open_records,
    prepare_builder,
)
from progan_tf.data.unreadable import Unreadable
from progan_tf.errors import UserError


class TFDS(DecodingSource):
    """The pictures of a split, in the order of its files.

    A data set that is not there yet is downloaded and prepared first, where
    TensorFlow Datasets keeps them: in the folder that the environment
    variable TFDS_DATA_DIR names, by default ~/tensorflow_datasets.

    The feature `image` is cut to its central square and shrunk by area, like
    the pictures of a folder; `label` is the class.

    Args:
        data: tfds:NAME[/CONFIG][:VERSION][/SPLIT]; the split is `train` by
            default, and may be one of TFDS's expressions, such as
            `train[:90%]` or `train+test`.
        channels: 3 for RGB or 1 for grey; the pictures are converted.
        labels: the classes are wanted.
        data_dir: in place of TFDS_DATA_DIR.
        cache_bytes: memory for decoded pictures.

    Raises:
        UserError: TensorFlow Datasets is not installed, does not know the
            name or cannot prepare it, or the data set has no pictures, or
            no classes where labels are wanted.
    """

    def __init__(
        self,
        data: str,
        channels: int = 3,
        labels: bool = False,
        data_dir: str | os.PathLike | None = None,
        cache_bytes: int = CACHE_BYTES,
    ):
        builder, split = find_builder(data, data_dir)
        classes = feature_classes(builder, data, labels)
        prepare_builder(builder, data)
        self._records = open_records(builder, data, split)
        resolution, limit = sampled_resolution(
            self._file, len(self._records), data
        )
        super().__init__(
            name=data,
            resolution=resolution,
            limit=limit,
            channels=channels,
            class_names=classes,
            unreadable=Unreadable(found=len(self._records), place=data),
            cache_bytes=cache_bytes,
            labels=np.full(len(self), -1) if labels else None,
        )
        if labels:
            self.labels(np.array([0, len(self) - 1]))

    def __len__(self) -> int:
        return len(self._records)

    def labels(self, indices: np.ndarray) -> np.ndarray:
        """See `Source.labels`: the feature `label`."""
        if self._labels is not None:
            # Each is read when it is first asked for: to read those of all
            # pictures is to read the whole data set.
            unknown = np.unique(indices[self._labels[indices] < 0])
            # Not by the threads that decode: these ask for labels themselves,
            # and could wait for one another.
            self._labels[unknown] = [self._label(index) for index in unknown]
        return super().labels(indices)

    def _label(self, index: int) -> int:
        """Reads one label."""
        try:
            (label,) = self._feature(index, "label")
        except UserError:
            raise
        # Of many kinds, on a damaged record.
        except Exception as error:
            raise UserError(
                f"cannot read the label of {self._picture_name(index)} of "
                f"{self.name}, counted from 0: it is damaged; train without "
                "labels, or remove the data set's folder, and it is prepared "
                "again"
            ) from error
        if not 0 <= label < self.num_classes:
            raise UserError(
                f"{self._picture_name(index)} of {self.name} has no class "
                f"(label {label}); train without labels or choose another "
                "split"
            )
        return label

    def _read_picture(self, index: int, resolution: int) -> np.ndarray:
        """See `DecodingSource`."""
        return read_picture(self._file(index), resolution, self.channels)

    def _picture_name(self, index: int) -> str:
        """See `DecodingSource`."""
        return f"picture {index}"

    def _file(self, index: int) -> io.BytesIO:
        """Returns the encoded picture as an open file."""
        (encoded,) = self._feature(index, "image")
        return io.BytesIO(encoded)

    def _feature(self, index: int, name: str) -> list:
        return parse_example(self._records[int(index)])[name]
