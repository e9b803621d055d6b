"""What the discriminator says of pictures that it is not trained on."""

import numpy as np
import tensorflow as tf

from progan_tf.losses import REALS
from progan_tf.training.inputs import held_out_inputs
from progan_tf.training.presentation import presented

_MOST = 256


def held_out_score(state, source, resolution, alpha, batch_size):
    """The mean score of held-out pictures, a float.

    They are presented as the reals of a training step are, in minibatches of
    its size where there are so many, because scores depend on the minibatch;
    at most 256 of them. With their random numbers it is a function of the
    state.

    Args:
        state: `TrainingState`, at the fade `alpha`.
        source: `data.Source` of the pictures.
        resolution: int.
        alpha: float, the fade.
        batch_size: int, of the training.
    """
    size = min(batch_size, len(source))
    # Into groups of four, as those of the minibatch standard deviation are.
    size -= size % 4 if size > 4 else 0
    fading = resolution > 4 and alpha < 1
    discriminator = state.discriminator.at(resolution, fading)
    total = count = 0
    for start in range(0, min(len(source), _MOST) - size + 1, size):
        images = source.images(np.arange(start, start + size), resolution)
        inputs = held_out_inputs(state, size, start, alpha if fading else None)
        images = presented(tf.constant(images), REALS, inputs)
        scores = discriminator(images, training=True)
        if state.config.num_classes:
            scores, _ = scores
        total += float(tf.reduce_sum(scores))
        count += size
    return total / count
