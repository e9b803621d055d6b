"""Pictures and weights for tests of the training step."""

import numpy as np
import tensorflow as tf


def pictures(strategy, steps=1, batch=8, size=4):
    """uint8 per-replica `[steps, batch, size, size, 3]`, always the same."""
    array = np.random.default_rng(0).integers(
        0, 256, (steps, batch, size, size, 3), np.uint8
    )
    return strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(array)
    )


def values(family):
    """list of arrays, the trained weights."""
    return [weight.numpy() for weight in family.trainable_weights]


def iterations(step):
    """Steps of the discriminator's optimizer since it was reset."""
    return int(step.discriminator_optimizer.iterations.numpy())
