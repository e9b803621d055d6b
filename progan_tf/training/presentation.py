"""The way of every picture to the discriminator."""

import tensorflow as tf


def presented(images, mirrored=None, alpha=None):
    """Pictures as the discriminator is to see them, in both training steps.

    Args:
        images: reals, uint8 `[batch, R, R, channels]` in [0, 255], or fakes,
            float32 about in [-1, 1].
        mirrored: bool `[batch]`, the reals that are shown mirrored; None for
            fakes, and where nothing is mirrored.
        alpha: float32 scalar, how far the reals are faded in; None for fakes,
            which the generator has faded, and where nothing fades.

    Returns:
        float32 `[batch, R, R, channels]`.
    """
    if images.dtype == tf.uint8:
        images = tf.cast(images, tf.float32) / 127.5 - 1.0
    if mirrored is not None:
        turned = mirrored[:, tf.newaxis, tf.newaxis, tf.newaxis]
        images = tf.where(turned, images[:, :, ::-1], images)
    if alpha is not None:
        images = fade(images, alpha)
    return images


def fade(images, alpha):
    """Fade pictures as the networks are faded (section 3, figure 2).

    Args:
        images: float32 `[batch, R, R, channels]`.
        alpha: scalar; 0 gives pictures of half the resolution, their pixels
            doubled.

    Returns:
        float32, the shape of `images`.
    """
    small = tf.nn.avg_pool2d(images, 2, 2, "VALID")
    small = tf.repeat(tf.repeat(small, 2, axis=1), 2, axis=2)
    return small + (images - small) * alpha
