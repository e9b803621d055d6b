"""The layers against NumPy and literal numbers."""

import numpy as np
import pytest
import tensorflow as tf
from conformance import assert_layer_conforms
from numpy_reference import (
    append_stddev,
    convolve,
    downscale,
    leaky_relu,
    upscale,
)

from progan_tf.layers import (
    EqualizedConv2D,
    EqualizedDense,
    FadeIn,
    FixedLabel,
    MinibatchDiscrimination,
    MinibatchStdDev,
    NearestUpscale,
    PixelNormalization,
    SampleNormalization,
)

CONV = {"filters": 5, "kernel_size": 3}
LEAKY = {"activation": "leaky_relu"}
PICTURE = (2, 4, 6, 3)


# Keras saves a variable by `np.array`, which NumPy 2 wants another argument of.
@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize(
    ("layer_class", "init_kwargs", "input_shape", "expected_shape"),
    [
        (EqualizedConv2D, CONV, PICTURE, (2, 4, 6, 5)),
        (EqualizedConv2D, {**CONV, "kernel_size": 1}, PICTURE, (2, 4, 6, 5)),
        (EqualizedConv2D, {**CONV, "equalized": False}, PICTURE, (2, 4, 6, 5)),
        (
            EqualizedConv2D,
            {**CONV, "kernel_size": (1, 3)},
            PICTURE,
            (2, 4, 6, 5),
        ),
        (EqualizedConv2D, {**CONV, "use_bias": False}, PICTURE, (2, 4, 6, 5)),
        (EqualizedConv2D, {**CONV, "resample": "up"}, PICTURE, (2, 8, 12, 5)),
        (EqualizedConv2D, {**CONV, "resample": "down"}, PICTURE, (2, 2, 3, 5)),
        (EqualizedConv2D, {**CONV, **LEAKY, "gain": 1}, PICTURE, (2, 4, 6, 5)),
        (EqualizedConv2D, {**CONV, "scale_bias": True}, PICTURE, (2, 4, 6, 5)),
        (EqualizedDense, {"units": 5, **LEAKY}, (2, 7), (2, 5)),
        (
            EqualizedDense,
            {"units": 24, "target_shape": (2, 4, 3)},
            (2, 7),
            (2, 2, 4, 3),
        ),
        (
            EqualizedDense,
            {"units": 24, "target_shape": (2, 4, 3), "bias_per_element": True},
            (2, 7),
            (2, 2, 4, 3),
        ),
        (PixelNormalization, {"epsilon": 1e-4}, PICTURE, PICTURE),
        (MinibatchStdDev, {"group_size": 2}, (4, 4, 6, 3), (4, 4, 6, 4)),
        (
            MinibatchStdDev,
            {"group_size": 2, "strided": False, "unbiased": True},
            (4, 4, 6, 3),
            (4, 4, 6, 4),
        ),
        (SampleNormalization, {"activation": "relu"}, PICTURE, PICTURE),
        (SampleNormalization, {"epsilon": 1e-2}, (3, 7), (3, 7)),
        (MinibatchDiscrimination, {"kernels": 4}, (3, 2), (3, 6)),
        (FadeIn, {}, [PICTURE, PICTURE], PICTURE),
        (FixedLabel, {"label": 2, "num_classes": 3}, (2, 5), (2, 8)),
        (NearestUpscale, {"factor": 3}, PICTURE, (2, 12, 18, 3)),
    ],
)
def test_layer_conforms(layer_class, init_kwargs, input_shape, expected_shape):
    assert_layer_conforms(layer_class, init_kwargs, input_shape, expected_shape)


