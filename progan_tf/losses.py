"""What the networks are trained for: losses, penalties and the AC-GAN term.

`LOSSES` and `PENALTIES` are the tables of them; a new one is a function here
and a row. Every function returns one number a sample, `[batch]` float32; the
trainer takes the mean over the whole minibatch of all replicas. Scores are
`[batch, 1]` float32, higher for more real.

TensorFlow is imported when a function is called: settings take their names
from these tables, and --help must not wait for it.
"""

import dataclasses
from collections.abc import Callable, Mapping

from progan_tf.errors import UserError

# Where a penalty looks at the discriminator's slope: at the pictures of the
# data, at those of the generator, or at random places between the two.
REALS, FAKES, MIXED = "reals", "fakes", "mixed"
# Lambda of Gulrajani et al. 2017 and of the paper, and gamma of Mescheder et
# al. 2018 and of StyleGAN.
_WEIGHT = 10.0


@dataclasses.dataclass(frozen=True)
class Loss:
    """A row of `LOSSES`."""

    # Function of (scores of reals, scores of fakes, `TrainConfig`).
    discriminator: Callable
    # Function of (scores of fakes), or where the loss is `relative` of
    # (scores of fakes, scores of reals).
    generator: Callable
    # Whether the discriminator's loss is bounded from below, so that the scores
    # do not grow for ever; otherwise the penalty has to see to that.
    bounded: bool = True
    # Whether the generator's loss compares fakes with reals.
    relative: bool = False
    # Function of (scores of reals, scores of fakes) to numbers that are
    # positive where the discriminator takes a real for a real, negative where
    # for a fake. None where scores have no zero to compare with.
    margin: Callable | None = None


@dataclasses.dataclass(frozen=True)
class Penalty:
    """A row of `PENALTIES`."""

    # From the name of each term, which is also its name in metrics.jsonl, to
    # the pictures that it is taken at: REALS, FAKES or MIXED.
    terms: Mapping[str, str] = dataclasses.field(default_factory=dict)
    # Function of (slopes float32 `[batch, height, width, channels]`, weight,
    # `TrainConfig`) to the term, `[batch]`.
    cost: Callable | None = None
    # The weight where the user gives none.
    weight: float = 0.0
    # Whether it suffices for a loss that is not `bounded`: it must act on
    # reals and fakes alike.
    bounds: bool = False

    @property
    def passes(self):
        """int, forward passes of the discriminator that it costs.

        Computing the slope costs 1, a backward pass to the picture, and
        differentiating it 2: one for the weights, one for the inputs of the
        layers. At reals and fakes the scores were computed for the loss anyway.
        Between the two they were not: 1 for them, and 2 to differentiate
        through them, as the slope depends on the features through the minibatch
        standard deviation.
        """
        return sum(6 if at == MIXED else 3 for at in self.terms.values())


def wgan_generator(fake_scores):
    """`-D(G(z))`, Wasserstein and (Lim and Ye 2017) hinge loss, `[batch]`."""
    return -fake_scores[:, 0]


def wgan_discriminator(real_scores, fake_scores, config):
    """Wasserstein loss of the discriminator with drift, `[batch]`.

    `D(fake) - D(real) + drift * D(real)^2`: equation 3 of Gulrajani et al.
    2017 without its penalty; the drift term, which keeps the scores from
    wandering off, is appendix A.1 of the paper.
    """
    real, fake = real_scores[:, 0], fake_scores[:, 0]
    return fake - real + config.drift * _tf().square(real)


def logistic_generator(fake_scores):
    """Non-saturating loss, `softplus(-D(G(z)))` (Goodfellow et al. 2014)."""
    return _tf().nn.softplus(-fake_scores[:, 0])


def logistic_discriminator(real_scores, fake_scores, config):
    """`softplus(D(fake)) + softplus(-D(real))`, cross entropy, `[batch]`."""
    softplus = _tf().nn.softplus
    return softplus(fake_scores[:, 0]) + softplus(-real_scores[:, 0])


def hinge_discriminator(real_scores, fake_scores, config):
    """`relu(1 - D(real)) + relu(1 + D(fake))` (Lim and Ye 2017), `[batch]`."""
    relu = _tf().nn.relu
    return relu(1.0 - real_scores[:, 0]) + relu(1.0 + fake_scores[:, 0])


def lsgan_generator(fake_scores):
    """`(D(G(z)) - 1)^2 / 2` (Mao et al. 2017, equation 9), `[batch]`."""
    return 0.5 * _tf().square(fake_scores[:, 0] - 1.0)


def lsgan_discriminator(real_scores, fake_scores, config):
    """`(D(real) - 1)^2 / 2 + D(fake)^2 / 2`, reals 1 and fakes 0, `[batch]`."""
    square, real = _tf().square, real_scores[:, 0]
    return 0.5 * square(real - 1.0) + 0.5 * square(fake_scores[:, 0])


def relativistic_generator(fake_scores, real_scores):
    """`softplus(D(real) - D(G(z)))`, each fake with a real, `[batch]`.

    Jolicoeur-Martineau 2018, section 4.1 (RpGAN), with the logistic function.
    """
    return _tf().nn.softplus(real_scores[:, 0] - fake_scores[:, 0])


