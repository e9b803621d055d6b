"""Latents: those of seeds, interpolation and moves."""

import re

import numpy as np

from progan_tf.errors import UserError

_MOST_SEEDS = 1_000_000
_HIGHEST_SEED = 2**32 - 1


def parse_seeds(text):
    """Parse text such as "0-63" or "1,5,9-12" to ints from 0 to 2**32 - 1.

    In the order of the text. UserError for other text or over a million seeds.
    """
    seeds = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,10})(-([0-9]{1,10}))?", part.strip())
        first = int(match[1]) if match else -1
        last = int(match[3] or first) if match else -1
        if not 0 <= first <= last <= _HIGHEST_SEED:
            raise UserError(
                "expected seeds such as 0-63 or 1,5,9-12, from 0 to "
                f"{_HIGHEST_SEED}; received {part!r} in {text!r}"
            )
        if len(seeds) + last - first >= _MOST_SEEDS:
            raise UserError(
                f"expected at most {_MOST_SEEDS:,} seeds; received {text!r}"
            )
        seeds.extend(range(first, last + 1))
    return seeds


def seeded_latents(seeds, latent_size=512):
    """Latents from seeds; each depends on its own seed alone.

    Args:
        seeds: sequence of N ints from 0 to 2**32 - 1.
        latent_size: int, components of a latent.

    Returns:
        float32 `[N, latent_size]`, standard normal.
    """
    rows = [
        np.random.RandomState(seed).standard_normal(latent_size)
        for seed in seeds
    ]
    return np.array(rows, "float32").reshape(len(rows), latent_size)


def one_hot(labels, num_classes):
    """Class numbers `[N]` to float32 `[N, num_classes]`."""
    return np.eye(num_classes, dtype="float32")[np.asarray(labels, "int64")]


def interpolate(start, end, fraction):
    """Spherical interpolation between latents (Shoemake 1985).

    Directions follow the great circle; lengths change linearly. Latents are
    float `[..., latent_size]`, the result float32; `fraction`, from 0 to 1,
    broadcasts over `[...]`.
    """
    start, end = np.asarray(start, "float64"), np.asarray(end, "float64")
    fraction = np.asarray(fraction, "float64")[..., np.newaxis]
    lengths = [np.linalg.norm(x, axis=-1, keepdims=True) for x in (start, end)]
    u, v = start / lengths[0], end / lengths[1]
    angle = np.arccos(np.clip(np.sum(u * v, -1, keepdims=True), -1, 1))
    sine = np.sin(angle)
    safe = np.where(sine < 1e-6, 1.0, sine)
    arc = np.sin((1 - fraction) * angle) * u + np.sin(fraction * angle) * v
    line = (1 - fraction) * u + fraction * v
    turned = np.where(sine < 1e-6, line, arc / safe)
    length = (1 - fraction) * lengths[0] + fraction * lengths[1]
    return (turned * length).astype("float32")


def moved(latents, offset):
    """Latents moved by an offset and rescaled to the length that each had.

    Generators normalize latents, so only their direction matters: plain sums
    would also grow, and be turned less and less by further moves. Input and
    result are float32 `[N, latent_size]`, bit-identical if the offset, float
    `[latent_size]`, is 0.
    """
    offset = np.asarray(offset, "float64")
    if not offset.any():
        return latents
    sums = latents + offset
    old, new = (np.linalg.norm(x, axis=1)[:, None] for x in (latents, sums))
    return (sums * (old / new)).astype("float32")
