"""Where training pictures come from: one module a source, one face.

source = open_source("cats")
with Loader(source, seed=1) as loader:
    chunk = loader.chunk(start=0, steps=4, batch_size=16, resolution=8)
"""

import os

from progan_tf.data.cats import Cats
from progan_tf.data.compact import Compact
from progan_tf.data.compact_files import is_compact
from progan_tf.data.folder import Folder
from progan_tf.data.loader import Chunk, Loader
from progan_tf.data.order import ShuffledOrder
from progan_tf.data.record_files import has_records
from progan_tf.data.source import Source, check_resolution
from progan_tf.data.tfds import TFDS
from progan_tf.data.tfds_builder import PREFIX
from progan_tf.data.tfrecords import TFRecords
from progan_tf.errors import UserError

__all__ = [
    "Cats",
    "Chunk",
    "Compact",
    "Folder",
    "Loader",
    "ShuffledOrder",
    "Source",
    "TFDS",
    "TFRecords",
    "check_resolution",
    "open_source",
]

_UNDERSTOOD = (
    "'cats', a folder of pictures or of prepared data, or tfds:NAME[/CONFIG]"
    "[:VERSION][/SPLIT]"
)


def open_source(data: str, channels: int = 3, labels: bool = False) -> Source:
    """Opens what the flag `--data` names.

    Args:
        data: `cats` for the drawn cats (write `./cats` for a folder of that
            name); the path of a folder of pictures, of official records or
            of a compact data set; or tfds:NAME[/CONFIG][:VERSION][/SPLIT].
        channels: 3 for RGB or 1 for grey. Pictures are converted; prepared
            data must have these channels, but grey is also given as RGB.
        labels: whether classes are wanted. The cats always have theirs; in
            a folder of pictures each sub-folder is then a class.

    Returns:
        the source, ready to read from.

    Raises:
        UserError: `data` is nothing that is understood, or not usable, or has
            no labels where they are wanted.
    """
    if data == "cats":
        return Cats(channels)
    if data.startswith(PREFIX):
        return TFDS(data, channels, labels)
    if os.path.isdir(data):
        if is_compact(data):
            return Compact(data, channels, labels)
        if has_records(data):
            return TFRecords(data, channels, labels)
        return Folder(data, channels, labels)
    problem = "does not exist"
    if os.path.exists(data):
        problem = "is not a folder; an .npz file goes through progan_tf.prepare"
    raise UserError(f"expected --data={_UNDERSTOOD}; {data!r} {problem}")
