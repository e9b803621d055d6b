"""What a training step works on: its pictures, and all that it draws."""

from functools import partial
from typing import NamedTuple

import tensorflow as tf

from progan_tf.augmentation import TRANSFORMS, chosen
from progan_tf.losses import FAKES, REALS

# What separates the random streams of one step; there may be eight.
_LATENTS_D, _LATENTS_G, _MIX = 0, 1, 2
_HELD_OUT = 7
# By whether the step is the generator's.
_AUGMENT = {False: {REALS: 3, FAKES: 4}, True: {REALS: 5, FAKES: 6}}


class Inputs(NamedTuple):
    """What one network's step takes on one replica, whose share is b pictures.

    A new kind of random number is a field here and a line of `step_inputs`.
    """

    latents: tf.Tensor  # float32 [b, latent_size]
    reals: tf.Tensor | None = None  # uint8 [b, R, R, C]
    labels: tf.Tensor | None = None  # float32 one-hot [b, classes]
    mirrored: tf.Tensor | None = None  # bool [b], reals shown mirrored
    mix: tf.Tensor | None = None  # float32 [b, 1, 1, 1], from real 0 to fake 1
    alpha: tf.Tensor | None = None  # float32 scalar, None outside of fades
    scale: tf.Tensor | None = None  # float32 scalar, the loss's in float16
    # From REALS and FAKES to the names of transforms, to float32 [b, n].
    augment: dict[str, dict[str, tf.Tensor]] | None = None
    augment_p: tf.Tensor | None = None  # float32 scalar


def step_inputs(state, batches, i, seen, alpha, scale, of_generator):
    """The `Inputs` of this replica, of the generator's or discriminator's step.

    They are number i of the K in the batches, as `TrainingStep.run` has them.
    Random numbers come from (seed, images seen) and are drawn for the whole
    minibatch, so that they do not depend on how many replicas there are.
    """
    config, replica = state.config, tf.distribute.get_replica_context()
    share = batches["reals"].shape[1]

    uniform = tf.random.stateless_uniform

    def draw(function, stream, *shape):
        shape = [replica.num_replicas_in_sync, share, *shape]
        seed = tf.stack([state.seed * 8 + stream, seen])
        # By name, because the default differs between kinds of devices.
        numbers = function(shape, seed, alg="philox")
        return numbers[replica.replica_id_in_sync_group]

    labels = mix = augment = None
    if config.num_classes:
        classes = batches["fake_labels" if of_generator else "labels"][i]
        labels = tf.one_hot(classes, config.num_classes)
    if not of_generator:
        mix = draw(uniform, _MIX, 1, 1, 1)
    if config.augment != "none":
        augment = {
            kind: _by_transform(config, partial(draw, uniform, stream))
            for kind, stream in _AUGMENT[of_generator].items()
        }
    return Inputs(
        latents=draw(
            tf.random.stateless_normal,
            _LATENTS_G if of_generator else _LATENTS_D,
            config.latent_size,
        ),
        reals=batches["reals"][i],
        labels=labels,
        mirrored=batches["mirrored"][i] if "mirrored" in batches else None,
        mix=mix,
        alpha=alpha,
        scale=scale,
        augment=augment,
        augment_p=state.augment_p,
    )


def held_out_inputs(state, count, first, alpha):
    """`Inputs` by which `presented` shows pictures outside of training.

    They are pictures number `first` to `first + count - 1`, and there are no
    latents. Alpha is a float, or None outside of fades.
    """

    def draw(*shape):
        seed = tf.stack(
            [state.seed * 8 + _HELD_OUT, state.images_seen * 1024 + first]
        )
        return tf.random.stateless_uniform([count, *shape], seed, alg="philox")

    augment = None
    if state.config.augment != "none":
        augment = {REALS: _by_transform(state.config, draw)}
    return Inputs(None, alpha=alpha, augment=augment, augment_p=state.augment_p)


def _by_transform(config, draw):
    """dict from the names of transforms to what `draw` gives for each."""
    names = chosen(config.augment)
    sizes = [TRANSFORMS[name].numbers for name in names]
    return dict(zip(names, tf.split(draw(sum(sizes)), sizes, 1), strict=True))
