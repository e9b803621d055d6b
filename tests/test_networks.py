"""Generator and discriminator against counts, each other and NumPy."""

import numpy as np
import pytest
from numpy_reference import (
    append_stddev,
    convolve,
    downscale,
    leaky_relu,
    normalize_pixels,
    upscale,
)
from published_files import OFFICIAL_PARAMETERS

from progan_tf.networks import Discriminator, Generator

# Small families: 8 feature maps at 4x4 and 8x8, 4 at 16x16.
SMALL = {"fmap_base": 32, "fmap_max": 8}


def generator(resolution=16, **options):
    options = {**SMALL, "latent_size": 6, "seed": 1, **options}
    return randomized(Generator(resolution, **options))


def discriminator(resolution=16, **options):
    options = {**SMALL, "seed": 2, **options}
    return randomized(Discriminator(resolution, **options))


def randomized(family):
    """The family with biases that are not zero, so that tests see them."""
    rng = np.random.default_rng(3)
    for weight in family.weights:
        if weight.name == "bias":
            weight.assign(rng.normal(size=weight.shape))
        elif weight.name in ("gamma", "moving_variance"):
            weight.assign(rng.uniform(0.5, 2, size=weight.shape))
        elif weight.name in ("beta", "moving_mean"):
            weight.assign(rng.normal(size=weight.shape))
    return family


