"""What the discriminator says of pictures that it is not trained on."""

import numpy as np
import tensorflow as tf

from progan_tf.losses import REALS
from progan_tf.training.inputs import held_out_inputs
from progan_tf.training.presentation import presented

_MOST = 256


def scores_apart(state, held_out, seen, *where):
    """The mean scores of held-out pictures and of as many that are trained on.

    Both by the networks of one moment, because all scores drift together from
    step to step. `where` are the last arguments of `mean_score`. Returns a dict
    of floats.
    """
    return {
        "held_out_score": mean_score(state, held_out, len(held_out), *where),
        "seen_score": mean_score(state, seen, len(held_out), *where),
    }


def mean_score(state, source, count, resolution, alpha, batch_size):
    """The mean score of some pictures of a source, a float.

    At most 256 pictures are scored, presented as the reals of a training step
    are. They come in minibatches of its size, where there are so many, because
    scores depend on the minibatch. All randomness follows from the state.

    Args:
        state: `TrainingState`, at the fade `alpha`.
        source: `data.Source` of the pictures.
        count: int, how many. They are spread evenly over the source, where
            those of a class may stand together.
        resolution: int.
        alpha: float, the fade.
        batch_size: int, of the training.
    """
    count = min(count, len(source), _MOST)
    size = min(batch_size, count)
    # Whole groups of the minibatch standard deviation: of a minibatch that
    # does not divide evenly all groups would be smaller.
    group = state.config.minibatch_stddev_group or 1
    size -= size % group if size > group else 0
    fading = resolution > 4 and alpha < 1
    discriminator = state.discriminator.at(resolution, fading)
    spread = np.linspace(0, len(source) - 1, count).astype(np.int64)
    totals = []
    for start in range(0, count - size + 1, size):
        images = source.images(spread[start : start + size], resolution)
        inputs = held_out_inputs(state, size, start, alpha if fading else None)
        images = presented(tf.constant(images), REALS, inputs)
        scores = discriminator(images, training=True)
        if state.config.num_classes:
            scores, _ = scores
        totals.append(float(tf.reduce_mean(scores)))
    return sum(totals) / len(totals)
