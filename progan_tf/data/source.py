"""The interface of all data sources."""

import abc
import logging
import os
from typing import NamedTuple

import numpy as np

from progan_tf.data.disk import files_fingerprint
from progan_tf.errors import UserError
from progan_tf.resolutions import LOWEST_RESOLUTION
from progan_tf.text import listed

# Memory for decoded pictures, unless a source is told otherwise.
CACHE_BYTES = 1 << 30


class Wanted(NamedTuple):
    """How to open data: see `sources.open_source`."""

    channels: int  # 3 for RGB or 1 for grey.
    labels: bool
    labels_file: str | os.PathLike | None  # For kinds that take one.
    cache_bytes: int  # Memory for decoded pictures.
    few: bool = False  # Accept a folder with fewer than training needs.


class Source(abc.ABC):
    """Numbered pictures, each at any power-of-two resolution up to a limit.

    A picture is a pure function of the index and the resolution, so a
    run that is resumed, or split over machines, sees exactly the same
    pictures. Sources may be used from several threads at once.

    The class methods answer questions about a text that names such data,
    without opening it; by default the text is a path. To add a kind, write its
    class and add it to the table in `sources`.

    Args:
        name: the name of this source in messages and file names.
        resolution: the highest available, a power of two from 4 to 1024.
        limit: why there is no higher resolution, in words.
        channels: 1 (grey) or 3 (RGB).
        class_names: one name per class, in the order of the labels; empty
            without labels.
        labels: int64 [N], the class of each picture; None without labels, or
            if the class overrides `labels`.

    The attributes are these and `empty_classes`, the numbers of classes that
    have no pictures, as far as the labels are known. Raises UserError for other
    channels.
    """

    usage = ""  # How a text names data of this kind.
    prefix = ""  # What such a text begins with; empty for a path.
    has_path = True  # Whether the text contains the path of the files.
    prepare_first = False  # Whether only `progan_tf.prepare` takes it.
    takes_labels_file = False  # Whether classes may come from a file.
    may_download = False  # Whether opening it may download a lot.
    form = None  # The name of a format of prepared data sets.
    # A credit line to accompany models, if the licence of the pictures is
    # known.
    credit = None
    replaced = 0  # Number of unreadable pictures that others replace.

    @classmethod
    def is_named(cls, data: str) -> bool:
        """Whether a text means this kind, without a look at the disk."""
        return bool(cls.prefix) and data.startswith(cls.prefix)

    @classmethod
    def lies_at(cls, path: str | os.PathLike) -> bool:
        """Whether there are data of this kind at a path."""
        return False

    @classmethod
    def open(cls, data: str, wanted: Wanted) -> "Source":
        """Opens what a text names; see `sources.open_source`."""
        return cls(cls.path(data), wanted.channels, wanted.labels)

    @classmethod
    def path(cls, data: str) -> str | None:
        """Returns the path of the files; None for data without a path."""
        if not cls.has_path:
            return None
        if cls.prefix:
            # Shells expand ~ only at the beginning of a word.
            return os.path.expanduser(data.removeprefix(cls.prefix))
        return data

    @classmethod
    def absolute(cls, data: str) -> str:
        """Returns a text for the same data with an absolute path."""
        path = cls.path(data)
        if path is None or not os.path.isdir(path):
            return data
        return cls.prefix + os.path.abspath(path)

    @classmethod
    def title(cls, data: str) -> str:
        """Returns a name to publish: only the last part of a path."""
        path = cls.path(data)
        return data if path is None else os.path.basename(path.rstrip("/\\"))

    @classmethod
    def fingerprint(cls, data: str) -> str:
        """Returns a text that changes with the data."""
        return files_fingerprint(cls.path(data))

    def __init__(
        self,
        name: str,
        resolution: int,
        limit: str,
        channels: int,
        class_names: tuple[str, ...] = (),
        labels: np.ndarray | None = None,
    ):
        check_grey_or_rgb(channels)
        self.name, self.resolution, self.limit = name, resolution, limit
        self.channels, self.class_names = channels, class_names
        self._labels = labels
        self._held_out = frozenset()
        self.empty_classes = empty_classes(labels, len(class_names))
        if self.empty_classes:
            count = f"{len(self.empty_classes)} of the {len(class_names)}"
            logging.getLogger("progan_tf").warning(
                "%s classes of %s have no pictures: %s",
                count,
                name,
                listed(self.empty_classes),
            )

    @property
    def num_classes(self) -> int:
        """The number of classes; 0 without labels."""
        return len(self.class_names)

    @abc.abstractmethod
    def __len__(self) -> int:
        """The number of pictures."""

    @abc.abstractmethod
    def images(self, indices: np.ndarray, resolution: int) -> np.ndarray:
        """Returns some pictures at one resolution.

        Args:
            indices: int64 [N], each in [0, len).
            resolution: a power of two from 4 to `self.resolution`.

        Returns:
            uint8 [N, R, R, C] in [0, 255], a new array that the caller owns.

        Raises:
            UserError: the resolution or the data cannot be used.
        """

    def labels(self, indices: np.ndarray) -> np.ndarray:
        """Returns the classes of pictures [N], int64 [N] in [0, num_classes).

        Raises UserError if the source has no labels or was opened without.
        """
        if self._labels is None:
            raise UserError(
                f"{self.name} was opened without labels; open it with labels"
            )
        return self._labels[indices]

    def hold_out(self, indices: np.ndarray) -> None:
        """Keeps pictures, int64 [M], from standing in for any of the others."""
        self._held_out = frozenset(indices.tolist())

    def count_copies(self, indices: np.ndarray, others: np.ndarray) -> int:
        """How many pictures have the file of one of the others; 0 if unknown.

        Both are int64 `[N]`.
        """
        return 0

    def preparing_order(self) -> np.ndarray:
        """Returns all indices in the order to prepare them in, int64 [N]."""
        return np.arange(len(self))


def empty_classes(labels: np.ndarray | None, classes: int) -> tuple[int, ...]:
    """Returns the classes without pictures, as far as labels are known.

    Labels are int64 [N], negative if they have not been read yet, or None.
    """
    if labels is None or labels.min() < 0:
        return ()
    return tuple(np.setdiff1d(np.arange(classes), labels).tolist())


def check_resolution(source: Source, resolution: int) -> None:
    """Raises UserError unless a source can give a resolution."""
    if resolution < LOWEST_RESOLUTION or resolution & (resolution - 1):
        raise UserError(
            f"expected a resolution that is a power of two, at least "
            f"{LOWEST_RESOLUTION}, got {resolution}; "
            f"use for example --resolution={source.resolution}"
        )
    if resolution > source.resolution:
        raise UserError(
            f"resolution {resolution} is beyond the data: {source.limit}; use "
            f"--resolution={source.resolution} or larger pictures"
        )


def check_grey_or_rgb(number: int) -> None:
    """Raises UserError for a number of channels other than 1 and 3."""
    if number not in (1, 3):
        raise UserError(f"expected 1 (grey) or 3 (RGB) channels, got {number}")


def check_channels(path: str | os.PathLike, stored: int, channels: int) -> None:
    """Raises UserError if grey is wanted of pictures prepared in RGB.

    Their levels were downscaled and rounded in RGB, so they would differ from
    those of grey pictures. Grey pictures can be given as RGB.
    """
    if channels < stored:
        raise UserError(
            f"expected pictures of {channels} channel in {path}, found "
            f"{stored}; use --channels={stored} or prepare the data again "
            f"with --channels={channels}"
        )
