"""From seeds to pictures."""

import numpy as np

from progan_tf.images import to_uint8


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


def iterate_images(generator, seeds, labels=None, batch_size=32):
    """Generate images a minibatch at a time.

    Args:
        generator: `keras.Model` from latents (and one-hot labels).
        seeds: sequence of N ints; image i depends on seed i alone.
        labels: class numbers `[N]`, where the generator takes labels; by
            default seed modulo the number of classes.
        batch_size: int, images at a time. It does not change the images.

    Yields:
        uint8 `[batch_size or fewer, height, width, channels]`.
    """
    seeds = np.asarray(seeds, "int64")
    shapes = generator.input_shape
    conditional = isinstance(shapes, list)
    latent_size = (shapes[0] if conditional else shapes)[-1]
    if conditional and labels is None:
        labels = seeds % shapes[1][-1]
    for start in range(0, len(seeds), batch_size):
        part = slice(start, start + batch_size)
        # The last batch is filled up, because another shape may be computed
        # by another algorithm, whose rounding would show in the images.
        chosen = np.resize(seeds[part], batch_size)
        inputs = seeded_latents(chosen, latent_size)
        if conditional:
            part_labels = np.resize(np.asarray(labels)[part], batch_size)
            inputs = [inputs, one_hot(part_labels, shapes[1][-1])]
        images = generator(inputs, training=False)
        yield to_uint8(np.asarray(images)[: len(seeds[part])])


def generate_images(generator, seeds, labels=None, batch_size=32):
    """Generate all images at once: see `iterate_images`.

    Returns:
        uint8 `[N, height, width, channels]`.
    """
    batches = iterate_images(generator, seeds, labels, batch_size)
    return np.concatenate(list(batches))


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
