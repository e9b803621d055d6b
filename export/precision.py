"""A generator that computes in another precision."""

import keras

from progan_tf.architecture import FLOAT16_EPSILON
from progan_tf.layers import PixelNormalization


def in_precision(generator, precision):
    """Rebuild a generator to compute in another precision.

    In every precision, "float32", "bfloat16" or "float16", weights, latents and
    images are float32; an `Identity` layer casts the images. These are Keras's
    mixed-precision policies. In float16 the epsilon of the pixel normalization
    is at least 1e-4. Returns a functional `keras.Model`; the given one if it
    has this precision already.
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
    """A copy of a functional `keras.Model`, with other settings of layers.

    `changes` is a function from a layer to a dict of changed settings, `call`
    the `call_function` of `keras.models.clone_model`.
    """

    def remade(layer):
        return type(layer).from_config(layer.get_config() | changes(layer))

    clone = keras.models.clone_model(
        generator, clone_function=remade, call_function=call
    )
    clone.set_weights(generator.get_weights())
    return clone
