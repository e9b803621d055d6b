"""A folder of pictures of any size and shape."""

import collections
import concurrent.futures
import logging
import os
import pathlib

import numpy as np

from progan_tf.data.disk import count_copies, list_folder, walk
from progan_tf.data.encoded import EncodedSource, Unreadable, largest_resolution
from progan_tf.data.labels_file import check_classes, normal, read_labels_file
from progan_tf.data.picture_files import (
    EXTENSIONS,
    KINDS,
    read_picture,
    read_size,
)
from progan_tf.data.source import CACHE_BYTES, Wanted
from progan_tf.errors import UserError
from progan_tf.progress import progress
from progan_tf.text import listed, printable, shortened

# Fewer pictures than this are too few to learn a distribution from, and
# nearly always a wrong path.
_MIN_PICTURES = 16
# Formats that are not read; the user is told of files that have them.
_OTHER_PICTURES = (
    ".heic .heif .tif .tiff .avif .jxl .jp2 .jfif .psd .dng .cr2 .nef .arw"
).split()
_log = logging.getLogger("progan_tf")


class Folder(EncodedSource):
    """The pictures in a folder and its sub-folders, cropped to squares.

    Files are selected by extension and sorted by their path within the folder,
    so their order does not depend on the file system; hidden ones are left
    out. Each picture is centre-cropped and resized on demand. The largest
    resolution is the power of two that the median of the short sides reaches,
    at most 1024.

    Files that cannot be read are named in the log and skipped. Damage that is
    found only while decoding is handled as in any `EncodedSource`.

    Raises UserError if there is no such folder, too few pictures, more than
    1 % of them unreadable (found here or by `images`), or no classes although
    labels are wanted.
    """

    usage = "a folder of pictures or of prepared data"
    takes_labels_file = True

    @classmethod
    def lies_at(cls, path: str | os.PathLike) -> bool:
        return os.path.isdir(path)

    @classmethod
    def open(cls, data: str, wanted: Wanted) -> "Folder":
        channels, labels, labels_file, cache_bytes, few = wanted
        options = channels, labels, cache_bytes, labels_file, few
        return cls(cls.path(data), *options)

    def __init__(
        self,
        path: str | os.PathLike,
        channels: int = 3,  # Or 1 for grey: the pictures are converted.
        labels: bool = False,  # Each sub-folder is a class, in sorted order.
        cache_bytes: int = CACHE_BYTES,  # Memory for decoded pictures.
        # In place of sub-folders, see `read_labels_file`.
        labels_file: str | os.PathLike | None = None,
        few: bool = False,  # Accept fewer pictures than training needs.
    ):
        self._root = pathlib.Path(path)
        self._least = 1 if few else _MIN_PICTURES
        found = find_pictures(self._root)
        unreadable = Unreadable(found=len(found), place=str(path))
        self._files, sides = self._read_headers(found, unreadable)
        size = largest_resolution(sides, str(path))
        classes, numbers = (), None
        if labels_file is not None:
            classes, numbers = read_labels_file(labels_file, found)
            # The file has labels of the unreadable pictures, too.
            known = dict(zip(found, numbers, strict=True))
            numbers = np.array([known[file] for file in self._files])
        elif labels:
            classes, numbers = find_classes(self._root, self._files)
        about = (str(path), *size, channels, classes, numbers)
        super().__init__(*about, cache_bytes=cache_bytes, unreadable=unreadable)

    def __len__(self) -> int:
        return len(self._files)

    def count_copies(self, indices: np.ndarray, others: np.ndarray) -> int:
        """See `Source.count_copies`."""
        parts = (indices.tolist(), others.tolist())
        return count_copies(
            *([self._root / self._files[i] for i in part] for part in parts)
        )

    def preparing_order(self) -> np.ndarray:
        """Returns all indices in the order of the files' names, int64 [N].

        Folders are ignored, so that sorting the files into classes does not
        change the order. Equal names are in the order of their folders.
        """
        names = [file.name for file in self._files]
        return np.array(sorted(range(len(names)), key=names.__getitem__))

    def _short_side(self, file: pathlib.Path) -> int:
        """Reads the header of a file; any exception if it is broken."""
        return min(read_size(self._root / file))

    def _read_picture(self, index: int, resolution: int) -> np.ndarray:
        path = self._root / self._files[index]
        return read_picture(path, resolution, self.channels)

    def _picture_name(self, index: int) -> str:
        return self._files[index].as_posix()

    def _read_headers(
        self, found: list[pathlib.Path], unreadable: Unreadable
    ) -> tuple[list[pathlib.Path], list[int]]:
        """Returns the files whose header can be read, and their short sides."""

        def short_side(file: pathlib.Path) -> int | Exception:
            try:
                return self._short_side(file)
            except Exception as error:  # Damage raises anything.
                return error

        sides, count = {}, len(found)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            results = pool.map(short_side, found)
            results = progress(results, count, "header", "read", leave=False)
            for file, side in zip(found, results, strict=True):
                if isinstance(side, Exception):
                    unreadable.add(file.as_posix(), side)
                else:
                    sides[file] = side
        unreadable.check()
        if len(sides) < self._least:
            raise UserError(
                f"expected at least {self._least} pictures, found "
                f"{len(sides)} in {self._root}; choose another folder"
            )
        return list(sides), list(sides.values())


