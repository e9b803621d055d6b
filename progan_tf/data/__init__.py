"""Where training pictures come from: one module a source, one face.

source = open_source("cats")
with Loader(source, seed=1) as loader:
    chunk = loader.chunk(start=0, steps=4, batch_size=16, resolution=8)
"""

import os

from progan_tf.data.cats import Cats
from progan_tf.data.folder import Folder
from progan_tf.data.loader import Chunk
from progan_tf.data.loader import Loader
from progan_tf.data.order import ShuffledOrder
from progan_tf.data.source import Source
from progan_tf.data.source import check_resolution
from progan_tf.errors import UserError

__all__ = [
    "Cats",
    "Chunk",
    "Folder",
    "Loader",
    "ShuffledOrder",
    "Source",
    "check_resolution",
    "open_source",
]

_UNDERSTOOD = "'cats' or the path of a folder of pictures"


def open_source(data: str, channels: int = 3, labels: bool = False) -> Source:
    """Opens what the flag `--data` names.

    Args:
        data: `cats` for the drawn cats (write `./cats` for a folder of that
            name), or the path of a folder of pictures.
        channels: 3 for RGB or 1 for grey; the pictures are converted.
        labels: whether classes are wanted. The cats always have theirs; in
            a folder each sub-folder is then a class.

    Returns:
        the source, ready to read from.

    Raises:
        UserError: `data` is nothing that is understood, or not usable.
    """
    if data == "cats":
        return Cats(channels)
    if os.path.isdir(data):
        return Folder(data, channels, labels)
    problem = "is not a folder" if os.path.exists(data) else "does not exist"
    raise UserError(f"expected --data={_UNDERSTOOD}; {data!r} {problem}")
