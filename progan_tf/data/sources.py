"""The table of the kinds of sources, and the choice among them."""

import os
import pathlib

from progan_tf.data.arrays import Arrays
from progan_tf.data.cats import Cats
from progan_tf.data.celeba import CelebA
from progan_tf.data.compact import Compact
from progan_tf.data.folder import Folder
from progan_tf.data.lsun import Lsun
from progan_tf.data.source import CACHE_BYTES, Source, Wanted
from progan_tf.data.tfds import TFDS
from progan_tf.data.tfrecords import TFRecords
from progan_tf.errors import UserError
from progan_tf.text import shortened

_LONGEST = 1000  # Letters in the name of data.
# The first kind that matches is taken, so the plain folder, which matches any
# folder, comes last.
SOURCES = (Cats, TFDS, CelebA, Lsun, Arrays, Compact, TFRecords, Folder)


def kind_named(data: str) -> type[Source]:
    """Returns the kind of source that a text means, without opening it.

    The disk, which may be slow or missing, is not accessed: any other text
    means a `Folder`, whatever is there.
    """
    return next((kind for kind in SOURCES if kind.is_named(data)), Folder)


def kind_at(path: str | os.PathLike) -> type[Source] | None:
    """Returns the kind of source that lies at a path, None for no folder."""
    return next((kind for kind in SOURCES if kind.lies_at(path)), None)


def usage(preparing: bool = False) -> str:
    """Returns how `--data` (or `--source`, for `preparing`) names each kind."""
    kinds = [x for x in SOURCES if preparing or not x.prepare_first]
    *usages, last = dict.fromkeys(kind.usage for kind in kinds)
    return f"{', '.join(usages)} or {last}"


def open_source(
    data: str,
    channels: int = 3,
    labels: bool = False,
    labels_file: str | os.PathLike | None = None,
    preparing: bool = False,
    flag: str = "",
    few: bool = False,
) -> Source:
    """Opens what the flag `--data`, or `--source` of `prepare`, names.

    Args:
        data: `cats` for the drawn cats (write `./cats` for a folder of that
            name); the path of a folder of pictures, of official records or
            of a compact data set; or tfds:NAME[/CONFIG][:VERSION][/SPLIT].
            To prepare also FILE.npz, celeba:FOLDER and lsun:FOLDER.
        channels: 3 for RGB or 1 for grey. Pictures are converted; prepared
            data must have these channels, but grey is also given as RGB.
        labels: whether classes are wanted. The cats always have theirs; in
            a folder of pictures each sub-folder is then a class.
        labels_file: the classes of a folder's pictures, see `labels_file`.
        preparing: each picture is read only once, so decoded ones are not kept.
        flag: the name of another flag that gave `data`, for messages.
        few: a folder may have fewer pictures than training needs.

    Raises:
        UserError: if `data` is not understood or cannot be used, or lacks
            labels that are wanted.
    """
    flag = flag or ("--source" if preparing else "--data")
    if len(data) > _LONGEST:
        raise UserError(
            f"expected {flag} of at most {_LONGEST:,} characters; received "
            f"{shortened(data)}"
        )
    kind = kind_named(data)
    if not kind.is_named(data):
        kind = kind_at(data)
    if kind is None or (kind.prepare_first and not preparing):
        there = "is not a folder" if os.path.exists(data) else "does not exist"
        problem = (
            ("must first be converted by progan_tf.prepare") if kind else there
        )
        raise UserError(
            f"expected {flag}={usage(preparing)}; {data!r} {problem}"
        )
    if kind.prefix and data == kind.prefix:
        raise UserError(f"expected {flag}={kind.usage}; received {data}")
    if labels_file is not None and not kind.takes_labels_file:
        raise UserError(
            f"expected --labels_file with a folder of pictures, got {data}"
        )
    cache_bytes = 0 if preparing else CACHE_BYTES
    wanted = Wanted(channels, labels, labels_file, cache_bytes, few)
    source = kind.open(data, wanted)
    if labels and not source.num_classes:
        raise UserError(f"{data} has no labels; leave --labels out")
    return source


def check_apart(
    data: str, place: str | os.PathLike, flag: str, around: bool = False
) -> None:
    """Refuses to write among pictures, as what is written may be one more.

    Args:
        data: as of `open_source`.
        place: a file or folder that is written to.
        flag: the name of the flag that gave it, such as "--run_dir".
        around: whether a folder that contains the pictures is refused, too.

    Raises:
        UserError: if `data` are plain pictures, and `place` lies among them.
    """
    path = kind_named(data).path(data)
    if not path or not os.path.isdir(path):
        return
    # Unlike `pathlib.Path.resolve`, this takes links that lead nowhere.
    folder, place = (pathlib.Path(os.path.realpath(x)) for x in (path, place))
    near = folder == place or folder in place.parents
    near = near or (around and place in folder.parents)
    # Other kinds read files of their own names alone. They are only looked for
    # now, because listing a large folder takes long.
    if near and kind_at(path) is Folder:
        raise UserError(
            f"{place} and the pictures in {folder} must lie apart, or what is "
            f"written there is read as one of them; choose another {flag}"
        )
