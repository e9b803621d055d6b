"""Safe reading of untrusted files.

Whatever such a file contains, it is read or refused with a one-line
`UserError`. Nothing here waits forever, executes a file's content or allocates
memory only because a file's header says so.
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

# Otherwise imported where they are used: reading only text, such as the
# settings of a run, need not wait for them.
if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

# Only Pillow's decoders for these formats are used, whatever a file claims to
# be: some of its others run external programs.
PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
_MOST_TEXT = 1 << 30  # Bytes of a text or JSON file.
# Compression makes pictures several times smaller, not hundreds of times,
# unless the archive is a decompression bomb.
_LARGE, _MOST_GROWTH = 1 << 28, 100


def open_file(path: str | os.PathLike) -> BinaryIO:
    """Opens a file in binary mode.

    Raises OSError if it does not exist or is a folder, a pipe or a device,
    whose bytes might never end.
    """
    # So that opening a pipe does not wait for a writer.
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
    """Reads a JSON file; UserError if it cannot, see `parse_json`."""
    text = read_text(path)
    with refusing(path):
        return parse_json(text)


def parse_json(text: str) -> object:
    """Returns the value of JSON text.

    Raises ValueError if it is not JSON, is nested too deeply or has a string
    that cannot be encoded in UTF-8.
    """
    try:
        value = json.loads(text)
        # JSON can escape half of a surrogate pair, which UTF-8 cannot encode.
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    return value


def read_array(path: str | os.PathLike, most: float = math.inf) -> "np.ndarray":
    """Reads the array of an .npy file, if that takes at most `most` bytes."""
    with refusing(path), open_file(path) as file:
        return _read_array(file, os.fstat(file.fileno()).st_size, most)


class ArrayArchive:
    """Context manager of an .npz file; an array is read when it is indexed."""

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
    """Yields the `PIL.Image.Image` of a path or of an open file.

    Raises an exception of any kind if Pillow cannot read the file as one of
    `formats`, or if its limit of pixels is exceeded.
    """
    from PIL import Image, UnidentifiedImageError

    # Pillow warns above a limit and refuses above twice that: only the refusal
    # matters here.
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
    """Turns any exception about a file into a UserError.

    The message names the file, followed by `how`, such as "as .npz".
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # Archives alone raise five kinds.
        name = f"{path} {how}".rstrip()
        large = isinstance(error, MemoryError)
        reason = "it is too large" if large else first_line(error)
        raise UserError(f"cannot read {name}: {reason}") from error


def _read_array(file: BinaryIO, size: int, most: float) -> "np.ndarray":
    """Reads an array from a file of `size` bytes, after checking its header."""
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
    # NumPy would first allocate the memory that the header asks for.
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
    """Returns the machine's memory in bytes, infinity if it is unknown."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return math.inf  # Not on Windows.
