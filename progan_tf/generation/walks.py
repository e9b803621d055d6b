"""Walks through the space of latents, and the pictures on the way."""

import itertools
import re

import numpy as np

from progan_tf import sampling
from progan_tf.errors import UserError
from progan_tf.generation import films
from progan_tf.images import make_grid, nearest_up

# Latents of 512 numbers then take 2 GB while they are drawn.
_MOST_LATENTS = 500_000
# Pictures that are computed at once: whole groups of `images_of`.
_TOGETHER = 32
# As the official code's filter, SciPy's, ends.
_TRUNCATE = 4.0


def walk_through(seeds, frames_per_leg, latent_size=512, loop=True):
    """A walk along great circles, from one seed's latent to the next.

    Args:
        seeds: sequence of two or more ints.
        frames_per_leg: int, frames from one seed to the next.
        latent_size: int, numbers a latent.
        loop: bool, whether the last leg leads back to the first seed.

    Returns:
        float32 `[frames, latent_size]`. Frame `i * frames_per_leg` is seed
        i's latent, to the bit. A loop has `len(seeds)` legs and leaves out
        its last frame, which would be the first again; otherwise there is
        one leg less, and the last frame is the last seed's.

    Raises:
        UserError: for fewer than two seeds, or too many frames.
    """
    if len(seeds) < 2:
        raise UserError(
            f"expected two or more seeds to walk through; received {len(seeds)}"
        )
    _check_count(len(seeds) * frames_per_leg)
    own = sampling.seeded_latents(seeds, latent_size)
    return _legs(own, frames_per_leg, loop, sampling.interpolate)


def classes_through(generator, seeds, frames_per_leg, loop=True, chosen=None):
    """The classes along `walk_through`: from each seed's to the next one's.

    Args:
        generator: `AnyGenerator`.
        seeds: sequence of ints; the class of one is seed modulo classes.
        frames_per_leg, loop: as of `walk_through`.
        chosen: int, the class of all frames instead.

    Returns:
        float32 `[frames, 1, classes]`, of sum 1: one-hot at a seed, and
        between two the linear way from class to class. Int64 `[1]`, where
        one is chosen; None without classes.

    Raises:
        UserError: if there is no such class.
    """
    if chosen is not None or not generator.num_classes:
        return generator.labels_of(seeds[:1], chosen)

    def between(start, end, fractions):
        fractions = fractions[:, np.newaxis]
        return ((1 - fractions) * start + fractions * end).astype("float32")

    labels = generator.labels_of(seeds)
    own = sampling.one_hot(labels, generator.num_classes)
    return _legs(own, frames_per_leg, loop, between)[:, np.newaxis]


def smooth_walk(seed, frames, count, latent_size=512, sigma=30.0):
    """The official code's random walk, of several latents, as a loop.

    Normal noise is smoothed over time by a Gaussian filter that wraps around
    (truncated at 4 sigma) and divided by its root mean square.

    Args:
        seed: int, from 0 to 2**32 - 1.
        frames: int.
        count: int, latents that walk independently.
        latent_size: int, numbers a latent.
        sigma: float, the filter's standard deviation in frames: seconds of
            smoothing times frames a second; 0 does not smooth.

    Returns:
        float32 `[frames, count, latent_size]`, of root mean square 1.

    Raises:
        UserError: if sigma is over a quarter of the film, which would then
            hardly move, or for too many latents.
    """
    if not 0 <= sigma <= frames / 4:
        raise UserError(
            "expected smoothing of at most a quarter of the film, which would "
            f"hardly move otherwise; received {sigma:g} of {frames} frames; "
            "give more --seconds or less --smoothing"
        )
    _check_count(frames * count)
    shape = (frames, count, latent_size)
    walk = np.random.RandomState(seed).standard_normal(shape)
    walk = walk.astype("float32")
    filter_ = np.fft.rfft(_wrapped_gaussian(frames, sigma))[:, np.newaxis]
    for i in range(count):  # One by one, to save memory.
        spectrum = np.fft.rfft(walk[:, i].astype("float64"), axis=0)
        walk[:, i] = np.fft.irfft(spectrum * filter_, frames, axis=0)
    walk /= np.sqrt(np.mean(np.square(walk), dtype="float64"))
    return walk


