"""A folder of pictures of any size and shape."""

import concurrent.futures
import os
import pathlib
import statistics
import sys

import numpy as np

from progan_tf.data.decode import read_picture, read_size
from progan_tf.data.decoding import CACHE_BYTES, DecodingSource
from progan_tf.data.find import find_classes, find_pictures
from progan_tf.data.labels_file import read_labels_file
from progan_tf.data.source import MAX_RESOLUTION, MIN_RESOLUTION
from progan_tf.data.unreadable import Unreadable
from progan_tf.errors import UserError

# With fewer pictures than this there is nothing to learn a distribution
# from; it is nearly always a wrong path.
_MIN_PICTURES = 16

# From this many files on, reading the headers takes long enough to say so.
_PROGRESS_FILES = 5000


class Folder(DecodingSource):
    """The pictures in a folder and its sub-folders, cut to squares.

    Files are taken by extension and sorted by their path within the folder,
    so their order does not depend on the file system; hidden ones are left
    out. Each picture is centre-cropped and resized when first asked for,
    then kept in memory at that resolution where all of them fit.

    The largest resolution is the power of two that the short side of the
    median picture reaches, at most 1024.

    Files that cannot be read are named in the log and skipped. Damage that
    shows only while decoding is met with the next readable picture of the
    same class in its place: a pure function of the index still.

    Args:
        path: the folder.
        channels: 3 for RGB or 1 for grey; the pictures are converted.
        labels: each sub-folder is a class, in sorted order.
        cache_bytes: memory for decoded pictures; where a resolution needs
            more, its pictures are decoded each time.
        labels_file: path of a file with the classes, in place of sub-folders;
            see `read_labels_file`.

    Attributes:
        unreadable: pictures found so far that could not be read.

    Raises:
        UserError: no such folder, too few pictures, more than 1 % of them
            unreadable, or no classes where labels are wanted. The 1 % may
            also be passed later, by `images`.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        channels: int = 3,
        labels: bool = False,
        cache_bytes: int = CACHE_BYTES,
        labels_file: str | os.PathLike | None = None,
    ):
        self._root = pathlib.Path(path)
        found = find_pictures(self._root)
        unreadable = Unreadable(found=len(found), place=str(path))
        self._files, median = self._read_headers(found, unreadable)
        resolution = min(1 << (int(median).bit_length() - 1), MAX_RESOLUTION)
        if resolution < MIN_RESOLUTION:
            raise UserError(
                f"expected pictures of at least {MIN_RESOLUTION} pixels, but "
                f"most in {path} have a short side of {median:g} or less; "
                "use larger pictures"
            )
        classes, classes_of_files = (), None
        if labels_file is not None:
            classes, numbers = read_labels_file(labels_file, found)
            # The file has labels of the unreadable pictures, too.
            known = dict(zip(found, numbers, strict=True))
            classes_of_files = np.array([known[file] for file in self._files])
        elif labels:
            classes, classes_of_files = find_classes(self._root, self._files)
        super().__init__(
            name=str(path),
            resolution=resolution,
            limit=_limit(path, resolution, median),
            channels=channels,
            class_names=classes,
            unreadable=unreadable,
            cache_bytes=cache_bytes,
            labels=classes_of_files,
        )

    def __len__(self) -> int:
        return len(self._files)

    def by_name(self) -> np.ndarray:
        """Returns all indices in the order of the files' names, int64 [N].

        As though all files lay in one folder. Where they do, this is their
        order; equal names are in the order of their folders.
        """
        names = [file.name for file in self._files]
        return np.array(sorted(range(len(names)), key=names.__getitem__))

    def _short_side(self, file: pathlib.Path) -> int:
        """Reads the header of a file; any exception if it is broken."""
        return min(read_size(self._root / file))

    def _read_picture(self, index: int, resolution: int) -> np.ndarray:
        """See `DecodingSource`."""
        path = self._root / self._files[index]
        return read_picture(path, resolution, self.channels)

    def _picture_name(self, index: int) -> str:
        """See `DecodingSource`."""
        return self._files[index].as_posix()

    def _read_headers(
        self, found: list[pathlib.Path], unreadable: Unreadable
    ) -> tuple[list[pathlib.Path], float]:
        """Sorts out the files whose header cannot be read.

        Returns:
            the readable files and the median of their short sides.
        """

        def short_side(file: pathlib.Path) -> int | Exception:
            try:
                return self._short_side(file)
            except Exception as error:  # Of any kind, on a broken file.
                return error

        files, sides = [], []
        with concurrent.futures.ThreadPoolExecutor() as pool:
            results = pool.map(short_side, found)
            for number, (file, side) in enumerate(
                zip(found, results, strict=True)
            ):
                if number and number % _PROGRESS_FILES == 0:
                    print(
                        f"{self._root}: {number} of {len(found)} headers read",
                        file=sys.stderr,
                    )
                if isinstance(side, Exception):
                    unreadable.add(file.as_posix(), side)
                else:
                    files.append(file)
                    sides.append(side)
        unreadable.check()
        if len(files) < _MIN_PICTURES:
            raise UserError(
                f"expected at least {_MIN_PICTURES} pictures, found "
                f"{len(files)} in {self._root}; choose another folder"
            )
        return files, statistics.median(sides)


def _limit(path: str | os.PathLike, resolution: int, median: float) -> str:
    """Says why the resolution of a folder ends where it does."""
    if resolution == MAX_RESOLUTION:
        return f"{MAX_RESOLUTION} is the largest resolution"
    return (
        f"most pictures of {path} have a short side under {2 * resolution} "
        f"(median {median:g})"
    )
