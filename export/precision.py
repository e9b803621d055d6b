"""A generator that computes in another precision."""

import keras

from progan_tf.architecture import FLOAT16_EPSILON
from progan_tf.layers import PixelNormalization


def in_precision(generator, precision):
    """Rebuild a generator from its layers' settings and its weights.

    The weights are float32 in every precision, "float32", "bfloat16" or
    "float16", and so are the latents that go in and the images that come out,
    through an `Identity` layer: these are Keras's mixed policies. In float16
    the epsilon of the pixel normalization is 1e-4 at least. A functional
    `keras.Model`; the given one where all of it is as it shall be.
    """
    policy = precision if precision == "float32" else f"mixed_{precision}"
    policies = {layer.dtype_policy.name for layer in generator.layers}
    if policies == {policy}:
        return generator

    def changes(layer):
        changed = {}
        if not isinstance(layer, keras.layers.Identity):
            changed["dtype"] = policy
        if precision == "float16" and isinstance(layer, PixelNormalization):
            changed["epsilon"] = max(layer.epsilon, FLOAT16_EPSILON)
        return changed

    return rebuilt(generator, changes)


def rebuilt(generator, changes, call=None):
    """A copy of a functional `keras.Model`, its layers with other settings.

    `changes` is a function of a layer to the settings that are other, and
    `call` that of `keras.models.clone_model`.
    """

    def remade(layer):
        return type(layer).from_config(layer.get_config() | changes(layer))

    clone = keras.models.clone_model(
        generator, clone_function=remade, call_function=call
    )
    clone.set_weights(generator.get_weights())
    return clone