@pytest.mark.parametrize(
    ("layer_class", "init_kwargs", "received"),
    [
        (EqualizedConv2D, {**CONV, "gain": 0}, "gain=0"),
        (EqualizedConv2D, {**CONV, "resample": "left"}, "resample='left'"),
        (EqualizedConv2D, {**CONV, "kernel_size": 2}, "kernel_size=2, .*"),
        (
            EqualizedConv2D,
            {**CONV, "kernel_size": 5, "resample": "up"},
            "kernel_size=5, resample='up'",
        ),
        (EqualizedDense, {"units": 5, "gain": -1}, "gain=-1"),
        (
            EqualizedDense,
            {"units": 5, "target_shape": (2, 3)},
            r"units=5, target_shape=\(2, 3\)",
        ),
        (PixelNormalization, {"epsilon": 0}, "epsilon=0"),
        (MinibatchStdDev, {"group_size": 0}, "group_size=0"),
        (NearestUpscale, {"factor": 0}, "factor=0"),
        (NearestUpscale, {"factor": 5.5}, "factor=5.5"),
        (NearestUpscale, {"factor": True}, "factor=True"),
        (MinibatchStdDev, {"group_size": 2.0}, "group_size=2.0"),
        (PixelNormalization, {"epsilon": float("nan")}, "epsilon=nan"),
        (EqualizedConv2D, {**CONV, "gain": "2"}, "gain='2'"),
        (EqualizedConv2D, {**CONV, "filters": 0}, "filters=0"),
        (EqualizedConv2D, {**CONV, "kernel_size": (3, 4)}, ".*3, 4.*"),
        (EqualizedConv2D, {**CONV, "kernel_size": (3, 3, 3)}, ".*"),
        (EqualizedConv2D, {**CONV, "kernel_size": "3"}, "kernel_size='3'.*"),
        (EqualizedDense, {"units": -3}, "units=-3"),
        (SampleNormalization, {"epsilon": -1}, "epsilon=-1"),
        (MinibatchDiscrimination, {"kernels": 0}, "kernels=0"),
        (FixedLabel, {"label": 3, "num_classes": 3}, "label=3"),
        (FixedLabel, {"label": -1, "num_classes": 3}, "label=-1"),
        (FixedLabel, {"label": 0, "num_classes": 0}, "num_classes=0"),
        (
            MinibatchDiscrimination,
            {"kernels": 2, "dimensions": 1.5},
            "dimensions=1.5",
        ),
        (
            EqualizedDense,
            {"units": 6, "target_shape": (2, -3, -1)},
            "target_shape=-3",
        ),
    ],
)
def test_wrong_arguments_are_refused(layer_class, init_kwargs, received):
    with pytest.raises(ValueError, match=f"Received: {received}$"):
        layer_class(**init_kwargs)