def random_array(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def assert_close(actual, desired, tolerance=1e-4):
    np.testing.assert_allclose(actual, desired, tolerance, tolerance)


def copy_weights(target, source):
    pairs = zip(target.weights, source.weights, strict=True)
    for ours, theirs in pairs:
        ours.assign(theirs.value)


def test_float16_normalizes_a_latent_of_zeros():
    # To which it adds a number that is 0 in float16 if it is too small.
    images = generator(4, dtype="mixed_float16").at(4)(np.zeros([1, 6]))
    assert np.isfinite(images).all()


@pytest.mark.parametrize(
    ("family", "column"), [(Generator, 0), (Discriminator, 1)]
)
def test_parameters_are_the_official_codes(family, column):
    largest = family(1024)
    counts, total = {}, 0
    for resolution in OFFICIAL_PARAMETERS:
        layers = largest.block(resolution).layers
        weights = [w for layer in layers for w in layer.trainable_weights]
        total += sum(weight.shape.num_elements() for weight in weights)
        counts[resolution] = total
    assert counts == {r: n[column] for r, n in OFFICIAL_PARAMETERS.items()}
    assert largest.count_params() == total


def test_parameters_of_a_family_that_ends_below_1024():
    assert Generator(32).count_params() == OFFICIAL_PARAMETERS[32][0]
    assert Discriminator(32).count_params() == OFFICIAL_PARAMETERS[32][1]


def test_labels_are_concatenated_with_the_latent():
    g = generator(4, num_classes=3)
    z, labels = random_array(2, 6), np.eye(3, dtype="float32")[[2, 0]]
    images = g.at(4)([z, labels])
    plain = generator(4, latent_size=9)
    copy_weights(plain, g)
    assert images.shape == (2, 4, 4, 3)
    assert_close(images, plain.at(4)(np.concatenate([z, labels], axis=1)))


def test_labels_are_the_outputs_after_the_score():
    d = discriminator(8, num_classes=3)
    x = random_array(4, 8, 8, 3)
    scores, logits = d.at(8)(x)
    assert (scores.shape, logits.shape) == ((4, 1), (4, 3))
    plain = discriminator(8)
    for ours, theirs in zip(plain.weights, d.weights, strict=True):
        value = theirs.numpy()
        ours.assign(value if ours.shape == theirs.shape else value[..., :1])
    assert_close(scores, plain.at(8)(x))


def test_grey():
    images = generator(8, channels=1).at(8)(random_array(2, 6))
    assert images.shape == (2, 8, 8, 1)
    assert discriminator(8, channels=1).at(8)(images).shape == (2, 1)


def test_minibatch_stddev_can_be_left_out():
    d = discriminator(4, minibatch_stddev_group=0)
    x = random_array(4, 4, 4, 3)
    # Without it a sample's score does not depend on the others.
    assert_close(d.at(4)(x)[:1], d.at(4)(x[:1]))
    assert d.block(4).conv.kernel.shape == (3, 3, 8, 8)


def test_fused_and_separate_generator_are_the_same_function():
    fused, separate = generator(), generator(fused_scale=False)
    z = random_array(2, 6)
    assert_close(fused.at(16)(z), separate.at(16)(z))


def test_fused_and_separate_discriminator_are_two_functions():
    fused, separate = discriminator(), discriminator(fused_scale=False)
    x = random_array(4, 16, 16, 3)
    difference = np.abs(fused.at(16)(x) - separate.at(16)(x))
    assert difference.min() > 0.01


@pytest.mark.parametrize("family", [generator, discriminator])
def test_models_of_a_family_share_their_weights(family):
    family = family()
    shared = family.at(8).trainable_weights
    of_16 = {id(weight) for weight in family.at(16).trainable_weights}
    of_family = {id(weight) for weight in family.trainable_weights}
    # All but what belongs to the colours of the resolution below.
    other = [weight.path for weight in shared if id(weight) not in of_16]
    assert len(other) == 2 and all("rgb_4" in path for path in other)
    assert of_16 < of_family


def test_training_one_model_changes_the_others():
    g = generator()
    z = random_array(4, 6)
    before = g.at(8)(z)
    model = g.at(16)
    model.compile(optimizer="sgd", loss="mse")
    model.train_on_batch(z, np.ones([4, 16, 16, 3]))
    assert np.abs(g.at(8)(z) - before).max() > 1e-4


@pytest.mark.parametrize("fused_scale", [True, False])
@pytest.mark.parametrize("resolution", [8, 16])
def test_generator_at_alpha_0_is_the_resolution_below(fused_scale, resolution):
    g = generator(fused_scale=fused_scale)
    g.set_alpha(resolution, 0.0)
    z = random_array(2, 6)
    below = g.at(resolution // 2, fade=False)(z)
    assert_close(g.at(resolution)(z), upscale(below.numpy()), 1e-6)


@pytest.mark.parametrize("fused_scale", [True, False])
@pytest.mark.parametrize("resolution", [8, 16])
def test_discriminator_at_alpha_0_is_the_resolution_below(
    fused_scale, resolution
):
    d = discriminator(fused_scale=fused_scale)
    d.set_alpha(resolution, 0.0)
    x = random_array(4, resolution, resolution, 3)
    below = d.at(resolution // 2, fade=False)(downscale(x))
    assert_close(d.at(resolution)(x), below, 1e-5)


@pytest.mark.parametrize("resolution", [4, 8, 16])
def test_at_alpha_1_there_is_no_fade(resolution):
    g, d = generator(), discriminator()
    z = random_array(4, 6)
    images = g.at(resolution)(z)
    assert_close(images, g.at(resolution, fade=False)(z), 1e-6)
    scores = d.at(resolution)(images)
    assert_close(scores, d.at(resolution, fade=False)(images), 1e-6)
    if resolution > 4:
        # A check of the check: alpha matters.
        g.set_alpha(resolution, 0.5)
        assert np.abs(g.at(resolution)(z) - images).max() > 0.01


def scaled_kernel(layer, gain=2**0.5):
    kernel = layer.kernel.numpy().astype("float64")
    if not layer.equalized:
        return kernel
    return kernel * gain / np.sqrt(np.prod(kernel.shape[:-1]))


def reference_conv(x, layer, gain=2**0.5):
    return convolve(x, scaled_kernel(layer, gain)) + layer.bias.numpy()


def reference_generator(family, z, alpha):
    """Images of 8x8, from the raw weights."""
    a, low, high = family.architecture, family.block(4), family.block(8)

    def finish(x, block, name):
        norm = getattr(block, f"{name}_norm")
        if norm is None:
            x = x + getattr(block, name).bias.numpy()
        else:
            gamma, beta, mean, variance = (w.numpy() for w in norm.weights)
            x = (x - mean) / np.sqrt(variance + 1e-4) * gamma + beta
        x = leaky_relu(x) if a.activation == "leaky_relu" else np.maximum(x, 0)
        return normalize_pixels(x) if a.pixelnorm else x

    x = z.astype("float64")
    x = normalize_pixels(x) if a.normalize_latents else x
    details = a.details
    x = x @ scaled_kernel(low.dense, details.dense_gain)
    x = finish(x.reshape(len(z), 4, 4, 8), low, "dense")
    x = finish(convolve(x, scaled_kernel(low.conv)), low, "conv")
    gain = details.linear_gain
    old = upscale(reference_conv(x, low.to_rgb, gain))
    for name in ("conv0", "conv1"):
        x = upscale(x) if name == "conv0" else x
        x = convolve(x, scaled_kernel(getattr(high, name)))
        x = finish(x, high, name)
    x = (1 - alpha) * old + alpha * reference_conv(x, high.to_rgb, gain)
    return np.tanh(x) if a.tanh else x


def finish(x, block, name):
    """Bias, the sample's normalization if there is one, and activation."""
    norm = getattr(block, f"{name}_norm")
    if norm is None:
        return leaky_relu(x + getattr(block, name).bias.numpy())
    axes = tuple(range(1, x.ndim))
    x = x - x.mean(axes, keepdims=True)
    x /= np.sqrt((x**2).mean(axes, keepdims=True) + 1e-4)
    return leaky_relu(x * norm.gain.numpy() + norm.bias.numpy())


def reference_discriminator(family, images, alpha, fused_scale):
    """Scores of 8x8 images, from the raw weights."""
    low, high = family.block(4), family.block(8)
    images = images.astype("float64")
    x = leaky_relu(reference_conv(images, high.from_rgb))
    x = finish(convolve(x, scaled_kernel(high.conv0)), high, "conv0")
    x = convolve(x, scaled_kernel(high.conv1))
    if fused_scale:
        x = finish(downscale(x), high, "conv1")
    else:
        x = downscale(finish(x, high, "conv1"))
    old = leaky_relu(reference_conv(downscale(images), low.from_rgb))
    x = append_stddev((1 - alpha) * old + alpha * x, 4)
    x = finish(convolve(x, scaled_kernel(low.conv)), low, "conv")
    x = x.reshape(len(x), -1) @ scaled_kernel(low.dense0)
    x = finish(x, low, "dense0")
    if low.discrimination is not None:
        x = np.asarray(low.discrimination(x.astype("float32")))
    return x @ scaled_kernel(low.dense1, gain=1) + low.dense1.bias.numpy()


GENERATOR_SWITCHES = [
    {},
    {"equalized": False},
    {"normalize_latents": False},
    {"pixelnorm": False},
    {"activation": "relu"},
    {"tanh": True},
    {"generator_norm": "batch"},
]
DISCRIMINATOR_SWITCHES = [
    {},
    {"equalized": False},
    {"discriminator_norm": "layer"},
    {"minibatch_discrimination": 3},
]


@pytest.mark.parametrize("switch", GENERATOR_SWITCHES)
@pytest.mark.parametrize("fused_scale", [True, False])
def test_generator_is_the_reference(fused_scale, switch):
    g = generator(8, fused_scale=fused_scale, **switch)
    assert g.count_params() == g.architecture.generator_parameters()
    g.set_alpha(8, 0.3)
    z = random_array(2, 6)
    expected = reference_generator(g, z, 0.3)
    assert_close(g.at(8)(z), expected)
    if switch:
        # A check of the check: the switch matters.
        plain = generator(8, fused_scale=fused_scale)
        plain.set_alpha(8, 0.3)
        differ = np.abs(reference_generator(plain, z, 0.3) - expected)
        assert differ.max() > 0.01 or "equalized" in switch


def test_weights_that_are_not_equalized_begin_as_those_that_are():
    # As scaled when used, so scaled when drawn: one function at first.
    for family in (generator, discriminator):
        ours, theirs = family(8, equalized=False), family(8)
        inputs = random_array(4, 6)
        if family is discriminator:
            inputs = random_array(4, 8, 8, 3)
        assert_close(ours.at(8)(inputs), theirs.at(8)(inputs))
        kernels = [w.numpy() for w in ours.weights if w.name == "kernel"]
        assert max(kernel.std() for kernel in kernels) < 0.9


@pytest.mark.parametrize("switch", DISCRIMINATOR_SWITCHES)
@pytest.mark.parametrize("fused_scale", [True, False])
def test_discriminator_is_the_reference(fused_scale, switch):
    d = discriminator(8, fused_scale=fused_scale, **switch)
    assert d.count_params() == d.architecture.discriminator_parameters()
    d.set_alpha(8, 0.3)
    x = random_array(8, 8, 8, 3)
    expected = reference_discriminator(d, x, 0.3, fused_scale)
    assert_close(d.at(8)(x), expected)


@pytest.mark.parametrize("family", [Generator, Discriminator])
def test_weights_follow_from_the_seed(family):
    low, high = family(8, **SMALL, seed=1), family(16, **SMALL, seed=1)
    other = family(8, **SMALL, seed=100)
    for block in ("4x4", "8x8"):
        layers = zip(
            low.blocks[block].layers,
            high.blocks[block].layers,
            other.blocks[block].layers,
            strict=True,
        )
        for ours, same, different in layers:
            if hasattr(ours, "kernel"):
                kernel = ours.kernel.numpy()
                assert np.array_equal(kernel, same.kernel)
                assert not np.array_equal(kernel, different.kernel)
    block = low.block(8)
    assert not np.array_equal(block.conv0.kernel, block.conv1.kernel)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_ends_in_float32(dtype):
    g, d = generator(dtype=dtype), discriminator(dtype=dtype, num_classes=2)
    images = g.at(16)(random_array(4, 6))
    scores, logits = d.at(16)(images)
    assert g.block(4).conv.compute_dtype == dtype.removeprefix("mixed_")
    assert images.dtype == scores.dtype == logits.dtype == "float32"
    assert_close(images, generator().at(16)(random_array(4, 6)), 0.1)


@pytest.mark.parametrize("wrong", [2, 12, 32])
def test_a_resolution_that_is_not_there_is_refused(wrong):
    with pytest.raises(ValueError, match=f"received {wrong}$"):
        generator().at(wrong)


def test_4x4_has_no_alpha():
    with pytest.raises(ValueError, match="never fades"):
        generator().set_alpha(4, 0.5)


@pytest.mark.parametrize("wrong", [-0.1, 2, float("nan")])
def test_alpha_is_a_share(wrong):
    g = generator()
    with pytest.raises(ValueError, match="expected alpha from 0 to 1"):
        g.set_alpha(8, wrong)
    assert g.block(8).fade.alpha.numpy() == 1.0
