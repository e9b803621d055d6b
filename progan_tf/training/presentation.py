"""The way of every picture to the discriminator."""

import tensorflow as tf

from progan_tf.augmentation import augmented
from progan_tf.losses import REALS


def presented(images, kind, inputs):
    """Pictures as the discriminator sees them, in both training steps.

    Args:
        images: REALS, uint8 `[b, R, R, C]` in [0, 255], or FAKES, float32
            about in [-1, 1], which the generator has faded.
        kind: REALS or FAKES.
        inputs: `Inputs` of the step.

    Returns:
        float32 `[b, R, R, C]`, reals in [-1, 1].
    """
    if kind == REALS:
        images = tf.cast(images, tf.float32) / 127.5 - 1.0
        if inputs.mirrored is not None:
            turned = inputs.mirrored[:, tf.newaxis, tf.newaxis, tf.newaxis]
            images = tf.where(turned, images[:, :, ::-1], images)
        if inputs.alpha is not None:
            images = fade(images, inputs.alpha)
    if inputs.augment is not None:
        images = augmented(images, inputs.augment[kind], inputs.augment_p)
    return images


def fade(images, alpha):
    """Fade pictures as the networks are faded (the paper's figure 2).

    With an alpha of 0 they have half the resolution, their pixels doubled.
    """
    small = tf.nn.avg_pool2d(images, 2, 2, "VALID")
    small = tf.repeat(tf.repeat(small, 2, axis=1), 2, axis=2)
    return small + (images - small) * alpha
