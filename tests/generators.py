"""Untrained generators that reveal bugs as trained ones would."""

import numpy as np

from progan_tf.networks import Generator


def make_generator(resolution=16, fade=False, fmap_max=8, **options):
    """A generator with latents of 12 numbers and nonzero biases.

    Those of a new generator are zero, and losing one would not be noticed.

    Args:
        resolution: int.
        fade: bool, whether it has the path of the lower resolution, too;
            alpha is 0.25 in either case.
        fmap_max: int, the most feature maps of a layer.
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
