"""Kernels that are computed once: the same results, for less work."""

import contextlib
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from progan_tf.layers import (
    EqualizedConv2D,
    EqualizedDense,
    kernels_computed_once,
)

LEAKY = {"activation": "leaky_relu"}


@pytest.fixture
def computed(monkeypatch):
    """Counts: each kernel of a convolution that is computed adds to it."""
    count = []
    compute = EqualizedConv2D._compute_kernel
    monkeypatch.setattr(
        EqualizedConv2D,
        "_compute_kernel",
        lambda layer: count.append(layer.name) or compute(layer),
    )
    return count


def small_discriminator():
    return keras.Sequential(
        [
            keras.Input((4, 4, 2)),
            EqualizedConv2D(3, 3, resample="up", **LEAKY),
            EqualizedConv2D(3, 3, **LEAKY),
            EqualizedConv2D(3, 3, resample="down", **LEAKY),
            keras.layers.Flatten(),
            EqualizedDense(1),
        ]
    )


def pictures():
    values = np.random.default_rng(0).normal(size=(2, 4, 4, 2))
    return tf.constant(values, "float32")


def score_and_penalize(model, scope):
    """Scores, and the gradients of them and of a gradient penalty."""
    images = pictures()
    with tf.GradientTape() as tape, scope:
        scores = model(images)
        with tf.GradientTape() as inner:
            inner.watch(images)
            squared = tf.reduce_sum(model(images) ** 2)
        slopes = inner.gradient(squared, images)
        loss = tf.reduce_sum(slopes**2) + tf.reduce_sum(scores)
    variables = [weight.value for weight in model.trainable_weights]
    return [scores, *tape.gradient(loss, variables)]


def test_outputs_and_gradients_are_the_same_inside(computed):
    model = small_discriminator()
    computed.clear()
    outside = score_and_penalize(model, contextlib.nullcontext())
    assert len(computed) == 6
    computed.clear()
    inside = score_and_penalize(model, kernels_computed_once())
    assert len(computed) == 3
    for ours, theirs in zip(inside, outside, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_they_are_the_same_inside_a_compiled_function():
    model = small_discriminator()
    outside = score_and_penalize(model, contextlib.nullcontext())

    @tf.function(autograph=False)
    def compiled():
        return score_and_penalize(model, kernels_computed_once())

    for ours, theirs in zip(compiled(), outside, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def one_weight():
    layer = EqualizedDense(1, gain=1, kernel_initializer="ones")
    layer.build((1, 1))
    return layer, tf.ones([1, 1])


def test_a_weight_changed_between_two_scopes_is_seen():
    layer, one = one_weight()
    with kernels_computed_once():
        assert layer(one) == 1.0
    layer.kernel.assign([[2.0]])
    with kernels_computed_once():
        assert layer(one) == 2.0
    layer.kernel.assign([[3.0]])
    assert layer(one) == 3.0


def test_an_error_leaves_the_scope():
    layer, one = one_weight()
    with contextlib.suppress(RuntimeError), kernels_computed_once():
        layer(one)
        raise RuntimeError
    layer.kernel.assign([[2.0]])
    assert layer(one) == 2.0


def test_an_inner_scope_leaves_the_outer_one_as_it_was():
    layer, one = one_weight()
    with kernels_computed_once():
        layer(one)
        layer.kernel.assign([[2.0]])
        with kernels_computed_once():
            assert layer(one) == 2.0
        # Still what the outer scope computed.
        assert layer(one) == 1.0


def test_a_scope_belongs_to_its_thread():
    layer, one = one_weight()
    seen = []
    with kernels_computed_once():
        layer(one)
        layer.kernel.assign([[2.0]])
        thread = threading.Thread(target=lambda: seen.append(layer(one)))
        thread.start()
        thread.join()
    assert seen == [2.0]
