"""The folder that a prepared data set is written to."""

import contextlib
import os
import pathlib
import re
import shutil
from collections.abc import Iterator

from progan_tf.arithmetic import resolutions
from progan_tf.data import kind_named
from progan_tf.data.disk import list_folder
from progan_tf.data.sources import kind_at
from progan_tf.errors import UserError
from progan_tf.files import writing

# The files of prepared sets. Where others lie among them, something would be
# lost with the set.
_SET_FILE = re.compile(
    r".+-r\d\d\.tfrecords|.+-rxx\.labels|r\d\d\.raw|compact\.json|"
    r"pictures\.webp|(index|checks|labels)\.npy",
    re.DOTALL,
)


def check_space(
    folder: pathlib.Path, pictures: int, resolution: int, channels: int
) -> None:
    """Raises UserError where raw records of all levels cannot fit."""
    pixels = sum(size**2 for size in resolutions(resolution))
    needed = pictures * pixels * channels
    above = folder.absolute().parent
    while not above.exists():
        above = above.parent
    free = shutil.disk_usage(above).free
    if needed > free:
        raise UserError(
            f"{pictures:,} pictures of {resolution}x{resolution} take "
            f"{needed / 1e9:,.1f} GB as tfrecords, and {above} has "
            f"{free / 1e9:,.1f} GB free; lower --resolution or --max_images, "
            "or use --format=compact"
        )


def check_place(
    out: str | os.PathLike, overwrite: bool, source: str = "cats"
) -> None:
    """Raises UserError unless a data set can be written to a folder.

    Args:
        out: the folder.
        overwrite: a data set that is there may be replaced.
        source: what `open_source` takes. In a folder of pictures a data set
            would be a class, and the file of a compact one a picture.
    """
    if not out:
        raise UserError("expected --out=FOLDER for the data set")
    pictures = kind_named(source).path(source)
    above = pathlib.Path(out).resolve().parents
    # An empty path is told when it is opened.
    if pictures and pathlib.Path(pictures).resolve() in above:
        raise UserError(f"{out} lies within {source}; choose another --out")
    if _is_free(out):
        return
    if not overwrite:
        raise UserError(
            f"{out} is there already; --overwrite replaces a data set"
        )
    whole = os.path.isdir(out) and kind_at(out).form is not None
    if not whole or not all(map(_SET_FILE.fullmatch, list_folder(out))):
        raise UserError(
            f"{out} is no prepared data set, or more than that, so it is not "
            "replaced; choose another --out"
        )


@contextlib.contextmanager
def place_for(out: pathlib.Path, overwrite: bool) -> Iterator[pathlib.Path]:
    """Gives the folder to write, which is `out` or will take its place.

    An old set is moved aside only when the new one is whole. Where that was
    cut off the old set is put back: at once or, after a kill, by the next run.
    """
    new, old = (
        out.with_name(f".{out.name}.{kind}") for kind in ("new", "replaced")
    )
    _put_back(old, out)
    check_place(out, overwrite)
    if _is_free(out):
        yield out
        return
    try:
        shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(new, ignore_errors=True)
        yield new
        with writing(out):
            out.rename(old)
            new.rename(out)
    finally:
        _put_back(old, out)
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _is_free(out: str | os.PathLike) -> bool:
    """Whether nothing is there but perhaps an empty folder."""
    if os.path.isdir(out):
        return not list_folder(out)
    return not os.path.lexists(out)


def _put_back(old: pathlib.Path, out: pathlib.Path) -> None:
    """Gives an old set its name again, where no new one has taken it."""
    with writing(out):
        if old.exists() and not out.exists():
            old.rename(out)
