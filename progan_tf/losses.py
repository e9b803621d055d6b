"""What the networks are trained for: losses, penalties and the AC-GAN term.

`LOSSES` and `PENALTIES` are the tables of them. Every function returns one
number a sample, `[batch]` float32; the trainer takes the mean over the whole
minibatch of all replicas. Scores are `[batch, 1]` float32, higher for more
real.

TensorFlow is imported within the functions: settings take their names from
these tables, and --help must not wait for it.
"""

import dataclasses
from collections.abc import Callable, Mapping


@dataclasses.dataclass(frozen=True)
class Loss:
    """A row of `LOSSES`.

    Attributes:
        discriminator: function of the scores of reals and of fakes, and of a
            `TrainConfig`, to the discriminator's loss.
        generator: function of the scores of fakes to the generator's loss.
    """

    discriminator: Callable
    generator: Callable


@dataclasses.dataclass(frozen=True)
class Penalty:
    """A row of `PENALTIES`.

    Attributes:
        terms: mapping from the name of each term of the penalty, as it stands
            in metrics.jsonl, to the pictures at which it looks at the
            discriminator's slope: REALS, FAKES or MIXED, between the two.
        cost: function of that slope `[batch, height, width, channels]`, the
            penalty's weight and a `TrainConfig` to the term.
    """

    terms: Mapping[str, str]
    cost: Callable


REALS, FAKES, MIXED = "reals", "fakes", "mixed"


def wgan_generator(fake_scores):
    """Wasserstein loss of the generator, `-D(G(z))`, `[batch]`."""
    return -fake_scores[:, 0]


def wgan_discriminator(real_scores, fake_scores, config):
    """Wasserstein loss of the discriminator with drift, `[batch]`.

    `D(fake) - D(real) + drift * D(real)^2`: equation 3 of Gulrajani et al.
    2017 without its penalty; the drift term, which keeps the scores from
    wandering off, is appendix A.1 of the paper.
    """
    import tensorflow as tf

    real, fake = real_scores[:, 0], fake_scores[:, 0]
    return fake - real + config.drift * tf.square(real)


def wgan_gp(slopes, weight, config):
    """Penalty on slopes that are not of the target norm, `[batch]`.

    `weight * (|slope| - target)^2 / target^2`: equation 3 of Gulrajani et al.
    2017, with the target of appendix A.1 of the paper (1; 750 for its
    CIFAR-10).
    """
    import tensorflow as tf

    norms = tf.sqrt(tf.reduce_sum(tf.square(slopes), axis=(1, 2, 3)))
    target = config.wgan_target
    return weight * tf.square(norms - target) / target**2


def with_slopes(discriminator, images, loss_scale=None):
    """What a discriminator says of pictures, and how fast its scores change.

    Args:
        discriminator: callable from images to a tuple, of which the scores
            `[batch, 1]` are the first.
        images: float32 `[batch, height, width, channels]`.
        loss_scale: `None`, or a scalar that the scores are multiplied with
            before, and their gradient divided by after the differentiation,
            so that it does not underflow in float16.

    Returns:
        What `discriminator` returns, and float32 of the shape of `images`,
        the gradient of each score with respect to its picture.
    """
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        outputs = discriminator(images)
        # The sum keeps the samples apart: each score depends on its own
        # picture (and, through minibatch stddev, a little on its group's).
        total = tf.reduce_sum(outputs[0])
        if loss_scale is not None:
            total *= loss_scale
    slopes = tape.gradient(total, images)
    if loss_scale is not None:
        slopes /= loss_scale
    return outputs, slopes


def label_loss(labels, logits):
    """AC-GAN term: cross entropy of the predicted labels, `[batch]`.

    Args:
        labels: float32 one-hot `[batch, classes]`.
        logits: float32 `[batch, classes]`.
    """
    import tensorflow as tf

    return tf.nn.softmax_cross_entropy_with_logits(labels, logits)


LOSSES = {"wgan": Loss(wgan_discriminator, wgan_generator)}
PENALTIES = {"wgan_gp": Penalty({"gradient_penalty": MIXED}, wgan_gp)}
