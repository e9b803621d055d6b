"""WGAN-GP with drift, and the AC-GAN term for labels.

Every function returns one loss a sample, `[batch]` float32; the trainer takes
the mean over the whole minibatch of all replicas. Scores are `[batch, 1]`
float32, higher for more real.
"""

import tensorflow as tf


def generator_loss(fake_scores):
    """Wasserstein loss of the generator, `-D(G(z))`, `[batch]`."""
    return -fake_scores[:, 0]


def discriminator_loss(real_scores, fake_scores, drift=0.001):
    """Wasserstein loss of the discriminator with drift, `[batch]`.

    `D(fake) - D(real) + drift * D(real)^2`: equation 3 of Gulrajani et al.
    2017 without its penalty; the drift term, which keeps the scores from
    wandering off, is appendix A.1 of the paper.
    """
    real, fake = real_scores[:, 0], fake_scores[:, 0]
    return fake - real + drift * tf.square(real)


def gradient_penalty(
    discriminator, reals, fakes, mix, weight=10.0, target=1.0, loss_scale=None
):
    """Penalty on the discriminator's slope between reals and fakes.

    `weight * (|grad D(x)| - target)^2 / target^2` at
    `x = real + (fake - real) * mix`: equation 3 of Gulrajani et al. 2017, with
    the target of appendix A.1 of the paper (1; 750 for its CIFAR-10).

    Args:
        discriminator: callable from images to scores `[batch, 1]`.
        reals: float32 `[batch, height, width, channels]`.
        fakes: likewise.
        mix: float32 `[batch, 1, 1, 1]` in [0, 1], uniform.
        weight: float, lambda.
        target: float, gamma.
        loss_scale: `None`, or a scalar that the scores are multiplied with
            before, and their gradient divided by after the inner
            differentiation, so that it does not underflow in float16.

    Returns:
        float32 `[batch]`.
    """
    mixed = reals + (fakes - reals) * mix
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(mixed)
        # The sum keeps the samples apart: each score depends on its own
        # picture (and, through minibatch stddev, a little on its group's).
        total = tf.reduce_sum(discriminator(mixed))
        if loss_scale is not None:
            total *= loss_scale
    gradients = tape.gradient(total, mixed)
    if loss_scale is not None:
        gradients /= loss_scale
    norms = tf.sqrt(tf.reduce_sum(tf.square(gradients), axis=(1, 2, 3)))
    return weight * tf.square(norms - target) / target**2


def label_loss(labels, logits):
    """AC-GAN term: cross entropy of the predicted labels, `[batch]`.

    Args:
        labels: float32 one-hot `[batch, classes]`.
        logits: float32 `[batch, classes]`.
    """
    return tf.nn.softmax_cross_entropy_with_logits(labels, logits)
