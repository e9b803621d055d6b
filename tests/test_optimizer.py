"""The fused Adam against the algorithm in NumPy, on one and two devices."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from progan_tf.training.devices import make_strategy
from progan_tf.training.optimizer import FusedAdam

RATE, BETA_1, BETA_2, EPSILON = 0.01, 0.5, 0.99, 1e-8


def adam_in_numpy(start, gradients):
    """Kingma and Ba's algorithm 1, its epsilon scaled as below it."""
    x, m, v = np.float64(start), np.zeros(3), np.zeros(3)
    for t, gradient in enumerate(gradients, start=1):
        m = BETA_1 * m + (1 - BETA_1) * gradient
        v = BETA_2 * v + (1 - BETA_2) * gradient**2
        rate = RATE * np.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
        x = x - rate * m / (np.sqrt(v) + EPSILON)
    return x


@pytest.mark.parametrize("devices", ["CPU:0", "CPU:0,CPU:1"])
def test_update_is_that_of_adam(devices):
    start = np.array([1.0, -2.0, 0.5], "float32")
    gradients = np.random.default_rng(0).normal(size=(4, 3)) * [1, 10, 1e-3]
    strategy = make_strategy(devices)
    with strategy.scope():
        weight = keras.Variable(start)
        optimizer = FusedAdam(
            RATE, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON
        )
        optimizer.build([weight])

    @tf.function
    def step(gradient):
        def update():
            # The replicas' parts are summed to the gradient.
            optimizer.apply(
                [gradient / strategy.num_replicas_in_sync], [weight]
            )

        strategy.run(update)

    for gradient in gradients:
        step(tf.constant(gradient, tf.float32))
    expected = adam_in_numpy(start, gradients)
    for copy in strategy.experimental_local_results(weight.value):
        np.testing.assert_allclose(copy.numpy(), expected, rtol=1e-5)
    assert int(optimizer.iterations.numpy()) == 4