def find_pictures(root: pathlib.Path) -> list[pathlib.Path]:
    """Returns the picture files under a folder, at any depth.

    The paths are relative to it and sorted by their text with slashes: the
    same on every file system and machine. Hidden files and folders are left
    out, and, after a warning, folders that cannot be read. Raises UserError
    if there is no such folder, or no picture in it.
    """
    if not root.is_dir():
        raise UserError(f"expected a folder of pictures, got {root}")
    pictures, others = [], collections.Counter()
    for folder, files in walk(root, hidden=False, on_error=_warn):
        for name in files:
            path = pathlib.Path(folder, name)
            if name.startswith("."):
                continue
            # Opening a pipe would block for ever. A dangling link is kept, so
            # that it is named as unreadable.
            if path.suffix.lower() in EXTENSIONS and (
                os.path.isfile(path) or not os.path.exists(path)
            ):
                pictures.append(path.relative_to(root))
            else:
                others[path.suffix.lower()] += 1
    if not pictures:
        count = others.total()
        what = f"{count} other files" if count else "no file at all"
        raise UserError(
            f"expected {KINDS} pictures in {root}, found {what}; "
            "choose another folder"
        )
    skipped = [f"{others[x]} {x}" for x in _OTHER_PICTURES if others[x]]
    if skipped:
        text = "%s: %s are skipped; the program reads only %s"
        _log.warning(text, root, ", ".join(skipped), KINDS)
    return sorted(pictures, key=pathlib.PurePath.as_posix)


def find_classes(
    root: pathlib.Path, files: list[pathlib.Path]
) -> tuple[tuple[str, ...], np.ndarray]:
    """Returns class names (sub-folders) and each file's class, int64 [N]."""
    outside = sum(len(file.parts) < 2 for file in files)
    names = sorted({file.parts[0] for file in files if len(file.parts) > 1})
    if len(names) < 2:
        raise UserError(
            "expected two or more sub-folders of pictures, one a class, "
            f"found {len(names)} in {root}; sort the pictures into some or "
            "train without classes: --nolabels"
        )
    if outside:
        raise UserError(
            f"expected every picture in a sub-folder, its class, but "
            f"{outside} lie in {root} itself; move or remove them"
        )
    alike = len(names) - len({normal(printable(name)) for name in names})
    if alike:
        raise UserError(
            f"expected sub-folders of different names in {root}; {alike} of "
            "them look the same as another and differ only in their bytes: "
            "rename them"
        )
    numbers = {name: number for number, name in enumerate(names)}
    labels = np.array([numbers[file.parts[0]] for file in files], np.int64)
    empty = [
        name
        for name in sorted(set(list_folder(root)) - set(names))
        if not name.startswith(".") and (root / name).is_dir()
    ]
    if empty:
        text = (
            "%s: these sub-folders are not classes, because no picture in them "
            "can be read: %s"
        )
        _log.warning(text, root, listed(map(printable, empty)))
    check_classes(labels, len(names), str(root))
    return tuple(map(printable, names)), labels


def _warn(error: OSError) -> None:
    """Names a folder that cannot be read, such as `lost+found` of a disk."""
    name = printable(shortened(error.filename, 400))
    _log.warning("skipped unreadable folder %s: %s", name, error.strerror)
