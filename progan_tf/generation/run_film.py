"""The growth of a run as a film, from its sample grids. No TensorFlow here."""

import pathlib
import re

import numpy as np

from progan_tf.config import load_config
from progan_tf.errors import UserError
from progan_tf.reading import open_picture

# The size to which the cells of a run's sample grids are enlarged.
_SMALLEST_CELL = 64
_BAR = 4


def growth_frames(run_dir, total, columns=None, rows=None, by_images=False):
    """The same latents' pictures over a run, with a bar of the film's time.

    Yields `total` frames uint8 `[rows * cell + 4, columns * cell, 3]`, whose
    cells are the run's resolution, or 64 if it is lower. They show the upper
    left of the sample grid, by default at most 8 columns and 4 rows. With
    `by_images` each grid is shown in proportion to the images seen until the
    next one, otherwise all equally long. Raises UserError at once if there are
    no samples, or too few columns or rows; later, if a sample cannot be read.
    """
    seen, paths = _samples(run_dir)
    cell = max(load_config(run_dir).resolution, _SMALLEST_CELL)
    shape = _read(paths[-1], lambda shape: min(shape[:2]) >= cell).shape
    height, width, _ = shape
    columns = _crop("columns", columns, 8, width // cell)
    rows = _crop("rows", rows, 4, height // cell)
    times = np.array(seen) if by_images else np.arange(len(paths), dtype=float)
    times -= times[0]
    # The last sample is shown for as long as the others are on average.
    end = times[-1] + times[-1] / max(1, len(times) - 1)
    places = np.arange(total) / total * end
    shown = np.searchsorted(times, places, side="right") - 1

    def frames():
        for place, number in enumerate(shown):
            if not place or number != shown[place - 1]:
                picture = _read(paths[number], shape.__eq__)
                picture = picture[: rows * cell, : columns * cell]
            # The bright part of the bar is the share of the film shown so far.
            bar = np.full((_BAR, *picture.shape[1:]), 48, "uint8")
            bar[:, : round((place + 1) / total * picture.shape[1])] = 224
            yield np.concatenate([picture, bar])

    return frames()


def _samples(run_dir):
    """Thousands of images seen, floats, and paths of the samples, sorted."""
    found = []
    for path in pathlib.Path(run_dir, "samples").glob("fakes-*.png"):
        match = re.fullmatch(r"fakes-(\d+(\.\d+)?)", path.stem)
        if match:
            found.append((float(match[1]), path))
    if not found:
        raise UserError(
            f"expected a run directory with samples; {run_dir} has no "
            "samples/fakes-NNNNNN.png"
        )
    return zip(*sorted(found), strict=True)


def _read(path, is_right):
    """A PNG file, uint8 `[height, width, 3]`; UserError for a wrong shape."""
    try:
        with open_picture(path, ("PNG",)) as image:
            picture = np.asarray(image.convert("RGB"))
    except Exception as error:  # Damage raises errors of every kind.
        raise UserError(
            f"cannot read {path}: {error}; delete it to leave it out"
        ) from error
    if not is_right(picture.shape):
        height, width, _ = picture.shape
        raise UserError(
            f"expected a sample grid like this run's others; {path} has "
            f"{width}x{height} pixels: delete it to leave it out"
        )
    return picture


def _crop(name, given, usual, available):
    """How many of the available columns or rows are shown."""
    if given is not None and given > available:
        raise UserError(
            f"expected at most {available} {name}, as the samples have; "
            f"received {given}"
        )
    return given or min(usual, available)
