"""What a training step works on: its pictures, and all that it draws."""

from typing import NamedTuple

import tensorflow as tf

# What separates the random streams of one step; there may be eight.
_LATENTS_D, _LATENTS_G, _MIX = 0, 1, 2


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


def step_inputs(state, batches, i, seen, alpha, scale, of_generator):
    """The `Inputs` of this replica, of the generator's or discriminator's step.

    They are number i of the K in the batches, as `TrainingStep.run` has them.
    Random numbers come from (seed, images seen) and are drawn for the whole
    minibatch, so that they do not depend on how many replicas there are.
    """
    config, replica = state.config, tf.distribute.get_replica_context()
    share = batches["reals"].shape[1]

    def draw(function, stream, *shape):
        shape = [replica.num_replicas_in_sync, share, *shape]
        seed = tf.stack([state.seed * 8 + stream, seen])
        # By name, because the default differs between kinds of devices.
        numbers = function(shape, seed, alg="philox")
        return numbers[replica.replica_id_in_sync_group]

    labels = mix = None
    if config.num_classes:
        classes = batches["fake_labels" if of_generator else "labels"][i]
        labels = tf.one_hot(classes, config.num_classes)
    if not of_generator:
        mix = draw(tf.random.stateless_uniform, _MIX, 1, 1, 1)
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
    )
