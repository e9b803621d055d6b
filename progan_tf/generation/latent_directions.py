"""Directions in latent space along which pictures change in one way.

They are found in the generator itself, without labels: the singular vectors of
its first layer's weight (SeFa), or the PCA of early activations (GANSpace).
"""

import os
import pathlib
import re
from typing import NamedTuple

import numpy as np

from progan_tf.errors import UserError
from progan_tf.files import replacing
from progan_tf.images import make_grid, nearest_up
from progan_tf.latents import moved, seeded_latents
from progan_tf.reading import ArrayArchive
from progan_tf.sampling import as_generator
from progan_tf.text import printable

_FIELDS = "vectors", "strengths", "method"
DIRECTIONS_FILE, PICTURE_FILE = "directions.npz", "directions.png"
# The positions of the picture's columns along a direction. A latent's
# coordinate along it has a standard deviation of 1.
STEPS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
_CELL = 64  # Pixels at least, so that details are visible.
# Latents whose activations are computed, and how many at a time.
_SAMPLES, _TOGETHER = 2048, 64


class Directions(NamedTuple):
    """Directions, the strongest first.

    Attributes:
        vectors: float32 `[count, latent_size]`, orthonormal, and the largest
            number of each is positive; those of attributes have length 1.
        strengths: float64 `[count]`, in descending order: the share of the
            total that the method attributes to each direction, or, for
            attributes, the accuracy of a classifier, 0.5 being chance.
        method: str, the name of the method.
        names: tuple of str, the attributes; empty for the other methods.
    """

    vectors: np.ndarray
    strengths: np.ndarray
    method: str
    names: tuple = ()


def sefa(generator, count=10):
    """Closed-form factorization (Shen and Zhou 2021, equation 6).

    Eigenvectors of A A', where A is the first layer's weight as
    `[latent_size, units]`, its columns normalized as they do it for ProGAN:
    along them the first layer's output changes most.

    Args:
        generator: `keras.Model` from latents (and one-hot labels) to images,
            or an `AnyGenerator` that has one.
        count: int, at most latent_size.

    Returns:
        `Directions`; strengths are shares of the sum of eigenvalues.

    Raises:
        UserError: for more directions than a latent has numbers, for a module,
            whose layers are not accessible, or for a generator that diverged.
    """
    generator = as_generator(generator)
    layer = _first_layer(generator, count)
    weight = np.asarray(layer.kernel)[: generator.latent_size].astype("float64")
    _check_alive(generator, weight)
    weight /= np.linalg.norm(weight, axis=0) + np.finfo("float64").tiny
    values, vectors = np.linalg.eigh(weight @ weight.T)  # Rising.
    strengths = values[::-1][:count] / values.sum()
    return _directions(vectors[:, ::-1].T[:count], strengths, "sefa")


def pca(generator, count=10, samples=_SAMPLES, seed=0):
    """Principal components of early activations, as latents (GANSpace).

    PCA is computed on the activations of the first convolution for random
    latents; the latents are regressed on the component scores (Härkönen et al.
    2020, section 2.2), and the directions orthonormalized in their order.

    Args:
        generator, count: as of `sefa`, which raises the same errors.
        samples: int, random latents.
        seed: int, of the first latent.

    Returns:
        `Directions`; strengths are shares of the activations' variance.
    """
    generator = as_generator(generator)
    _first_layer(generator, count)
    seeds = np.arange(seed, seed + max(samples, 2 * generator.latent_size))
    latents = seeded_latents(seeds, generator.latent_size)
    rows = _early_activations(generator, latents, seeds)  # [N features]
    _check_alive(generator, rows)
    rows -= rows.mean(axis=0)
    _check_alive(generator, rows)
    # The smaller of the two products, which have the same eigenvalues.
    if rows.shape[1] < len(rows):
        values, axes = np.linalg.eigh(rows.T @ rows)
        scores = rows @ axes
    else:
        values, scores = np.linalg.eigh(rows @ rows.T)
    values, scores = values[::-1], scores[:, ::-1].T[:count]  # [count, N]
    centred = latents.astype("float64") - latents.mean(axis=0)
    # Regression on orthogonal scores is a projection on each.
    axes, triangle = np.linalg.qr((scores @ centred).T)
    vectors = (axes * np.where(np.diag(triangle) < 0, -1, 1)).T
    return _directions(vectors, values[:count] / values.sum(), "pca")


METHODS = {"sefa": sefa, "pca": pca}


def save_directions(folder, directions):
    """Write directions.npz to a folder, with the fields of `Directions`."""
    arrays = directions._asdict()
    arrays["names"] = np.array(directions.names, "U")
    with replacing(pathlib.Path(folder, DIRECTIONS_FILE)) as temporary:
        np.savez(temporary, **arrays)


