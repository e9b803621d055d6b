"""Generators, modules and files in lower precision than float32."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub
from generators import make_generator

from progan_tf.errors import UserError
from progan_tf.export import export_keras_file, export_saved_model
from progan_tf.export.checks import largest_difference
from progan_tf.export.precision import in_precision
from progan_tf.latents import seeded_latents
from progan_tf.layers import PixelNormalization

LATENTS = seeded_latents(range(5), 12)
REDUCED = ("bfloat16", "float16")


def wide_generator(dtype=None, epsilon=1e-8):
    """So wide that a file of it is its kernels."""
    return make_generator(
        8, fmap_max=64, dtype=dtype, pixelnorm_epsilon=epsilon
    )


@pytest.fixture(scope="module")
def generator():
    return wide_generator()


@pytest.fixture(scope="module")
def expected(generator):
    """Images in [0, 1]."""
    return ((np.asarray(generator(LATENTS)) + 1) / 2).clip(0, 1)


def is_rounded(images, expected):
    """Whether images are the expected ones, but not to the last bit."""
    assert images.dtype == np.float32
    difference = np.abs(np.asarray(images) - expected)
    return 1e-5 < difference.mean() < 5e-3


@pytest.mark.parametrize("precision", REDUCED)
def test_like_a_generator_made_in_that_precision(generator, precision):
    epsilon = 1e-4 if precision == "float16" else 1e-8
    made = wide_generator(f"mixed_{precision}", epsilon)
    rebuilt = in_precision(generator, precision)
    assert rebuilt(LATENTS).dtype == tf.float32
    np.testing.assert_array_equal(rebuilt(LATENTS), made(LATENTS))
    # The weights are copies.
    rebuilt.weights[0].assign(rebuilt.weights[0] * 0)
    assert np.abs(generator.weights[0]).max() > 1
    np.testing.assert_array_equal(
        in_precision(made, "float32")(LATENTS),
        wide_generator(epsilon=epsilon)(LATENTS),
    )


def test_epsilon_that_float16_can_hold(generator):
    def epsilons(precision, epsilon):
        made = wide_generator(epsilon=epsilon)
        return {
            layer.epsilon
            for layer in in_precision(made, precision).layers
            if isinstance(layer, PixelNormalization)
        }

    assert epsilons("float16", 1e-8) == {1e-4}
    assert epsilons("float16", 1e-3) == {1e-3}
    assert epsilons("bfloat16", 1e-8) == {1e-8}
    assert in_precision(generator, "float32") is generator


@pytest.mark.parametrize("precision", REDUCED)
def test_module_of_half_the_size(tmp_path, generator, expected, precision):
    whole, half = tmp_path / "whole", tmp_path / "half"
    export_saved_model(generator, whole)
    export_saved_model(generator, half, precision=precision)
    sizes = [(p / "saved_model.pb").stat().st_size for p in (whole, half)]
    # The kernels, that of upscaling folded to 4x4, each once.
    kernels = 4 * (12 * 1024 + (9 + 16 + 9) * 64 * 64 + 64 * 3)
    assert kernels < sizes[0] < kernels + 60_000
    assert sizes[1] < sizes[0] - 0.49 * kernels
    loaded = hub.load(str(half))
    assert is_rounded(loaded(LATENTS), expected)
    z = tf.constant(LATENTS)
    with tf.GradientTape() as tape:
        tape.watch(z)
        total = tf.reduce_sum(loaded(z))
    assert np.abs(tape.gradient(total, z)).min() > 0


@pytest.mark.parametrize("precision", REDUCED)
def test_trainable_module(tmp_path, generator, expected, precision):
    path = str(tmp_path / "module")
    export_saved_model(generator, path, trainable=True, precision=precision)
    loaded = hub.load(path)
    assert {v.dtype for v in loaded.variables} == {tf.float32}
    with tf.GradientTape() as tape:
        images = loaded(LATENTS)
        total = tf.reduce_sum(images)
    assert is_rounded(images, expected)
    gradients = tape.gradient(total, loaded.trainable_variables)
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)


@pytest.mark.parametrize("precision", REDUCED)
def test_keras_file(tmp_path, generator, expected, precision):
    path, back = tmp_path / "low.keras", tmp_path / "back.keras"
    export_keras_file(generator, path, precision=precision)
    loaded = keras.saving.load_model(path)
    assert is_rounded((loaded(LATENTS) + 1) / 2, (generator(LATENTS) + 1) / 2)
    policies = [layer.dtype_policy for layer in loaded.layers[1:]]
    assert {p.compute_dtype for p in policies[:-1]} == {precision}
    assert {p.variable_dtype for p in policies} == {"float32"}
    # And back to float32, where rounding is no longer the file's.
    assert export_keras_file(loaded, back) == 0.0
    assert export_saved_model(loaded, tmp_path / "module") < 1e-5


@pytest.mark.parametrize("precision", ["float32", *REDUCED])
def test_tolerances_tell_rounding_from_faults(generator, precision):
    def images_of(model):
        return lambda named: (
            (np.asarray(model(named["latent_vector"])) + 1) / 2
        ).clip(0, 1)

    rebuilt = in_precision(wide_generator(), precision)
    largest_difference(generator, images_of(rebuilt), precision)
    mirrored = keras.models.clone_model(rebuilt)
    mirrored.set_weights(rebuilt.get_weights())
    kernel = mirrored.get_layer("conv1_8").kernel
    kernel.assign(kernel.numpy()[::-1])
    with pytest.raises(UserError, match=r"\(root mean square\).* differ by 0"):
        largest_difference(generator, images_of(mirrored), precision)
    rebuilt.weights[-1].assign(np.full(3, np.nan))
    with pytest.raises(UserError, match="differ by nan"):
        largest_difference(generator, images_of(rebuilt), precision)