def relativistic_discriminator(real_scores, fake_scores, config):
    """`softplus(D(fake) - D(real))`: each real beats its fake, `[batch]`."""
    return _tf().nn.softplus(fake_scores[:, 0] - real_scores[:, 0])


def wgan_gp(slopes, weight, config):
    """Penalty on slopes that are not of the target norm, `[batch]`.

    `weight * (|slope| - target)^2 / target^2`: equation 3 of Gulrajani et al.
    2017, with the target of appendix D of the paper (750 for its CIFAR-10, and
    1 elsewhere).
    """
    tf, target = _tf(), config.wgan_target
    norms = tf.sqrt(tf.reduce_sum(tf.square(slopes), axis=(1, 2, 3)))
    return weight * tf.square(norms - target) / target**2


def squared_slopes(slopes, weight, config):
    """`weight / 2 * |slope|^2`, `[batch]`: R1 and R2 (Mescheder et al. 2018).

    Equation 9 there, R1, is taken at reals and R2 at fakes.
    """
    tf = _tf()
    return weight / 2 * tf.reduce_sum(tf.square(slopes), axis=(1, 2, 3))


def with_slopes(discriminator, images, loss_scale=None):
    """A discriminator's outputs for pictures, and the slopes of its scores.

    Args:
        discriminator: function of images to a sequence of outputs, the first
            of which are the scores `[batch, 1]`.
        images: float32 `[batch, height, width, channels]`.
        loss_scale: float32 scalar or None, which keeps gradients from
            underflow in float16.

    Returns:
        (outputs, slopes): what `discriminator` returned, and the gradient of
        each score with respect to its own picture, shaped like `images`.
    """
    tf = _tf()
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

    Labels are one-hot; they and the logits are float32 `[batch, classes]`.
    """
    return _tf().nn.softmax_cross_entropy_with_logits(labels, logits)


def _tf():
    import tensorflow

    return tensorflow


LOSSES = {
    "wgan": Loss(wgan_discriminator, wgan_generator, bounded=False),
    "logistic": Loss(
        logistic_discriminator, logistic_generator, margin=lambda r, f: r
    ),
    "hinge": Loss(hinge_discriminator, wgan_generator, margin=lambda r, f: r),
    # Half way between the 1 of reals and the 0 of fakes.
    "lsgan": Loss(
        lsgan_discriminator, lsgan_generator, margin=lambda r, f: r - 0.5
    ),
    "relativistic": Loss(
        relativistic_discriminator,
        relativistic_generator,
        relative=True,
        margin=lambda r, f: r - f,
    ),
}
PENALTIES = {
    "wgan_gp": Penalty({"gradient_penalty": MIXED}, wgan_gp, _WEIGHT, True),
    "r1": Penalty({"r1_penalty": REALS}, squared_slopes, _WEIGHT),
    "r1_r2": Penalty(
        {"r1_penalty": REALS, "r2_penalty": FAKES},
        squared_slopes,
        _WEIGHT,
        True,
    ),
    "none": Penalty(),
}


def check_objective(config):
    """Raise UserError for settings of a loss or penalty that do not belong."""
    loss, penalty = config.loss, config.penalty
    if not LOSSES[loss].bounded and not PENALTIES[penalty].bounds:
        good = [name for name, row in PENALTIES.items() if row.bounds]
        raise UserError(
            f"loss {loss} needs a penalty that bounds its scores, which "
            f"{penalty} does not; use --penalty={' or '.join(good)}"
        )
    if config.drift and loss != "wgan":
        raise UserError(f"drift belongs to --loss=wgan, not to {loss}")
    if config.wgan_target != 1 and penalty != "wgan_gp":
        raise UserError(
            f"wgan_target belongs to --penalty=wgan_gp, not to {penalty}; use "
            "--wgan_target=1"
        )
    if penalty == "none":
        for name, given in (
            ("gradient_penalty", max(config.gradient_penalty.values()) > 0),
            ("penalty_every", config.penalty_every > 1),
        ):
            if given:
                raise UserError(f"{name} needs a penalty, but penalty is none")


def passes(config):
    """The cost of a training step for each of its images, in forward passes.

    A gradient for the weights costs as much as a forward pass, and a gradient
    for the inputs of the layers as much again, so a network that is run and
    differentiated costs 3. The discriminator's step: 1 G for the fakes, which
    are not differentiated; 3 D on the reals, 3 D on the fakes, and the penalty
    as often as it is taken. The generator's step: 3 G, and 2 D, whose weights
    need no gradient; with a relative loss 1 D on reals as well. With WGAN-GP in
    every step that is 4 G + 14 D.

    Args:
        config: `TrainConfig`.

    Returns:
        dict from "generator" and "discriminator" to float, the mean over the
        steps.
    """
    penalty = PENALTIES[config.penalty].passes / config.penalty_every
    judged = 2 + LOSSES[config.loss].relative
    every = config.discriminator_steps
    return {
        "generator": 1 + 3 / every,
        "discriminator": 3 + 3 + penalty + judged / every,
    }
