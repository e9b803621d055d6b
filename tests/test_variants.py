"""What pytorch_GAN_zoo does differently, layer by layer, and feature maps.

The whole networks are compared, with its weights, in test_weights_gan_zoo.
"""

import numpy as np
import pytest
import tensorflow as tf
from numpy_reference import downscale, upscale

from progan_tf.layers import EqualizedConv2D, EqualizedDense, MinibatchStdDev
from progan_tf.networks import Discriminator, Generator

# 8 feature maps at 4x4 and 8x8, 4 at 16x16.
SMALL = {"fmap_base": 32, "fmap_max": 8, "seed": 1}


def generator(**options):
    return Generator(16, 6, **{**SMALL, **options})


def discriminator(**options):
    return Discriminator(16, **{**SMALL, **options})


def random_array(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def assert_close(actual, desired, tolerance=1e-5):
    np.testing.assert_allclose(actual, desired, tolerance, tolerance)


def test_dense_with_one_bias_an_element():
    layer = EqualizedDense(4, target_shape=(2, 1, 2), bias_per_element=True)
    layer.build((1, 1))
    bias = np.array([100, 200, 300, 400]).reshape(2, 1, 2)
    layer.set_weights([np.arange(4.0)[None] / 2**0.5, bias])
    expected = [[[100, 201]], [[302, 403]]]
    np.testing.assert_allclose(layer(np.ones([1, 1]))[0], expected, rtol=1e-6)


@pytest.mark.parametrize("resample", [None, "up", "down"])
def test_a_scaled_bias_is_multiplied_like_the_kernel(resample):
    layers = [
        EqualizedConv2D(5, 3, 2.0, resample, scale_bias=scale_bias)
        for scale_bias in (False, True)
    ]
    bias = random_array(5)
    for layer in layers:
        layer.build((2, 4, 6, 3))
        layer.set_weights([random_array(3, 3, 3, 5), bias])
    x = random_array(2, 4, 6, 3)
    difference = np.subtract(layers[1](x), layers[0](x))
    # The He constant is 2 / sqrt(27).
    expected = np.broadcast_to(bias * (2 / 27**0.5 - 1), difference.shape)
    np.testing.assert_allclose(difference, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("batch", "group"), [(8, 4), (6, 6), (3, 3), (5, 5), (2, 2), (1, 1)]
)
@pytest.mark.parametrize("static", [True, False])
def test_stddev_of_neighbours_without_bias(batch, group, static):
    x = random_array(batch, 2, 3, 5)
    layer = tf.function(MinibatchStdDev(4, strided=False, unbiased=True))
    spec = tf.TensorSpec([batch if static else None, 2, 3, 5])
    output = layer.get_concrete_function(spec)(tf.constant(x))
    np.testing.assert_array_equal(output[..., :5], x)
    for start in range(0, batch, group):
        members = slice(start, start + group)
        expected = 0.0
        if group > 1:
            expected = np.sqrt(np.var(x[members], 0, ddof=1) + 1e-8).mean()
        np.testing.assert_allclose(output[members, ..., 5], expected, 1e-5)


def test_the_gan_zoos_discriminator_does_not_fade_at_8x8():
    d = discriminator(variant="gan_zoo", fused_scale=False)
    x = random_array(4, 8, 8, 3)
    without = d.at(8, fade=False)(x)
    for alpha in (0.0, 0.5, 1.0):
        d.set_alpha(8, alpha)
        np.testing.assert_array_equal(d.at(8)(x), without)
    d.set_alpha(16, 0.0)
    x = random_array(4, 16, 16, 3)
    assert_close(d.at(16)(x), d.at(8)(downscale(x)), 1e-5)


def test_the_gan_zoos_generator_fades_at_8x8():
    g = generator(variant="gan_zoo")
    g.set_alpha(8, 0.0)
    z = random_array(2, 6)
    assert_close(g.at(8)(z), upscale(g.at(4)(z).numpy()), 1e-6)


def test_the_gan_zoos_first_layer_has_a_bias_for_each_output():
    g, official = generator(variant="gan_zoo"), generator()
    assert g.block(4).dense.bias.shape == (4, 4, 8)
    assert g.count_params() == official.count_params() + 15 * 8
    d = discriminator(variant="gan_zoo")
    assert d.count_params() == discriminator().count_params()


def test_an_unknown_variant_is_refused():
    with pytest.raises(ValueError, match="one of official, gan_zoo, not 'own'"):
        Generator(4, variant="own")


def test_feature_maps_of_each_resolution_by_a_table():
    table = {4: 6, 8: 9, 16: 5}
    g = generator(fmap_base=999, fmap_max=table)
    d = discriminator(fmap_base=999, fmap_max=table)
    for r, maps in table.items():
        assert g.block(r).to_rgb.kernel.shape == (1, 1, maps, 3)
        assert d.block(r).from_rgb.kernel.shape == (1, 1, 3, maps)
    assert d.block(4).dense0.kernel.shape == (16 * 6, 6)
    scores = d.at(16)(g.at(16)(random_array(4, 6)))
    assert scores.shape == (4, 1)
