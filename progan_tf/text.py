"""Formatting numbers, times and errors, for messages and file names."""

import datetime
import re
from collections.abc import Iterable

# TensorFlow adds to a message where in its graph the error was.
_GRAPH_PLACE = re.compile(r"\{\{function_node .*?\}\} ?| ?\[Op:\w+\]")
_MOST_LISTED = 12
_LONGEST = 400


def kimg(images: float) -> str:
    """Thousands of images, such as 12,000.0 or 0.128."""
    return f"{images / 1000:,.{1 if images >= 1000 else 3}f}"


def kimg_in_names(images: int, exact: bool = False) -> str:
    """Thousands of images in file names: 000040, and 000040.016 for 40,016.

    With `exact` zero thousandths are written, too, so that file names sort
    correctly if most have some.
    """
    whole, rest = divmod(images, 1000)
    return f"{whole:06d}" + (f".{rest:03d}" if rest or exact else "")


def duration(seconds: float) -> str:
    """A time such as 0:12:05 or 3 days, 4:00:00."""
    return str(datetime.timedelta(seconds=round(seconds)))


def data_size(count: int) -> str:
    """Bytes as text such as 12.5 GB or 16.0 kB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} bytes"


def first_line(error: Exception) -> str:
    """The message of another library's error, in one line.

    It omits the path that the system's errors repeat, the place in the graph
    that TensorFlow adds, and the lines after the first, which are about that
    library's internals.
    """
    text = getattr(error, "strerror", None) or str(error)
    lines = _GRAPH_PLACE.sub("", text).strip().splitlines()
    if not lines:
        return type(error).__name__
    # Some quote the whole content of a file that they did not expect.
    return shortened(lines[0].strip(), _LONGEST)


def shortened(value: object, most: int = 80) -> str:
    """A value as text, without its middle if it is long."""
    text = str(value)
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}...{text[-most // 2 :]}"


def not_utf8(text: str) -> str:
    """The message about a name that TensorFlow cannot read."""
    return (
        f"{shortened(ascii(text))} is not UTF-8, and TensorFlow reads nothing "
        "else; rename it"
    )


def listed(items: Iterable) -> str:
    """A list for a message; of more than twelve items only some are named."""
    items = [str(item) for item in items]
    if len(items) > _MOST_LISTED:
        items[_MOST_LISTED - 1 : -1] = ["..."]
    return ", ".join(items)


def printable(name: str) -> str:
    """A user's name of a file or a class, safe for any file or terminal.

    What is not UTF-8, and control characters, are replaced by U+FFFD.
    """
    name = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in name)
