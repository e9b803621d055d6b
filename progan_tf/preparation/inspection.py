"""Describing a prepared data set, and checking that it is intact."""

import os
import pathlib
import re
from collections.abc import Iterator

import numpy as np

from progan_tf.data import Source
from progan_tf.data.pyramid import pyramid
from progan_tf.data.sources import kind_at
from progan_tf.errors import UserError
from progan_tf.images import grid_shape, make_grid, nearest_up, save_png
from progan_tf.progress import progress
from progan_tf.text import printable

# Small pictures are enlarged until details are visible; large ones are shown
# at a lower level.
_SMALLEST_CELL, _LARGEST_CELL = 64, 256
_MOST_ROWS = 32  # Of classes in the picture of samples.
_TOGETHER = 64  # Pictures that are compared at a time.


def open_prepared(folder: str | os.PathLike) -> Source:
    """Opens a prepared data set, with its channels and its classes."""
    if not os.path.isdir(folder):
        raise UserError(
            f"expected a prepared data set; there is no folder {folder}"
        )
    kind = kind_at(folder)
    if kind.form is None:
        raise UserError(
            f"expected a prepared data set, but {folder} has neither "
            "NAME-rNN.tfrecords nor compact.json"
        )
    return kind(folder, channels=None, labels=None)


def describe(folder: str | os.PathLike) -> str:
    """Returns a table that describes a prepared data set, several lines."""
    source, folder = open_prepared(folder), pathlib.Path(folder)
    colour = "grey" if source.channels == 1 else "RGB"
    lines = [
        f"{folder}: {len(source):,} pictures, {colour}, "
        f"{source.resolution}x{source.resolution}, {source.form}",
        f"{'resolution':>12}  {'records':>12}  {'bytes':>18}  file",
    ]
    total = 0
    for path in sorted(filter(pathlib.Path.is_file, folder.iterdir())):
        level = re.search(r"r(\d\d)\.(tfrecords|raw)$", path.name)
        size = 1 << int(level[1]) if level else 0
        side, count = f"{size}x{size}", f"{len(source):,}"
        if not level:
            side = count = ""
        length = path.stat().st_size
        lines.append(f"{side:>12}  {count:>12}  {length:>18,}  {path.name}")
        total += length
    lines.append(f"{'all':>12}  {'':>12}  {total:>18,}")
    if source.num_classes:
        labels = source.labels(np.arange(len(source)))
        counts = np.bincount(labels, minlength=source.num_classes)
        lines.append(f"{'class':>12}  {'records':>12}")
        for name, count in zip(source.class_names, counts, strict=True):
            lines.append(f"{printable(name):>12}  {count:>12,}")
    return "\n".join(lines)


def save_samples(
    folder: str | os.PathLike, out: str | os.PathLike | None = None
) -> pathlib.Path:
    """Writes a grid of the first pictures of a set to `out`; returns the path.

    The default is FOLDER-samples.png beside the folder. Each class of the
    set has a row. Raises UserError if the set cannot be read or the file
    cannot be written.
    """
    source = open_prepared(folder)
    size = min(source.resolution, _LARGEST_CELL)
    cell = max(size, _SMALLEST_CELL)
    columns, rows = grid_shape(cell)
    if source.num_classes:
        rows = min(source.num_classes, _MOST_ROWS)
        labels = source.labels(np.arange(len(source)))
        members = [np.flatnonzero(labels == i)[:columns] for i in range(rows)]
    else:
        first = np.arange(min(len(source), rows * columns))
        members = np.split(first, range(columns, len(first), columns))
    cells = np.zeros((len(members), columns, size, size, source.channels), "u1")
    for row, indices in zip(cells, members, strict=True):
        row[: len(indices)] = source.images(indices, size)
    images = nearest_up(cells.reshape(-1, *cells.shape[2:]), cell // size)
    folder = pathlib.Path(folder).absolute()
    path = pathlib.Path(out or folder.with_name(f"{folder.name}-samples.png"))
    save_png(path, make_grid(images, columns))
    return path


def verify(folder: str | os.PathLike) -> str:
    """Reads every picture of a prepared data set at every resolution.

    Checks what opening checks (resolutions, sizes, counts, labels), then the
    checksums, then that each stored level is the mean of the finest
    by the official rule: see `pyramid`. Returns a line that confirms this; if
    the set is damaged, raises a UserError that names the bad picture.
    """
    source = open_prepared(folder)
    passes = [("compared", _compare_levels(source))]
    if source.form == "tfrecords":
        # Compact sets check the checksum whenever a picture is read.
        passes.insert(0, ("checked", source.verify()))
    for action, pictures in passes:
        for _ in progress(pictures, len(source), "picture", action):
            pass
    if source.replaced:
        raise UserError(
            f"{source.replaced} of the pictures of {folder} cannot be decoded; "
            "copy or prepare the data again"
        )
    return f"{folder}: all {len(source):,} pictures are intact"


def _compare_levels(source: Source) -> Iterator[None]:
    """Yields once per picture; UserError if a level differs from `pyramid`."""
    finest = source.resolution
    for start in range(0, len(source), _TOGETHER):
        indices = np.arange(start, min(start + _TOGETHER, len(source)))
        sizes = {*source.stored, finest}
        levels = {size: source.images(indices, size) for size in sizes}
        for position, index in enumerate(indices):
            for expected in pyramid(levels[finest][position]):
                size = len(expected)
                level = levels[size][position] if size in levels else expected
                if not np.array_equal(level, expected):
                    raise UserError(
                        f"picture {index}, counted from 0, of {source.name} is "
                        f"at {size}x{size} not the average of its pixels at "
                        f"{finest}x{finest}; prepare the data again"
                    )
            yield
