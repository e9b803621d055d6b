"""Reading files of other people, who may have made them with any intent.

Whatever such a file holds, it is read or refused with a `UserError` of one
line; nothing here waits for ever, runs what a file holds or takes memory that
only a file's header asks for.
"""

import contextlib
import json
import math
import os
import stat
import warnings
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from progan_tf.errors import UserError
from progan_tf.text import first_line

# Otherwise imported where they are used: who reads only text, such as the
# settings of a run, need not wait for them.
if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

# Only Pillow's readers for these are let at the bytes, whatever a file claims
# to be: some of its others run outside programs.
PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
_MOST_TEXT = 1 << 30  # Bytes of a text or JSON file.
# Pictures become some times as small in an archive, and not hundreds of times,
# unless somebody wants to fill the memory of another.
_LARGE, _MOST_GROWTH = 1 << 28, 100


def open_file(path: str | os.PathLike) -> BinaryIO:
    """Opens a file for its bytes.

    Raises OSError where there is none, and for a folder, a pipe or a device,
    whose bytes might never end.
    """
    # Without waiting for somebody to write, where it is a pipe.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "it is not a file", os.fspath(path))
    return open(descriptor, "rb")


def read_text(path: str | os.PathLike) -> str:
    """Reads UTF-8, with or without a byte order mark, of at most a gigabyte."""
    with refusing(path), open_file(path) as file:
        if os.fstat(file.fileno()).st_size > _MOST_TEXT:
            raise ValueError(f"it has more than {_MOST_TEXT:,} bytes")
        content = file.read()
        if b"\0" in content:
            raise ValueError("it is not a text file")
        return content.decode("utf-8-sig")


def read_json(path: str | os.PathLike) -> object:
    """Reads a JSON file; UserError where it cannot, see `parse_json`."""
    text = read_text(path)
    with refusing(path):
        return parse_json(text)


def parse_json(text: str) -> object:
    """Returns what JSON stands for.

    Raises ValueError where it is no JSON, is nested too deep or holds text
    that no file or terminal could take.
    """
    try:
        value = json.loads(text)
        # Half of a surrogate pair can be escaped, but not be written.
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    return value


def read_array(path: str | os.PathLike, most: float = math.inf) -> "np.ndarray":
    """Reads the array of an .npy file, if that takes at most `most` bytes."""
    with refusing(path), open_file(path) as file:
        return _read_array(file, os.fstat(file.fileno()).st_size, most)


class ArrayArchive:
    """The arrays of an .npz file, in a context: each is read when asked for."""

    def __init__(self, path: str | os.PathLike):
        self._path = path
        with refusing(path, "as .npz"), contextlib.ExitStack() as stack:
            file = stack.enter_context(open_file(path))
            self._archive = stack.enter_context(zipfile.ZipFile(file))
            self._stack = stack.pop_all()
        members = self._archive.namelist()
        self._members = {name.removesuffix(".npy"): name for name in members}
        self.names = tuple(self._members)

    def __getitem__(self, name: str) -> "np.ndarray":
        with refusing(self._path, f"as .npz: {name}"):
            info = self._archive.getinfo(self._members[name])
            if info.file_size > _LARGE + _MOST_GROWTH * info.compress_size:
                raise ValueError(f"it would grow to {info.file_size:,} bytes")
            with self._archive.open(info) as file:
                return _read_array(file, info.file_size, math.inf)

    def __enter__(self) -> "ArrayArchive":
        return self

    def __exit__(self, *exception) -> None:
        self._stack.close()


@contextlib.contextmanager
def open_picture(
    file: str | os.PathLike | BinaryIO, formats: tuple = PICTURE_FORMATS
) -> Iterator["Image.Image"]:
    """Opens a picture, given by its path or as an open file, for its pixels.

    Raises an exception of any kind where Pillow cannot make sense of the file
    as one of `formats`, or its guard finds too many pixels.
    """
    from PIL import Image, UnidentifiedImageError

    # Pillow warns above a limit and refuses above twice that: only the second
    # counts here.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    with contextlib.ExitStack() as stack:
        if isinstance(file, (str, os.PathLike)):
            file = stack.enter_context(open_file(file))
        try:
            image = Image.open(file, formats=formats)
        except UnidentifiedImageError as error:
            raise ValueError("not a picture of a known kind") from error
        except Image.DecompressionBombError as error:
            most = 2 * Image.MAX_IMAGE_PIXELS
            raise ValueError(f"more than {most:,} pixels") from error
        yield stack.enter_context(image)


@contextlib.contextmanager
def refusing(path: str | os.PathLike, how: str = "") -> Iterator[None]:
    """Turns whatever a library raises of a file into a UserError.

    The message names the file and, behind it, `how`, such as "as .npz".
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # Those of archives alone are of five kinds.
        name = f"{path} {how}".rstrip()
        large = isinstance(error, MemoryError)
        reason = "it is too large" if large else first_line(error)
        raise UserError(f"cannot read {name}: {reason}") from error


def _read_array(file: BinaryIO, size: int, most: float) -> "np.ndarray":
    """Reads an array of a file of `size` bytes, if that is what it has."""
    import numpy as np

    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"version {version} of .npy files is not supported")
    shape, _, dtype = readers[version](file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    # NumPy would first take the memory that the header asks for.
    needed, there = math.prod(shape) * dtype.itemsize, size - file.tell()
    if needed > there:
        raise ValueError(
            f"it is cut off: expected {needed:,} bytes, found {there:,}"
        )
    if needed > most:
        raise ValueError(
            f"its {needed:,} bytes are more than the {most:,} that are allowed"
        )
    if needed > _memory():
        raise ValueError(f"its {needed:,} bytes do not fit in the memory")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def _memory() -> float:
    """Returns the bytes of memory of the machine, infinity if not known."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return math.inf  # Not on Windows.