def random_array(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def random_conv(resample=None, activation=None):
    """A 3x3 convolution of 3 to 5 features, its kernel and its bias."""
    layer = EqualizedConv2D(5, 3, 2.0, resample, activation)
    layer.build(PICTURE)
    kernel, bias = random_array(3, 3, 3, 5, seed=1), random_array(5, seed=2)
    layer.set_weights([kernel, bias])
    # The He constant by hand: gain / sqrt(3 * 3 * 3).
    return layer, kernel * 2.0 / np.sqrt(27.0), bias


@pytest.mark.parametrize(
    ("layer_class", "init_kwargs", "input_shape", "constant"),
    [
        (EqualizedDense, {"units": 3}, (1, 200), 0.1),
        (EqualizedDense, {"units": 8, "gain": 2**0.5 / 4}, (1, 512), 0.015625),
        (EqualizedConv2D, CONV, (1, 4, 4, 8), 1 / 6),
        (EqualizedConv2D, {**CONV, "resample": "up"}, (1, 4, 4, 8), 1 / 6),
        (EqualizedConv2D, {**CONV, "resample": "down"}, (1, 4, 4, 8), 1 / 6),
        (
            EqualizedConv2D,
            {"filters": 3, "kernel_size": 1, "gain": 1},
            (1, 4, 4, 16),
            0.25,
        ),
    ],
)
def test_he_constant(layer_class, init_kwargs, input_shape, constant):
    layer = layer_class(**init_kwargs)
    layer.build(input_shape)
    assert layer.scale == pytest.approx(constant)


def test_kernel_starts_as_unit_normal_and_bias_as_zero():
    layer = EqualizedDense(200)
    layer.build((1, 500))
    kernel, bias = layer.get_weights()
    assert np.mean(kernel) == pytest.approx(0, abs=0.02)
    assert np.std(kernel) == pytest.approx(1, abs=0.02)
    assert not bias.any()


def test_dense_is_a_scaled_product_and_a_bias_that_is_not_scaled():
    layer = EqualizedDense(2, gain=3.0, kernel_initializer="ones", **LEAKY)
    layer.build((1, 9))
    layer.bias.assign([1.0, -50.0])
    # 36 * 3 / sqrt(9) is 36; the second output is 0.2 * (36 - 50).
    np.testing.assert_allclose(layer(np.full([1, 9], 4.0)), [[37.0, -2.8]])


def test_dense_folds_channels_last_with_one_bias_a_channel():
    layer = EqualizedDense(8, target_shape=(2, 2, 2))
    layer.build((1, 1))
    layer.set_weights([np.arange(8.0)[None] / 2**0.5, np.array([100, 200])])
    expected = [[[100, 201], [102, 203]], [[104, 205], [106, 207]]]
    output = layer(np.ones([1, 1]))
    np.testing.assert_allclose(output[0], expected, rtol=1e-6)


def test_plain_convolution():
    layer, kernel, bias = random_conv(activation="leaky_relu")
    x = random_array(*PICTURE)
    expected = leaky_relu(convolve(x, kernel) + bias)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


def test_up_is_nearest_upscale_then_convolution():
    layer, kernel, bias = random_conv("up", "leaky_relu")
    x = random_array(*PICTURE)
    expected = leaky_relu(convolve(upscale(x), kernel) + bias)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


def test_down_is_convolution_then_box_filter_then_bias_and_activation():
    layer, kernel, bias = random_conv("down", "leaky_relu")
    x = random_array(*PICTURE)
    expected = leaky_relu(downscale(convolve(x, kernel)) + bias)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


@pytest.mark.parametrize("resample", [None, "up", "down"])
def test_kernel_is_rounded_once_in_mixed_precision(resample):
    layer, _, bias = random_conv(resample)
    layer.bias.assign(0 * bias)
    mixed = EqualizedConv2D(5, 3, 2.0, resample, dtype="mixed_bfloat16")
    mixed.build(PICTURE)
    mixed.set_weights(layer.get_weights())
    # One pixel alone: every number that comes out is one of the kernel.
    pixel = np.zeros(PICTURE, "float32")
    pixel[0, 2, 2, 0] = 1.0
    rounded = tf.cast(layer(pixel), "bfloat16")
    assert np.array_equal(mixed(pixel), rounded)


def test_dense_kernel_is_rounded_once_in_mixed_precision():
    layer = EqualizedDense(7)
    layer.build((None, 3))
    mixed = EqualizedDense(7, dtype="mixed_bfloat16")
    mixed.build((None, 3))
    mixed.set_weights(layer.get_weights())
    one_hot = np.eye(3, dtype="float32")
    assert np.array_equal(mixed(one_hot), tf.cast(layer(one_hot), "bfloat16"))


@pytest.mark.parametrize(
    ("resample", "folded"),
    [
        (
            "down",  # the quarter of
            [[1, 3, 5, 3], [5, 12, 16, 9], [11, 24, 28, 15], [7, 15, 17, 9]],
        ),
        (
            "up",  # mirrored, as transposed convolutions are
            [[9, 17, 15, 7], [15, 28, 24, 11], [9, 16, 12, 5], [3, 5, 3, 1]],
        ),
    ],
)
def test_kernel_is_folded_to_4x4(resample, folded):
    layer = EqualizedConv2D(1, 3, 3.0, resample, use_bias=False)
    layer.build((1, 4, 4, 1))
    layer.set_weights([np.arange(1.0, 10.0).reshape(3, 3, 1, 1)])
    kernel = layer._compute_kernel()[:, :, 0, 0]
    quarter = 0.25 if resample == "down" else 1.0
    np.testing.assert_allclose(kernel, np.multiply(folded, quarter), rtol=1e-6)


def test_pixel_norm():
    x = np.array([[3.0, 4.0], [0.0, 0.0], [1e-4, 1e-4]])
    expected = [[0.848528, 1.131371], [0.0, 0.0], [0.707107, 0.707107]]
    np.testing.assert_allclose(PixelNormalization()(x), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("batch", "group_size", "group"),
    [(8, 4, 4), (6, 4, 3), (3, 4, 3), (1, 4, 1), (5, 4, 1), (4, 16, 4)],
)
@pytest.mark.parametrize("static", [True, False])
def test_stddev_of_strided_groups(batch, group_size, group, static):
    x = random_array(batch, 2, 3, 4)
    layer = tf.function(MinibatchStdDev(group_size))
    shape = [batch if static else None, 2, 3, 4]
    output = layer.get_concrete_function(tf.TensorSpec(shape))(tf.constant(x))
    np.testing.assert_allclose(output, append_stddev(x, group), atol=1e-6)


def test_stddev_of_four_samples_by_hand():
    x = np.array([1.0, 5.0, 3.0, 5.0]).reshape(4, 1, 1, 1)
    output = MinibatchStdDev(2)(x)[:, 0, 0]
    # Samples 0 and 2 are a group, 1 and 3 the other; 1e-4 is the root of 1e-8.
    expected = [[1.0, 1.0], [5.0, 1e-4], [3.0, 1.0], [5.0, 1e-4]]
    np.testing.assert_allclose(output, expected, rtol=1e-5)


def test_stddev_of_float16_does_not_overflow():
    x = np.array([-1000.0, 1000.0]).reshape(2, 1, 1, 1)
    output = MinibatchStdDev(dtype="float16")(x)
    np.testing.assert_array_equal(output[..., 1], 1000.0)


def test_fade_in_follows_alpha_without_a_retrace():
    layer = FadeIn()
    layer.build([(1,), (1,)])
    traces = []

    @tf.function
    def fade(old, new):
        traces.append(1)
        return layer([old, new])

    old, new = tf.constant([8.0]), tf.constant([16.0])
    assert fade(old, new) == 16.0  # before any assignment
    for alpha, expected in [(0.0, 8.0), (0.25, 10.0), (1.0, 16.0)]:
        layer.alpha.assign(alpha)
        assert fade(old, new) == expected
    assert len(traces) == 1


def test_nearest_upscale():
    x = np.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 2, 2, 1)
    output = NearestUpscale()(x)[0, :, :, 0]
    expected = [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    np.testing.assert_array_equal(output, expected)


def test_sizes_of_a_kernel_are_given_as_to_keras():
    one, two = (EqualizedConv2D(4, size) for size in (3, (3, 3)))
    assert one.get_config()["kernel_size"] == two.kernel_size == (3, 3)
    whole = EqualizedConv2D(np.int64(4), np.int64(3))
    assert whole.get_config()["filters"] == 4


def test_sample_normalization_is_that_of_numpy():
    layer = SampleNormalization(activation="leaky_relu")
    layer.build(PICTURE)
    bias = random_array(3, seed=1)
    layer.set_weights([np.float32(0.7), bias])
    x = random_array(*PICTURE) * [1, 2, 3] + 5
    mean, std = x.mean((1, 2, 3)), np.sqrt(x.var((1, 2, 3)) + 1e-4)
    expected = (x - mean[:, None, None, None]) / std[:, None, None, None]
    expected = leaky_relu(0.7 * expected + bias)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_minibatch_discrimination_is_that_of_numpy():
    layer = MinibatchDiscrimination(2, dimensions=3)
    layer.build((5, 4))
    kernel, bias = random_array(4, 6, seed=1), random_array(2, seed=2)
    layer.set_weights([kernel, bias])
    x = random_array(5, 4)
    # The He constant of a linear layer is 1 / sqrt(4).
    mapped = (x @ kernel / 2).reshape(5, 2, 3)
    expected = np.zeros((5, 2))
    for i in range(5):
        for j in set(range(5)) - {i}:
            expected[i] += np.exp(-np.abs(mapped[i] - mapped[j]).sum(-1))
    output = layer(x).numpy()
    np.testing.assert_array_equal(output[:, :4], x)
    np.testing.assert_allclose(output[:, 4:], expected + bias, rtol=1e-4)
    # One sample alone has nobody to be like.
    np.testing.assert_allclose(layer(x[:1])[0, 4:], bias, atol=1e-6)


def test_a_fixed_label_is_appended_to_each_latent():
    layer = FixedLabel(1, 3)
    latents = np.array([[0.5, -2.0], [4.0, 0.25]], "float32")
    expected = [[0.5, -2.0, 0, 1, 0], [4.0, 0.25, 0, 1, 0]]
    np.testing.assert_array_equal(layer(latents), expected)
    assert layer(latents[:0]).shape == (0, 5)
