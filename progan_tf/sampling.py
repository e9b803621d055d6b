"""From seeds to pictures."""

import functools
import itertools
import re

import numpy as np

from progan_tf.errors import UserError
from progan_tf.images import to_uint8

# Images are computed in groups whose size depends on the resolution alone:
# another number of images is computed by other kernels. Measured between 1, 3,
# 8, 32 and 100 images on a CPU, floats differ by 1e-5 and up to one number of
# uint8 in 5,000 by 1. Eight are about as fast an image as a hundred; above
# 256x256 fewer are as fast and take less memory.
_GROUP = 8
_GROUP_PIXELS = _GROUP * 256**2
_MOST_SEEDS = 1_000_000
_HIGHEST_SEED = 2**32 - 1


def parse_seeds(text):
    """Seeds from text such as "0-63" or "1,5,9-12".

    Returns:
        list of ints from 0 to 2**32 - 1, in the order of the text.

    Raises:
        UserError: for other text, or for more than a million seeds.
    """
    seeds = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,10})(-([0-9]{1,10}))?", part.strip())
        first = int(match[1]) if match else -1
        last = int(match[3] or first) if match else -1
        if not 0 <= first <= last <= _HIGHEST_SEED:
            raise UserError(
                "expected seeds such as 0-63 or 1,5,9-12, of 0 to "
                f"{_HIGHEST_SEED}; received {part!r} in {text!r}"
            )
        if len(seeds) + last - first >= _MOST_SEEDS:
            raise UserError(
                f"expected at most {_MOST_SEEDS:,} seeds; received {text!r}"
            )
        seeds.extend(range(first, last + 1))
    return seeds


def seeded_latents(seeds, latent_size=512):
    """Latents from seeds: one seed is one picture, in any batch.

    Args:
        seeds: sequence of N ints from 0 to 2**32 - 1.
        latent_size: int, numbers a latent.

    Returns:
        float32 `[N, latent_size]`, normally distributed.
    """
    rows = [
        np.random.RandomState(seed).standard_normal(latent_size)
        for seed in seeds
    ]
    return np.array(rows, "float32").reshape(len(rows), latent_size)


def one_hot(labels, num_classes):
    """Class numbers `[N]` to float32 `[N, num_classes]`."""
    return np.eye(num_classes, dtype="float32")[np.asarray(labels, "int64")]


def input_sizes(generator):
    """What a generator takes.

    Args:
        generator: `keras.Model` from latents (and one-hot labels).

    Returns:
        (numbers a latent, classes), two ints; 0 classes where it takes no
        labels.
    """
    shapes = generator.input_shape
    if isinstance(shapes, list):
        return shapes[0][-1], shapes[1][-1]
    return shapes[-1], 0


def labels_of(generator, seeds, chosen=None):
    """The classes of the images of seeds.

    Args:
        generator: `keras.Model` from latents (and one-hot labels).
        seeds: sequence of N ints.
        chosen: int, the class of all images; by default seed modulo the
            number of classes.

    Returns:
        int64 `[N]`, or None where there is neither a class nor one chosen.
    """
    _, classes = input_sizes(generator)
    if chosen is not None:
        return np.full(len(seeds), chosen, "int64")
    return np.asarray(seeds, "int64") % classes if classes else None


def images_of(generator, latents, labels=None):
    """The images of latents, each the same in whatever company it comes.

    Args:
        generator: `keras.Model` from latents (and one-hot labels).
        latents: float32 `[N, latent_size]`.
        labels: class numbers `[N]`, where the generator takes labels; or what
            lies between classes, as floats `[N, classes]`.

    Returns:
        uint8 `[N, height, width, channels]`. On one machine an image depends
        on its latent and label alone, to the bit.

    Raises:
        UserError: if labels are missing, unwanted or not among the classes.
    """
    _, classes = input_sizes(generator)
    inputs = [np.asarray(latents, "float32")]
    if np.ndim(labels) != 2:
        labels = _checked_labels(labels, len(latents), classes)
        labels = one_hot(labels, classes) if classes else None
    if labels is not None:
        inputs.append(np.asarray(labels, "float32"))
    forward, size = _compiled(generator), _group_size(generator)
    images = [_no_images(generator)]
    for start in range(0, len(latents), size):
        # The last group is filled up, so that its shape is that of the others.
        group = [_filled_up(x[start : start + size], size) for x in inputs]
        images.append(to_uint8(forward(group).numpy()))
    return np.concatenate(images)[: len(latents)]


