"""Sizes and costs of networks against literal numbers."""

import dataclasses

import pytest
from published_files import OFFICIAL_PARAMETERS

from progan_tf.architecture import Architecture
from progan_tf.errors import UserError
from progan_tf.resolutions import check_resolution, resolutions


def parameters(**settings):
    architecture = Architecture(**settings)
    return (
        architecture.generator_parameters(),
        architecture.discriminator_parameters(),
    )


@pytest.mark.parametrize("resolution", OFFICIAL_PARAMETERS)
def test_parameters_are_the_official_codes(resolution):
    expected = OFFICIAL_PARAMETERS[resolution]
    assert parameters(resolution=resolution) == expected
    largest = Architecture()
    assert largest.generator_parameters(resolution) == expected[0]
    assert largest.discriminator_parameters(resolution) == expected[1]


def test_parameters_of_the_cifar10_networks():
    cifar10 = {"latent_size": 128, "fmap_base": 4096, "fmap_max": 128}
    assert parameters(resolution=32, **cifar10) == (1_296_908, 1_298_689)
    assert parameters(resolution=128, **cifar10)[0] == 1_703_378


def test_what_each_option_adds_to_the_parameters():
    def added(**option):
        with_it, without = (
            parameters(resolution=4, **option),
            parameters(resolution=4),
        )
        return tuple(a - b for a, b in zip(with_it, without, strict=True))

    # Ten classes: ten rows of the first dense layer, ten logits.
    assert added(num_classes=10) == (10 * 8192, 10 * 513)
    # Grey: two of three ToRGB outputs and FromRGB inputs fewer.
    assert added(channels=1) == (-2 * 513, -2 * 512)
    assert added(minibatch_stddev_group=0) == (0, -9 * 512)
    # A bias for each output of the first layer, not for each feature map.
    assert added(variant="gan_zoo") == (15 * 512, 0)


def test_feature_maps_halve_from_64():
    architecture = Architecture()
    maps = [architecture.feature_maps(r) for r in OFFICIAL_PARAMETERS]
    assert maps == [512, 512, 512, 512, 256, 128, 64, 32, 16]
    assert Architecture(fmap_max=64).feature_maps(4) == 64
    table = {4: 64, 8: 48, 16: 999, 32: 999, 64: 999, 128: 999}
    architecture = Architecture(resolution=128, fmap_max=table)
    maps = [architecture.feature_maps(r) for r in (4, 8, 128)]
    assert maps == [64, 48, 128]
    assert architecture.dense_units == 64
    few = Architecture(resolution=8, fmap_base=32, fmap_max=64)
    assert few.dense_units == 32


def test_resolutions():
    assert resolutions(4) == Architecture(resolution=4).resolutions == (4,)
    assert resolutions(1024) == tuple(OFFICIAL_PARAMETERS)
    assert Architecture().resolutions == tuple(OFFICIAL_PARAMETERS)


@pytest.mark.parametrize("wrong", [0, 2, 12, 100, 2048, -4, 64.0, True, "64"])
def test_other_resolutions_are_refused(wrong):
    with pytest.raises(UserError, match="power of two from 4 to 1024"):
        check_resolution(wrong)
    with pytest.raises(UserError, match="power of two from 4 to 1024"):
        Architecture(resolution=wrong)


@pytest.mark.parametrize(
    ("setting", "wrong", "message"),
    [
        ("latent_size", 0, "latent_size must be 1 or more"),
        ("channels", 1.5, "channels must be a whole number"),
        ("fused_scale", 1, "fused_scale must be true or false"),
        ("fmap_max", {4: 8, 8: 8}, "fmap_max must have a number for 16"),
        ("fmap_base", 4, "fmap_base must be 8 or more for 16x16, not 4"),
        ("variant", "own", "one of official, gan_zoo, not 'own'"),
        ("pixelnorm_epsilon", 0.0, "pixelnorm_epsilon must be more than 0"),
    ],
)
def test_wrong_settings_are_refused(setting, wrong, message):
    with pytest.raises(UserError, match=message):
        Architecture(resolution=16, **{setting: wrong})


def test_settings_give_the_same_architecture():
    architecture = Architecture(
        resolution=8, num_classes=3, fmap_max={4: 6, 8: 9}, variant="gan_zoo"
    )
    assert Architecture(**architecture.settings) == architecture
    assert Architecture(**architecture.arguments) == architecture
    with pytest.raises(dataclasses.FrozenInstanceError):
        architecture.channels = 1


def test_levels_of_another_shape():
    wide = Architecture(lowest=(4, 6), resolution=16, fmap_max=8, latent_size=5)
    sizes = [wide.size(r) for r in wide.resolutions]
    assert sizes == [(4, 6), (8, 12), (16, 24)]
    assert [wide.level(r) for r in wide.resolutions] == [0, 1, 2]
    square = dataclasses.replace(wide, lowest=(4, 4))
    # The dense layers between latent or score and the 4x6 positions.
    added = wide.generator_parameters() - square.generator_parameters()
    assert added == 5 * 8 * 8
    added = wide.discriminator_parameters() - square.discriminator_parameters()
    assert added == 8 * 8 * 8
    # All arithmetic but that from dense0 to the score is done for 6 / 4 as
    # many positions.
    score = 2 * wide.dense_units
    for network, rest in (("generator", 0), ("discriminator", score)):
        more = wide.forward_flops(network) - rest
        assert more == 1.5 * (square.forward_flops(network) - rest)
    with pytest.raises(UserError, match="4 times a power of two"):
        Architecture(lowest=(4, 6), resolution=12)
    with pytest.raises(UserError, match="expected a resolution of .4, 8, 16."):
        wide.size(32)


def test_forward_flops_of_4x4_by_hand():
    architecture = Architecture(
        resolution=4, latent_size=5, fmap_base=16, fmap_max=8
    )
    # Dense 5 to 4*4*8, convolution 8 to 8, ToRGB 8 to 3.
    generator = 5 * 128 + 16 * 9 * 8 * 8 + 16 * 8 * 3
    # FromRGB, convolution 9 to 8, dense 128 to 8, dense 8 to 1.
    discriminator = 16 * 3 * 8 + 16 * 9 * 9 * 8 + 128 * 8 + 8
    assert architecture.forward_flops("generator") == 2 * generator
    assert architecture.forward_flops("discriminator") == 2 * discriminator
    plain = dataclasses.replace(architecture, minibatch_stddev_group=0)
    difference = 2 * discriminator - plain.forward_flops("discriminator")
    assert difference == 2 * 16 * 9 * 8


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_fused_resampling_takes_16_taps_for_36(network):
    fused = Architecture(resolution=8).forward_flops(network)
    separate = Architecture(resolution=8, fused_scale=False)
    difference = separate.forward_flops(network) - fused
    assert difference == 2 * (36 - 16) * 4 * 4 * 512 * 512


def test_networks_cost_nearly_the_same():
    generator = Architecture().forward_flops("generator")
    discriminator = Architecture().forward_flops("discriminator")
    assert generator == pytest.approx(discriminator, rel=1e-3)


def test_other_networks_are_refused():
    with pytest.raises(UserError, match="not 'critic'"):
        Architecture(resolution=8).forward_flops("critic")
