"""Sizes and costs against literal numbers."""

import pytest

from progan_tf import arithmetic
from progan_tf.errors import UserError

# Counted for the official code's networks; 23.1 M at 1024x1024 in the paper.
OFFICIAL_PARAMETERS = {
    4: (6_556_163, 6_561_793),
    8: (11_277_318, 11_283_457),
    16: (15_998_473, 16_005_121),
    32: (20_719_628, 20_726_785),
    64: (22_490_383, 22_498_049),
    128: (22_933_394, 22_941_313),
    256: (23_044_309, 23_052_353),
    512: (23_072_120, 23_080_225),
    1024: (23_079_115, 23_087_249),
}


@pytest.mark.parametrize("resolution", OFFICIAL_PARAMETERS)
def test_parameters_are_the_official_codes(resolution):
    generator, discriminator = OFFICIAL_PARAMETERS[resolution]
    assert arithmetic.generator_parameters(resolution) == generator
    assert arithmetic.discriminator_parameters(resolution) == discriminator


def test_parameters_of_the_cifar10_networks():
    maps = {"fmap_base": 4096, "fmap_max": 128}
    assert arithmetic.generator_parameters(32, 128, **maps) == 1_296_908
    assert arithmetic.generator_parameters(128, 128, **maps) == 1_703_378
    assert arithmetic.discriminator_parameters(32, **maps) == 1_298_689


def test_what_each_option_adds_to_the_parameters():
    generator = arithmetic.generator_parameters
    discriminator = arithmetic.discriminator_parameters
    # Ten classes: ten rows of the first dense layer, ten logits.
    assert generator(4, num_classes=10) - generator(4) == 10 * 8192
    assert discriminator(4, num_classes=10) - discriminator(4) == 10 * 513
    # Grey: two of three ToRGB outputs and FromRGB inputs fewer.
    assert generator(4) - generator(4, channels=1) == 2 * 513
    assert discriminator(4) - discriminator(4, channels=1) == 2 * 512
    without = discriminator(4, minibatch_stddev=False)
    assert discriminator(4) - without == 9 * 512
    # A bias for each output of the first layer, not for each feature map.
    with_more = generator(4, bias_per_element=True)
    assert with_more - generator(4) == 15 * 512


def test_feature_maps_halve_from_64():
    maps = [arithmetic.feature_maps(r) for r in OFFICIAL_PARAMETERS]
    assert maps == [512, 512, 512, 512, 256, 128, 64, 32, 16]
    assert arithmetic.feature_maps(4, fmap_max=64) == 64
    table = {4: 64, 8: 48, 128: 999}
    maps = [arithmetic.feature_maps(r, 8192, table) for r in table]
    assert maps == [64, 48, 128]
    assert arithmetic.dense_units(8192, table) == 64
    assert arithmetic.dense_units(32, 64) == 32


def test_resolutions():
    assert arithmetic.resolutions(4) == (4,)
    assert arithmetic.resolutions(1024) == tuple(OFFICIAL_PARAMETERS)


@pytest.mark.parametrize("wrong", [0, 2, 12, 100, 2048, -4, 64.0, True, "64"])
def test_other_resolutions_are_refused(wrong):
    with pytest.raises(UserError, match="power of two from 4 to 1024"):
        arithmetic.check_resolution(wrong)


def test_forward_flops_of_4x4_by_hand():
    maps = {"fmap_base": 16, "fmap_max": 8}
    # Dense 5 to 4*4*8, convolution 8 to 8, ToRGB 8 to 3.
    generator = 5 * 128 + 16 * 9 * 8 * 8 + 16 * 8 * 3
    # FromRGB, convolution 9 to 8, dense 128 to 8, dense 8 to 1.
    discriminator = 16 * 3 * 8 + 16 * 9 * 9 * 8 + 128 * 8 + 8
    flops = arithmetic.forward_flops
    assert flops("generator", 4, 5, **maps) == 2 * generator
    assert flops("discriminator", 4, 5, **maps) == 2 * discriminator


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_fused_resampling_takes_16_taps_for_36(network):
    separate = arithmetic.forward_flops(network, 8, fused_scale=False)
    fused = arithmetic.forward_flops(network, 8)
    assert separate - fused == 2 * (36 - 16) * 4 * 4 * 512 * 512


def test_networks_cost_nearly_the_same():
    generator = arithmetic.forward_flops("generator", 1024)
    discriminator = arithmetic.forward_flops("discriminator", 1024)
    assert generator == pytest.approx(discriminator, rel=1e-3)


def test_other_networks_are_refused():
    with pytest.raises(UserError, match="not 'critic'"):
        arithmetic.forward_flops("critic", 8)


def test_step_is_4_passes_of_one_and_14_of_the_other():
    generator = arithmetic.forward_flops("generator", 16)
    discriminator = arithmetic.forward_flops("discriminator", 16)
    step = arithmetic.step_flops_per_image(16)
    assert step == 4 * generator + 14 * discriminator


def test_step_at_64_with_at_most_128_maps():
    flops = arithmetic.step_flops_per_image(64, fmap_max=128)
    assert flops == pytest.approx(42e9, rel=0.01)