def walk_along(seeds, vector, distance, frames, latent_size=512, loop=True):
    """A walk of each seed's latent along a direction and against it.

    Args:
        seeds: sequence of ints, whose latents walk together.
        vector: float32 `[latent_size]`, of length 1.
        distance: float, how far at most.
        frames: int.
        latent_size: int, numbers a latent.
        loop: bool, swing from the latent forth, back and forth again; otherwise
            from -distance to distance.

    Returns:
        float32 `[frames, seeds, latent_size]`, at the latents' lengths.

    Raises:
        UserError: for too many latents.
    """
    _check_count(frames * len(seeds))
    own = sampling.seeded_latents(seeds, latent_size)
    steps = np.linspace(-distance, distance, frames)
    if loop:
        steps = distance * np.sin(2 * np.pi * np.arange(frames) / frames)
    return np.stack([sampling.moved(own, step * vector) for step in steps])


def walk_frames(generator, latents, columns, labels=None, scale=1):
    """Frames with a cell for each latent that walks.

    Args:
        generator: `AnyGenerator`.
        latents: float32 `[frames, count, latent_size]`.
        columns: int, cells in a row.
        labels: class numbers `[count]`, where the generator takes labels, or
            `[frames, count, classes]`, what lies between classes.
        scale: int, by which pictures are enlarged to cells.

    Returns:
        Iterator of uint8 `[height, width, channels]`.

    Raises:
        UserError: at once, for frames that are too large for a film.
    """
    frames, count, latent_size = latents.shape
    height, width, _ = generator.image_shape
    grid_rows = -(-count // columns)
    films.check_size(grid_rows * height * scale, columns * width * scale)
    rows = latents.reshape(frames * count, latent_size)  # [FZ] F = frame, cell
    if np.ndim(labels) == 3:
        row_labels = labels.reshape(len(rows), -1)  # [FL]
    else:
        row_labels = None if labels is None else np.tile(labels, frames)

    def pictures():
        for start in range(0, len(rows), _TOGETHER):
            part = slice(start, start + _TOGETHER)
            part_labels = None if row_labels is None else row_labels[part]
            yield from generator.images_of(rows[part], part_labels)

    def grids():
        cells = pictures()
        while frame := list(itertools.islice(cells, count)):
            yield make_grid(nearest_up(np.stack(frame), scale), columns)

    return grids()


def parse_grid(text):
    """Columns and cells, two ints, from text such as "4x3": 4 and 12.

    Raises:
        UserError: for other text, or more than 99 of either.
    """
    match = re.fullmatch(r"([1-9]\d?)x([1-9]\d?)", text, re.A)
    if match is None:
        raise UserError(f"expected --grid such as 4x3; received {text}")
    return int(match[1]), int(match[1]) * int(match[2])


def _legs(own, frames_per_leg, loop, between):
    """The way through the rows of `own`, see `walk_through`.

    Args:
        own: `[N, numbers]`.
        frames_per_leg, loop: as of `walk_through`.
        between: function of two rows and fractions `[frames_per_leg]`.
    """
    starts, ends = own, np.roll(own, -1, axis=0)
    if not loop:
        starts, ends = own[:-1], own[1:]
    fractions = np.arange(frames_per_leg) / frames_per_leg
    legs = [
        between(start, end, fractions)
        for start, end in zip(starts, ends, strict=True)
    ]  # legs x [frames_per_leg, numbers]
    walk = np.concatenate(legs)
    return walk if loop else np.concatenate([walk, own[-1:]])


def _wrapped_gaussian(frames, sigma):
    """The filter's weights by distance in frames, modulo the film's length.

    Returns:
        float64 `[frames]` of sum 1.
    """
    if not sigma:
        return np.eye(1, frames)[0]
    radius = int(_TRUNCATE * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    weights = np.zeros(frames)
    np.add.at(weights, offsets % frames, np.exp(-0.5 * (offsets / sigma) ** 2))
    return weights / weights.sum()


def _check_count(latents):
    if latents > _MOST_LATENTS:
        raise UserError(
            f"expected a film of at most {_MOST_LATENTS:,} pictures; received "
            f"{latents:,}; give fewer --seconds, --fps or cells"
        )