def load_directions(path, latent_size=None):
    """Read what `save_directions` wrote.

    Args:
        path: the file, or its folder.
        latent_size: int, numbers per latent of the generator to use them with.

    Returns:
        `Directions`.

    Raises:
        UserError: if it is no such file, or for another latent size.
    """
    if os.path.isdir(path):
        path = os.path.join(path, DIRECTIONS_FILE)
    with ArrayArchive(path) as arrays:
        vectors, strengths, method = (arrays[x] for x in _FIELDS)
        named = "names" in arrays.names  # Not by older versions.
        names = arrays["names"] if named else np.array((), "U")
    good = (
        vectors.ndim == 2
        and strengths.shape == vectors.shape[:1]
        and vectors.dtype == np.float32
        and method.dtype.kind == names.dtype.kind == "U"
        and names.shape in ((0,), strengths.shape)
        and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=0.01)
    )
    if not good:
        raise UserError(
            f"{path} holds no directions: expected `vectors` float32 [count, "
            "latent_size] of length 1 and `strengths` [count]"
        )
    if latent_size not in (None, vectors.shape[1]):
        raise UserError(
            f"{path} is for latents of {vectors.shape[1]} numbers; the "
            f"generator's have {latent_size}"
        )
    method, *names = map(printable, map(str, (method, *names)))
    return Directions(vectors, strengths, method, tuple(names))


def parse_edit(text, directions):
    """The offset for `moved`, float32 `[latent_size]`, of "2:1.5,0:-1".

    Each part is the number of a direction and the distance along it. Raises
    UserError for other text, or if there is no such direction.
    """
    offset = np.zeros(directions.vectors.shape[1])
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,6}):([+-]?\d{1,6}(\.\d*)?)", part.strip())
        if match is None:
            raise UserError(
                "expected --edit such as 2:1.5,0:-1, directions and how far; "
                f"received {part!r}"
            )
        vector = direction(directions, int(match[1]))
        offset += float(match[2]) * vector
    return offset.astype("float32")


def direction(directions, number):
    """Vector `number`, float32 `[latent_size]`; UserError if out of range."""
    count = len(directions.vectors)
    if not 0 <= number < count:
        raise UserError(
            f"expected a direction from 0 to {count - 1}; received {number}"
        )
    return directions.vectors[number]


def picture(generator, directions, seed=0, chosen=None):
    """A grid: one row per direction, along which a latent moves from -3 to 3.

    uint8 `[height, width, channels]`, in cells of 64 pixels or more. All have
    the class `chosen`, by default seed modulo classes.
    """
    latents = seeded_latents([seed], generator.latent_size)
    rows = [
        moved(latents, step * vector)[0]
        for vector in directions.vectors
        for step in STEPS
    ]
    labels = generator.labels_of([seed] * len(rows), chosen)
    images = generator.images_of(np.stack(rows), labels)
    scale = max(1, _CELL // generator.resolution)
    return make_grid(nearest_up(images, scale), len(STEPS))


def _first_layer(generator, count):
    """The layer that takes the latents, possibly with a label appended."""
    from progan_tf.layers import FixedLabel

    if generator.model is None:
        raise UserError(
            f"{generator.name} is a TF-Hub module, whose layers are not "
            "accessible; give the run directory or .keras file that it was "
            "exported from"
        )
    if not 1 <= count <= generator.latent_size:
        raise UserError(
            f"expected 1 to {generator.latent_size} directions, as many as a "
            f"latent has numbers; received {count}"
        )
    layers = generator.model.layers
    fixed = [x.num_classes for x in layers if isinstance(x, FixedLabel)]
    rows = generator.latent_size + generator.num_classes + sum(fixed)
    for layer in layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is not None and kernel.shape[:-1] == (rows,):
            return layer
    raise UserError(
        f"{generator.name} has no fully connected layer that takes the latents"
    )


def _check_alive(generator, numbers):
    """Raise UserError for NaN or infinity, and where all is 0."""
    if not (np.isfinite(numbers).all() and numbers.any()):
        raise UserError(
            f"{generator.name} has no directions: what its first layers give "
            "does not depend on the latents, or is not finite; use another "
            "checkpoint"
        )


def _early_activations(generator, latents, seeds):
    """The first convolution's or layer's outputs, float64 `[N, features]`."""
    import keras
    import tensorflow as tf

    model = generator.model
    layers = [x for x in model.layers if getattr(x, "kernel", None) is not None]
    convolutions = [x for x in layers if len(x.kernel.shape) == 4]
    early = keras.Model(model.inputs, (convolutions or layers)[0].output)
    forward = tf.function(lambda x: early(x, training=False), autograph=False)
    inputs = generator.inputs_of(latents, generator.labels_of(seeds))
    starts = range(0, len(latents), _TOGETHER)
    parts = ([x[s : s + _TOGETHER] for x in inputs] for s in starts)
    values = np.concatenate([forward(part).numpy() for part in parts])
    return values.reshape(len(latents), -1).astype("float64")


def _directions(vectors, strengths, method):
    """`Directions` with the signs fixed, which libraries choose differently."""
    largest = np.abs(vectors).argmax(axis=1)
    signs = np.sign(vectors[np.arange(len(vectors)), largest])
    vectors = (vectors * signs[:, np.newaxis]).astype("float32")
    return Directions(vectors, np.asarray(strengths), method)
