"""The activation used in training against Keras's own."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from progan_tf import losses
from progan_tf.networks import Discriminator, Generator
from progan_tf.training.activations import lean_leaky_relu

SMALL = {"fmap_base": 32, "fmap_max": 8, "seed": 1}


def random_tensor(*shape, seed=0):
    values = np.random.default_rng(seed).normal(size=shape)
    return tf.constant(values, "float32")


def value_and_slopes(activation):
    """What a penalty on the slope of `activation` computes on its way."""
    x, w = random_tensor(50), random_tensor(50, seed=1)
    with tf.GradientTape(persistent=True) as outer:
        outer.watch([x, w])
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = activation(w * x) ** 3
        first = inner.gradient(y, x)
    return [y, first, outer.gradient(first, x), outer.gradient(first, w)]


def test_derivatives_are_those_of_keras():
    ours = value_and_slopes(lean_leaky_relu)
    theirs = value_and_slopes(keras.activations.leaky_relu)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_values_and_slopes_by_hand():
    x = tf.constant([-10.0, 5.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = lean_leaky_relu(x)
    np.testing.assert_allclose(y, [-2.0, 5.0])
    np.testing.assert_allclose(tape.gradient(y, x), [0.2, 1.0])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_dtype_is_kept(dtype):
    x = tf.cast(random_tensor(4), dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = lean_leaky_relu(x)
    assert y.dtype == tape.gradient(y, x).dtype == dtype


def test_generators_are_the_same():
    z = random_tensor(2, 6)
    lean, stock = (
        Generator(8, latent_size=6, leaky_relu=activation, **SMALL).at(8)(z)
        for activation in (lean_leaky_relu, "leaky_relu")
    )
    np.testing.assert_allclose(lean, stock, rtol=1e-5, atol=1e-6)


def penalty_and_gradients(activation, fused_scale):
    model = Discriminator(
        8, fused_scale=fused_scale, leaky_relu=activation, **SMALL
    ).at(8)
    images = random_tensor(4, 8, 8, 3)
    config = types.SimpleNamespace(wgan_target=1.0)
    with tf.GradientTape() as tape:
        _, slopes = losses.with_slopes(lambda x: (model(x),), images)
        penalty = losses.wgan_gp(slopes, 10.0, config)
        total = tf.reduce_sum(penalty)
    weights = [weight.value for weight in model.trainable_weights]
    gradients = tape.gradient(total, weights, unconnected_gradients="zero")
    return [penalty, *gradients]


@pytest.mark.parametrize("fused_scale", [True, False])
def test_penalties_and_their_gradients_are_the_same(fused_scale):
    lean = penalty_and_gradients(lean_leaky_relu, fused_scale)
    stock = penalty_and_gradients("leaky_relu", fused_scale)
    assert np.abs(lean[1]).max() > 0
    for ours, theirs in zip(lean, stock, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)
