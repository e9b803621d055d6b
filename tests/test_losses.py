"""The losses against networks whose gradients are known, and NumPy."""

import types

import numpy as np
import pytest
import tensorflow as tf

from progan_tf import losses

RANDOM = np.random.default_rng(0)
REALS = RANDOM.normal(size=(3, 2, 2, 1)).astype("float32")
SLOPES = np.array([[1.0, 2.0], [4.0, 10.0]], "float32")[None, :, :, None]


def linear(images):
    """A score whose gradient is `SLOPES` everywhere, of length 11."""
    return tf.reduce_sum(images * SLOPES, axis=(1, 2, 3))[:, None]


def quadratic(images):
    """A score whose gradient is the picture itself."""
    return tf.reduce_sum(images**2, axis=(1, 2, 3))[:, None] / 2


def penalty(discriminator, weight=10.0, target=1.0, loss_scale=None):
    """The WGAN-GP penalty of `discriminator` on each of the three reals."""
    _, slopes = losses.with_slopes(
        lambda images: (discriminator(images),), tf.constant(REALS), loss_scale
    )
    config = types.SimpleNamespace(wgan_target=target)
    return losses.wgan_gp(slopes, weight, config)


def test_penalty_on_a_linear_score():
    # 10 * (11 - 1)^2, the same for every sample.
    np.testing.assert_allclose(penalty(linear), [1000.0] * 3, rtol=1e-5)


def test_penalty_on_a_quadratic_score():
    expected = [10 * (np.sqrt(np.sum(x**2)) - 1) ** 2 for x in REALS]
    np.testing.assert_allclose(penalty(quadratic), expected, rtol=1e-4)


def test_penalty_is_relative_to_its_target():
    # 2 * (11 - 750)^2 / 750^2
    result = penalty(linear, 2.0, 750.0)
    np.testing.assert_allclose(result, [1.9417636] * 3, rtol=1e-5)


def test_penalty_can_be_differentiated():
    slope = tf.Variable(5.0)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(penalty(lambda x: slope * linear(x)))
    # The derivative of 10 * (11 slope - 1)^2, for 3 samples.
    slope_of_total = tape.gradient(total, slope).numpy()
    assert slope_of_total == pytest.approx(3 * 20 * 54 * 11)


def test_loss_scale_does_not_change_the_penalty():
    scaled = penalty(quadratic, 10.0, 1.0, tf.constant(2.0**16))
    np.testing.assert_allclose(scaled, penalty(quadratic), rtol=1e-5)


def test_loss_scale_saves_a_gradient_too_small_for_float16():
    def small(images):
        x = tf.cast(images, "float16")
        return tf.cast(x[:, 0, 0], "float32") * 1e-9

    # (length - target)^2 / target^2, where the length is 1e-9 or lost.
    scaled = penalty(small, 1.0, 2e-9, tf.constant(2.0**16))
    np.testing.assert_allclose(scaled, [0.25] * 3, rtol=1e-2)
    np.testing.assert_allclose(penalty(small, 1.0, 2e-9), [1.0] * 3, rtol=1e-5)


def drift(weight):
    return types.SimpleNamespace(drift=weight)


def test_generator_wants_high_scores():
    scores = np.array([[2.0], [-3.0]], "float32")
    np.testing.assert_array_equal(losses.wgan_generator(scores), [-2.0, 3.0])


def test_discriminator_wants_reals_high_and_fakes_low():
    reals = np.array([[2.0], [-3.0]], "float32")
    fakes = np.array([[5.0], [7.0]], "float32")
    loss = losses.wgan_discriminator(reals, fakes, drift(0.0))
    np.testing.assert_array_equal(loss, [3.0, 10.0])


def test_drift_is_the_square_of_real_scores():
    reals = np.array([[2.0], [-3.0]], "float32")
    fakes = np.array([[0.0], [1.0]], "float32")
    loss = losses.wgan_discriminator(reals, fakes, drift(0.001))
    np.testing.assert_allclose(loss, [-2.0 + 0.004, 4.0 + 0.009], rtol=1e-6)


def test_label_loss_is_cross_entropy():
    logits = RANDOM.normal(size=(4, 3)).astype("float32")
    classes = [2, 0, 1, 1]
    labels = np.eye(3, dtype="float32")[classes]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = -np.log([shares[i, c] for i, c in enumerate(classes)])
    result = losses.label_loss(labels, logits)
    np.testing.assert_allclose(result, expected, rtol=1e-5)
