"""Walks through latent space, and the pictures on the way."""

import itertools
import re

import numpy as np

from progan_tf.errors import UserError
from progan_tf.generation import films
from progan_tf.images import make_grid, nearest_up
from progan_tf.latents import interpolate, moved, one_hot, seeded_latents

# This many latents of 512 numbers take 2 GB while they are drawn.
_MOST_LATENTS = 500_000
# Pictures that are computed at once: whole groups of `images_of`.
_TOGETHER = 32
# Where the official code's filter, SciPy's, is truncated, in sigmas.
_TRUNCATE = 4.0


def walk_through(seeds, frames_per_leg, latent_size=512, loop=True):
    """A walk along great circles, from one seed's latent to the next.

    float32 `[frames, latent_size]`. Frame `i * frames_per_leg` is exactly seed
    i's latent. A loop has `len(seeds)` legs, the last of which leads back, and
    omits the last frame, which would repeat the first; otherwise there is one
    leg fewer, and the last frame is the last seed's.
    Raises UserError for fewer than two seeds, or too many frames.
    """
    if len(seeds) < 2:
        raise UserError(
            f"expected two or more seeds to walk through; received {len(seeds)}"
        )
    _check_count(len(seeds) * frames_per_leg)
    own = seeded_latents(seeds, latent_size)
    return _legs(own, frames_per_leg, loop, interpolate)


def classes_through(generator, seeds, frames_per_leg, loop=True, chosen=None):
    """The classes along `walk_through`: from each seed's to the next one's.

    float32 `[frames, 1, classes]`, of sum 1: one-hot at a seed, and linearly
    interpolated between two. Int64 `[1]` if one class is chosen for all
    (UserError if there is no such class); None without classes.
    """
    if chosen is not None or not generator.num_classes:
        return generator.labels_of(seeds[:1], chosen)

    def between(start, end, fractions):
        fractions = fractions[:, np.newaxis]
        return ((1 - fractions) * start + fractions * end).astype("float32")

    labels = generator.labels_of(seeds)
    own = one_hot(labels, generator.num_classes)
    return _legs(own, frames_per_leg, loop, between)[:, np.newaxis]


def smooth_walk(seed, frames, count, latent_size=512, sigma=30.0):
    """The official code's random walk, of several latents, as a loop.

    Gaussian noise is smoothed over time by a Gaussian filter that wraps around
    (truncated at 4 sigma) and divided by its root mean square. Sigma is the
    filter's standard deviation in frames: seconds of smoothing times frames per
    second; 0 does not smooth. `count` latents walk independently: float32
    `[frames, count, latent_size]`, of root mean square 1. Raises UserError if
    sigma is over a quarter of the film, or for too many latents.
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
    """A walk of the seeds' latents along a direction and against it.

    float32 `[frames, seeds, latent_size]`, of unchanged norms. The vector is
    float32 `[latent_size]`, of norm 1. A loop is a sine from the latent to
    distance, -distance and back; otherwise it goes from -distance to distance.
    Raises UserError for too many latents.
    """
    _check_count(frames * len(seeds))
    own = seeded_latents(seeds, latent_size)
    steps = np.linspace(-distance, distance, frames)
    if loop:
        steps = distance * np.sin(2 * np.pi * np.arange(frames) / frames)
    return np.stack([moved(own, step * vector) for step in steps])


def walk_frames(generator, latents, columns, labels=None, scale=1):
    """Yields frames uint8 `[height, width, channels]`, a cell for each latent.

    Latents are float32 `[frames, count, latent_size]`; labels are class numbers
    `[count]` or interpolated one-hot rows `[frames, count, classes]`. Pictures
    are enlarged by `scale`. Raises UserError at once for frames that are too
    large for a film.
    """
    frames, count, latent_size = latents.shape
    height, width, _ = generator.image_shape
    grid_rows = -(-count // columns)
    films.check_size(grid_rows * height * scale, columns * width * scale)
    rows = latents.reshape(frames * count, latent_size)  # [FZ] F = frame, cell
    if np.ndim(labels) == 3:
        labels = labels.reshape(len(rows), -1)  # [FL]
    elif labels is not None:
        labels = np.tile(labels, frames)  # [F]

    def pictures():
        for start in range(0, len(rows), _TOGETHER):
            part = slice(start, start + _TOGETHER)
            chosen = None if labels is None else labels[part]
            yield from generator.images_of(rows[part], chosen)

    def grids():
        cells = pictures()
        while frame := list(itertools.islice(cells, count)):
            yield make_grid(nearest_up(np.stack(frame), scale), columns)

    return grids()


def parse_grid(text):
    """Columns and cells, two ints, from text such as "4x3": 4 and 12.

    Raises UserError for other text, or more than 99 columns or rows.
    """
    match = re.fullmatch(r"([1-9]\d?)x([1-9]\d?)", text, re.A)
    if match is None:
        raise UserError(f"expected --grid such as 4x3; received {text}")
    return int(match[1]), int(match[1]) * int(match[2])


def _legs(own, frames_per_leg, loop, between):
    """The path through the rows of `own`, `[N, numbers]`, see `walk_through`.

    `between` is a function of two rows and fractions `[frames_per_leg]`.
    """
    ends = [*own[1:], own[0]] if loop else own[1:]
    fractions = np.arange(frames_per_leg) / frames_per_leg
    # Each [frames_per_leg, numbers]; without a loop there is one end less.
    legs = [between(*pair, fractions) for pair in zip(own, ends, strict=False)]
    return np.concatenate(legs if loop else [*legs, own[-1:]])


def _wrapped_gaussian(frames, sigma):
    """The filter's weights, float64 `[frames]` of sum 1.

    They are indexed by distance in frames, modulo the film's length.
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
