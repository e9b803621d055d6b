"""The checks of every layer, in one call."""

import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf


def assert_layer_conforms(
    layer_class, init_kwargs, input_shape, expected_shape
):
    """Check a layer; `input_shape` is a list where it has several inputs."""
    rng = np.random.default_rng(0)
    shapes = input_shape if isinstance(input_shape, list) else [input_shape]
    pack = list if isinstance(input_shape, list) else lambda one: one[0]
    arrays = pack([tf.constant(rng.normal(size=s), "float32") for s in shapes])

    layer = layer_class(**init_kwargs)
    layer.build(input_shape)
    values = [rng.normal(size=weight.shape) for weight in layer.weights]
    layer.set_weights(values)
    with tf.GradientTape() as tape:
        output = layer(arrays)
        loss = tf.reduce_sum(output**2)
    assert len(layer.weights) == len(values), "calling must add no weights"
    assert output.shape == expected_shape
    assert layer.compute_output_shape(input_shape) == expected_shape
    weights = [weight.value for weight in layer.trainable_weights]
    for gradient in tape.gradient(loss, weights):
        assert np.abs(gradient).max() > 0

    def assert_same(result, tolerance=1e-5):
        result = tf.cast(result, "float32")
        np.testing.assert_allclose(result, output, tolerance, tolerance)

    any_batch = pack([tf.TensorSpec([None, *s[1:]]) for s in shapes])
    assert_same(tf.function(layer)(arrays))
    assert_same(tf.function(layer, input_signature=[any_batch])(arrays))
    copy = layer_class.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    for dtype in ("bfloat16", "float16"):
        mixed = layer_class(**init_kwargs, dtype=f"mixed_{dtype}")
        mixed.build(input_shape)
        mixed.set_weights(values)
        assert mixed(arrays).dtype == dtype
        assert_same(mixed(arrays), tolerance=0.1)
    inputs = pack([keras.Input(s[1:]) for s in shapes])
    model = keras.Model(inputs, layer(inputs))
    with tempfile.TemporaryDirectory() as folder:
        model.save(pathlib.Path(folder, "model.keras"))
        model.export(folder, "tf_saved_model", verbose=False)
        loaded = keras.saving.load_model(pathlib.Path(folder, "model.keras"))
        assert_same(loaded(arrays))
        exported = tf.saved_model.load(folder)
        assert_same(exported.serve(arrays))