def iterate_images(generator, seeds, labels=None, batch_size=32):
    """Generate the images of seeds, some at a time.

    Args:
        generator: `keras.Model` from latents (and one-hot labels).
        seeds: sequence of N ints; image i depends on seed i alone.
        labels: class numbers `[N]`, where the generator takes labels; by
            default seed modulo the number of classes.
        batch_size: int, images that are handed over together. How they are
            computed does not depend on it.

    Returns:
        Iterator of uint8 `[batch_size or fewer, height, width, channels]`.

    Raises:
        UserError: at once, if labels are unwanted or not among the classes.
    """
    seeds = np.asarray(seeds, "int64")
    latent_size, classes = input_sizes(generator)
    if labels is None:
        labels = labels_of(generator, seeds)
    labels = _checked_labels(labels, len(seeds), classes)
    size = _group_size(generator)

    def one_by_one():
        for start in range(0, len(seeds), size):
            part = slice(start, start + size)
            latents = seeded_latents(seeds[part], latent_size)
            part_labels = labels[part] if classes else None
            yield from images_of(generator, latents, part_labels)

    def batches():
        images = one_by_one()
        while batch := list(itertools.islice(images, batch_size)):
            yield np.stack(batch)

    return batches()


def generate_images(generator, seeds, labels=None, batch_size=32):
    """Generate all images at once: see `iterate_images`.

    Returns:
        uint8 `[N, height, width, channels]`.
    """
    batches = iterate_images(generator, seeds, labels, batch_size)
    return np.concatenate([_no_images(generator), *batches])


def interpolate(start, end, fraction):
    """Spherical interpolation between latents (Shoemake 1985).

    Directions turn along the great circle; lengths change linearly.

    Args:
        start: float `[..., latent_size]`.
        end: likewise.
        fraction: float or array that broadcasts over `[...]`, from 0 to 1.

    Returns:
        float32 `[..., latent_size]`.
    """
    start, end = np.asarray(start, "float64"), np.asarray(end, "float64")
    fraction = np.asarray(fraction, "float64")[..., np.newaxis]
    lengths = [np.linalg.norm(x, axis=-1, keepdims=True) for x in (start, end)]
    u, v = start / lengths[0], end / lengths[1]
    angle = np.arccos(np.clip(np.sum(u * v, -1, keepdims=True), -1, 1))
    sine = np.sin(angle)
    safe = np.where(sine < 1e-6, 1.0, sine)
    turned = np.where(
        sine < 1e-6,
        (1 - fraction) * u + fraction * v,
        (np.sin((1 - fraction) * angle) * u + np.sin(fraction * angle) * v)
        / safe,
    )
    length = (1 - fraction) * lengths[0] + fraction * lengths[1]
    return (turned * length).astype("float32")


# Two, because one may want to compare two generators image by image.
@functools.lru_cache(maxsize=2)
def _compiled(generator):
    """The forward pass as one graph: called layer by layer it is 4x slower.

    Its argument is a list of arrays, the generator's inputs.
    """
    # Here, because seeds are read before TensorFlow is there.
    import tensorflow as tf

    def forward(inputs):
        inputs = inputs if len(inputs) > 1 else inputs[0]
        return generator(inputs, training=False)

    return tf.function(forward, autograph=False)


def _group_size(generator):
    _, height, width, _ = generator.output_shape
    return min(_GROUP, max(1, _GROUP_PIXELS // (height * width)))


def _filled_up(rows, size):
    """Rows `[n, numbers]`, repeated until there are `size`."""
    return np.resize(rows, (size, *rows.shape[1:]))


def _no_images(generator):
    """uint8 `[0, height, width, channels]`: what no seed gives."""
    return np.empty((0, *generator.output_shape[1:]), "uint8")


def _checked_labels(labels, count, classes):
    """Class numbers as int64 `[count]`, or None where there are no classes."""
    if not classes:
        if labels is not None:
            raise UserError("expected no class: the generator has none")
        return None
    if labels is None:
        raise UserError(f"expected labels: the generator has {classes} classes")
    labels = np.asarray(labels, "int64")
    if labels.shape != (count,):
        raise UserError(f"expected {count} labels; received {labels.shape}")
    wrong = labels[(labels < 0) | (labels >= classes)]
    if len(wrong):
        raise UserError(
            f"expected classes from 0 to {classes - 1}; received {wrong[0]}"
        )
    return labels
