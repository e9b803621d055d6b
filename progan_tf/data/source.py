"""The one face of every source of training pictures."""

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
    """What is wanted of data: see `sources.open_source`."""

    channels: int  # 3 for RGB or 1 for grey.
    labels: bool
    labels_file: str | os.PathLike | None  # For kinds that take one.
    cache_bytes: int  # Memory for decoded pictures.
    few: bool = False  # Of a folder also fewer than can be trained on.


class Source(abc.ABC):
    """Numbered pictures, each at any power-of-two resolution up to a limit.

    What a source gives is a pure function of the index and the resolution:
    a run that resumes, or is split over machines, then sees the very same
    pictures. Sources may be used from several threads at once.

    The class of a kind of source answers what is asked of a text that names
    such data, without opening it; by default it answers for paths. To add a
    kind is to write its class and its line in the table of `sources`.

    Args:
        name: what messages and file names call this source.
        resolution: the largest it can give, a power of two from 4 to 1024.
        limit: in words, why the resolution ends there.
        channels: 1 (grey) or 3 (RGB).
        class_names: one name a class, in the order of the labels; empty
            without labels.
        labels: int64 [N], the class of each picture; None without labels, or
            where `labels` is defined otherwise.

    The attributes are these and `empty_classes`, the numbers of classes that
    have no pictures, as far as the labels are known. Raises UserError for other
    channels.
    """

    usage = ""  # How a text names data of this kind.
    prefix = ""  # What such a text begins with; empty for a path.
    has_path = True  # Whether the text says where the files lie.
    prepare_first = False  # Whether only `progan_tf.prepare` takes it.
    takes_labels_file = False  # Whether classes may come from a file.
    may_download = False  # Whether to open it may take long and much.
    form = None  # Which form of prepared data sets this is.
    # A sentence on the pictures to go with models, where their licence is
    # known.
    credit = None
    replaced = 0  # Pictures that could not be read, so that others stand in.

    @classmethod
    def is_named(cls, data: str) -> bool:
        """Says whether a text alone, whatever lies there, means this kind."""
        return bool(cls.prefix) and data.startswith(cls.prefix)

    @classmethod
    def lies_at(cls, path: str | os.PathLike) -> bool:
        """Says whether data of this kind lie at a path."""
        return False

    @classmethod
    def open(cls, data: str, wanted: Wanted) -> "Source":
        """Opens what a text names; see `sources.open_source`."""
        return cls(cls.path(data), wanted.channels, wanted.labels)

    @classmethod
    def path(cls, data: str) -> str | None:
        """Returns where the files lie; None for data that have no path."""
        if not cls.has_path:
            return None
        if cls.prefix:
            # Shells expand a home folder at the beginning of a word alone.
            return os.path.expanduser(data.removeprefix(cls.prefix))
        return data

    @classmethod
    def absolute(cls, data: str) -> str:
        """Returns the text that names the same data in any folder."""
        path = cls.path(data)
        if path is None or not os.path.isdir(path):
            return data
        return cls.prefix + os.path.abspath(path)

    @classmethod
    def title(cls, data: str) -> str:
        """Returns what others may know: of a path its last name alone."""
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

        Raises UserError where the source has no labels or was opened without.
        """
        if self._labels is None:
            raise UserError(
                f"{self.name} was opened without labels; open it with labels"
            )
        return self._labels[indices]

    def preparing_order(self) -> np.ndarray:
        """Returns all indices in the order to prepare them in, int64 [N]."""
        return np.arange(len(self))


def empty_classes(labels: np.ndarray | None, classes: int) -> tuple[int, ...]:
    """Returns the classes without pictures, as far as labels are known.

    Labels are int64 [N], below 0 where they were not read yet, or None.
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
            f"resolution {resolution} is beyond the data: {source.limit}; "
            f"use --resolution={source.resolution} or larger pictures"
        )


def check_grey_or_rgb(number: int) -> None:
    """Raises UserError for a number of channels other than 1 and 3."""
    if number not in (1, 3):
        raise UserError(f"expected 1 (grey) or 3 (RGB) channels, got {number}")


def check_channels(path: str | os.PathLike, stored: int, channels: int) -> None:
    """Raises UserError where grey is wanted of pictures prepared in RGB.

    Their levels were shrunk and rounded in RGB, so they would not be those of
    the grey pictures. RGB can be had from grey ones.
    """
    if channels < stored:
        raise UserError(
            f"expected pictures of {channels} channel in {path}, found "
            f"{stored}; use --channels={stored} or prepare the data again "
            f"with --channels={channels}"
        )
