"""Every loss with every penalty, against NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from hand_made import Network, squares
from tiny import tiny_config

from progan_tf.losses import FAKES, LOSSES, PENALTIES, REALS
from progan_tf.training.gradients import Gradients, term_names
from progan_tf.training.inputs import Inputs


def softplus(x):
    return np.log1p(np.exp(-abs(x))) + np.maximum(x, 0)


# What the papers say, in NumPy: of scores of reals and of fakes.
DISCRIMINATOR = {
    "wgan": lambda real, fake: fake - real + 0.5 * real**2,
    "logistic": lambda real, fake: softplus(fake) + softplus(-real),
    "hinge": lambda r, f: np.maximum(1 - r, 0) + np.maximum(1 + f, 0),
    "lsgan": lambda real, fake: (real - 1) ** 2 / 2 + fake**2 / 2,
    "relativistic": lambda real, fake: softplus(fake - real),
}
GENERATOR = {
    "wgan": lambda real, fake: -fake,
    "logistic": lambda real, fake: softplus(-fake),
    "hinge": lambda real, fake: -fake,
    "lsgan": lambda real, fake: (fake - 1) ** 2 / 2,
    "relativistic": lambda real, fake: softplus(real - fake),
}
PAIRS = [
    (loss, penalty)
    for loss in LOSSES
    for penalty in PENALTIES
    if (loss, penalty) not in {("wgan", "r1"), ("wgan", "none")}
]


def power(images):
    return (images**2).sum((1, 2, 3))


def derivative(function, x):
    """Of a NumPy function, by its difference about x."""
    return (function(x + 1e-4) - function(x - 1e-4)) / 2e-4


class Case:
    """Three pictures on their way through networks of one weight each.

    The generator gives its latents times its weight `g`; the score is `d` / 2
    times the sum of squared pixels, so that its slope is `d` times the picture.
    The pictures are augmented on their way.
    """

    def __init__(self, config, d=0.3, g=0.5):
        random = np.random.default_rng(0)
        latents = random.normal(size=(3, 4, 4, 3)) / 3
        reals = random.integers(0, 256, (3, 4, 4, 3), "uint8")
        mix = np.float32([0, 0.25, 1]).reshape(3, 1, 1, 1)
        mirrored = [True, False, True]
        self.config, self.d, self.g = config, d, g
        self.latents, self.mix = latents, mix
        # Mirrored, brought to [-1, 1], faded.
        self.reals = reals.astype("float64")
        self.reals[mirrored] = self.reals[mirrored, :, ::-1]
        self.reals = self.reals / 127.5 - 1
        small = self.reals.reshape(3, 2, 2, 2, 2, 3).mean((2, 4))
        small = small.repeat(2, 1).repeat(2, 2)
        self.reals = 0.25 * self.reals + 0.75 * small
        # Then cut out: a square of 2x2, by a switch, its middle's row and its
        # column of five.
        self.reals[0, 1:3, 1:3] = self.reals[2, 3:, :2] = 0
        cut = {REALS: [[0, 0.5, 0.5], [0.9, 0, 0], [0, 0.99, 0.3]]}
        self.kept = np.ones((3, 4, 4, 3))
        self.kept[1, :1, 2:] = self.kept[2, 1:3, 1:3] = 0
        cut[FAKES] = [[0.9, 0.5, 0.5], [0, 0.1, 0.7], [0, 0.4, 0.5]]
        self.gradients = Gradients(
            config,
            Network(lambda z, weight: weight * z, g),
            Network(squares, d),
            resolution=4,
        )
        self._inputs = Inputs(
            tf.constant(latents, tf.float32),
            reals=tf.constant(reals),
            mirrored=tf.constant(mirrored),
            mix=tf.constant(mix),
            alpha=tf.constant(0.25),
            augment={k: {"cutout": tf.constant(x)} for k, x in cut.items()},
            augment_p=tf.constant(0.5),
        )

    def discriminator(self, penalized=True):
        """Terms and the gradient with respect to `d`, from the code."""
        terms, (gradient,) = self.gradients.discriminator(
            self._inputs, penalized
        )
        return {k: float(v) for k, v in terms.items()}, float(gradient)

    def generator(self):
        """The term and the gradient with respect to `g`, from the code."""
        inputs = self._inputs._replace(mix=None)
        terms, (gradient,), _ = self.gradients.generator(inputs)
        return {k: float(v) for k, v in terms.items()}, float(gradient)

    def expected(self, loss, penalty, d=None, g=None):
        """dict of the terms of both steps, by NumPy."""
        d = self.d if d is None else d
        fakes = self.latents * (self.g if g is None else g) * self.kept
        real, fake = d / 2 * power(self.reals), d / 2 * power(fakes)
        mixed = self.reals + (fakes - self.reals) * self.mix
        weight = self.config.gradient_penalty[4] * self.config.penalty_every
        terms = {
            "wgan_gp": {
                "gradient_penalty": weight * (d * power(mixed) ** 0.5 - 1) ** 2
            },
            "r1": {"r1_penalty": weight / 2 * d**2 * power(self.reals)},
            "r1_r2": {
                "r1_penalty": weight / 2 * d**2 * power(self.reals),
                "r2_penalty": weight / 2 * d**2 * power(fakes),
            },
            "none": {},
        }[penalty]
        total = DISCRIMINATOR[loss](real, fake) + sum(terms.values())
        terms |= {"discriminator_loss": total}
        terms |= {"real_score": real, "fake_score": fake}
        terms |= {"generator_loss": GENERATOR[loss](real, fake)}
        return {name: each.sum() for name, each in terms.items()}


def pair_config(run_dir, loss, penalty, **settings):
    if penalty != "none":
        settings = {"gradient_penalty": 2.0, **settings}
    if loss == "wgan":
        settings["drift"] = 0.5
    return tiny_config(run_dir, loss=loss, penalty=penalty, **settings)


@pytest.mark.parametrize(("loss", "penalty"), PAIRS)
def test_terms_and_gradients_of_every_pair(tmp_path, loss, penalty):
    case = Case(pair_config(tmp_path, loss, penalty))
    expected = case.expected(loss, penalty)
    terms, gradient = case.discriminator()
    of_generator, generator_gradient = case.generator()
    assert terms | of_generator == pytest.approx(expected, rel=1e-4)
    names = term_names(case.config)
    assert sorted(names) == sorted(expected)
    slope = derivative(
        lambda d: case.expected(loss, penalty, d)["discriminator_loss"], case.d
    )
    assert gradient == pytest.approx(slope, rel=1e-3)
    slope = derivative(
        lambda g: case.expected(loss, penalty, g=g)["generator_loss"], case.g
    )
    assert generator_gradient == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("penalty", ["wgan_gp", "r1", "r1_r2"])
def test_a_lazy_penalty_is_the_same_on_the_whole(tmp_path, penalty):
    always = Case(pair_config(tmp_path, "logistic", penalty))
    lazy = Case(pair_config(tmp_path, "logistic", penalty, penalty_every=4))
    terms, gradient = always.discriminator()
    taken, taken_gradient = lazy.discriminator()
    left_out, left_out_gradient = lazy.discriminator(penalized=False)
    for name in PENALTIES[penalty].terms:
        assert left_out[name] == 0
        assert taken[name] > 0
    mean = {name: (taken[name] + 3 * left_out[name]) / 4 for name in terms}
    assert mean == pytest.approx(terms, rel=1e-5)
    mean_gradient = (taken_gradient + 3 * left_out_gradient) / 4
    assert mean_gradient == pytest.approx(gradient, rel=1e-5)


def test_a_linear_score_has_its_slope_everywhere(tmp_path):
    def linear(images, weight):
        return weight * tf.reduce_sum(images, axis=(1, 2, 3))[:, None]

    case = Case(pair_config(tmp_path, "logistic", "r1", gradient_penalty=3.0))
    case.gradients._discriminator = Network(linear, 0.1)
    terms, gradient = case.discriminator()
    # gamma / 2 times the square of 0.1 in each of 48 pixels, for 3 pictures.
    assert terms["r1_penalty"] == pytest.approx(3 * 3.0 / 2 * 0.01 * 48)
    _, without = case.discriminator(penalized=False)
    assert gradient - without == pytest.approx(3 * 3.0 * 0.1 * 48, rel=1e-4)
