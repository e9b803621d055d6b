"""Which transforms a run has, how often they are made, and what may leak."""

from progan_tf.augmentation.transforms import TRANSFORMS
from progan_tf.errors import UserError
from progan_tf.losses import LOSSES

# The p from which on a transform may leak: the generator can then no longer
# tell pictures from transformed ones, and draws those, too (Karras et al. 2020,
# section 2.2).
LEAKS_FROM = 0.8
# Images over which an adapted p can rise from 0 to 1, and the minibatches
# between two looks at it (Karras et al. 2020, section 3).
ADAPTING_IMAGES = 500_000
ADAPTING_STEPS = 4
ADA_TARGET = 0.6
# Transforms that can be combined, and those that cannot.
COMBINED = tuple(name for name, row in TRANSFORMS.items() if not row.alone)
ALONE = tuple(name for name, row in TRANSFORMS.items() if row.alone)


def chosen(text):
    """The names in a list such as "color,cutout"; "none" has none.

    Raises:
        UserError: for others than those of `TRANSFORMS`, one that comes twice,
            or one that does not go with others.
    """
    names = [] if text == "none" else text.split(",")
    good = names in ([], *([n] for n in ALONE)) or (
        set(names) <= set(COMBINED) and len(set(names)) == len(names)
    )
    if not good:
        raise UserError(
            f"augment must be none, {', '.join(ALONE)}, or a list out of "
            f"{','.join(COMBINED)}; not {text!r}"
        )
    return tuple(names)


def adapts(config):
    """Whether the p of a `TrainConfig` is adapted to the scores of reals."""
    return config.augment in ALONE and config.augment_p is None


def leaks(text, p):
    """A sentence on what generated pictures may show of transforms, or "".

    Args:
        text: str, as of `chosen`.
        p: float, how often they are made.
    """
    shown = [TRANSFORMS[name].leaks for name in chosen(text)]
    shown = " and ".join(filter(None, shown))
    if p < LEAKS_FROM or not shown:
        return ""
    return (
        f"Generated pictures may show {shown}, because --augment={text} has a "
        f"p of {p:.2g}: look at the samples; if they do, begin again with "
        f"--augment_p below {LEAKS_FROM}."
    )


def check_augmentation(config):
    """Raise UserError for settings of an augmentation that do not belong.

    Args:
        config: `TrainConfig`.
    """
    names, p = chosen(config.augment), config.augment_p
    if p is not None:
        if not names:
            raise UserError("augment_p needs --augment, which is none")
        if p > 1:
            raise UserError(f"augment_p must be from 0 to 1, not {p!r}")
    if not adapts(config):
        if config.ada_target is not None:
            raise UserError(
                "ada_target needs --augment=ada without --augment_p, so that "
                "p can follow it"
            )
    elif LOSSES[config.loss].margin is None:
        raise UserError(
            f"augment {config.augment} needs --augment_p with "
            f"--loss={config.loss}: its scores have no zero for p to adapt to"
        )
    elif config.ada_target is not None and config.ada_target >= 1:
        raise UserError(
            "ada_target must be more than 0 and less than 1, not "
            f"{config.ada_target!r}"
        )


def adapted(state, sign, batch_size, target):
    """The next state of an adapted p (Karras et al. 2020, section 3).

    Args:
        state: float32 `[3]`: p, the sum of `sign` since p was looked at, and
            the minibatches since.
        sign: float32 scalar in [-1, 1], the mean sign of the scores of this
            minibatch's reals: above `target` the discriminator overfits, and p
            rises.
        batch_size: int, images of a minibatch.
        target: float.

    Returns:
        float32 `[3]`, the next state.
    """
    import tensorflow as tf

    p, total, steps = tf.unstack(state + tf.stack([0.0, sign, 1.0]))
    step = batch_size * ADAPTING_STEPS / ADAPTING_IMAGES
    moved = p + tf.sign(total / ADAPTING_STEPS - target) * step
    looked = tf.stack([tf.clip_by_value(moved, 0.0, 1.0), 0.0, 0.0])
    waiting = tf.stack([p, total, steps])
    return tf.where(steps >= ADAPTING_STEPS, looked, waiting)
