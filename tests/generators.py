"""Untrained generators that show a mistake as a trained one would."""

import numpy as np

from progan_tf.networks import Generator


def make_generator(resolution=16, fade=False, fmap_max=8, **options):
    """A generator of 12 numbers a latent whose biases are not zero.

    The biases of a new generator are, and one that is lost would not be
    missed.

    Args:
        resolution: int.
        fade: bool, whether it has the path of the lower resolution too; it is
            at alpha 0.25, whichever it has.
        fmap_max: int, feature maps at most.
        **options: other arguments of `Generator`.
    """
    family = Generator(resolution, 12, fmap_max=fmap_max, seed=1, **options)
    family.set_alpha(resolution, 0.25)
    model = family.at(resolution, fade)
    random = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name in ("bias", "beta", "moving_mean"):
            weight.assign(0.3 * random.standard_normal(weight.shape))
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(random.uniform(0.5, 2, weight.shape))
    return model
