"""The folder that a prepared data set is written to."""

import os
import pathlib
import re
import shutil

from progan_tf.data import kind_named
from progan_tf.data.disk import list_folder
from progan_tf.data.sources import kind_at
from progan_tf.errors import UserError
from progan_tf.files import is_free, put_back
from progan_tf.resolutions import resolutions
from progan_tf.text import data_size

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
    above = folder.absolute()
    while not above.exists():
        above = above.parent
    free = shutil.disk_usage(above).free
    if needed > free:
        raise UserError(
            f"{pictures:,} pictures of {resolution}x{resolution} take "
            f"{data_size(needed)} as tfrecords, and {above} has "
            f"{data_size(free)} free; lower --resolution or --max_images, "
            "or use --format=compact"
        )


def check_place(
    out: str | os.PathLike, overwrite: bool, source: str = "cats"
) -> None:
    """Raises UserError unless a data set can be written to the folder `out`.

    With `overwrite` it may replace one that is there. It may not lie within
    the `source`, which is what `open_source` takes: in a folder of pictures it
    would be a class, and the file of a compact one a picture.
    """
    if not out:
        raise UserError("expected --out=FOLDER for the data set")
    pictures = kind_named(source).path(source)
    above = pathlib.Path(out).resolve().parents
    # An empty path is told when it is opened.
    if pictures and pathlib.Path(pictures).resolve() in above:
        raise UserError(f"{out} lies within {source}; choose another --out")
    put_back(out)
    if is_free(out):
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
