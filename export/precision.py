"""A generator that computes in another precision."""

import keras

from progan_tf.layers import PixelNormalization

# The official code's for float16, in which 1e-8 is 0.
_FLOAT16_EPSILON = 1e-4


def in_precision(generator, precision):
    """Rebuild a generator from its layers' settings and its weights.

    The weights are float32 in every precision, and so are the latents that
    go in and the images that come out: `float16` and `bfloat16` are Keras's
    mixed policies. In float16 the epsilon of the pixel normalization is 1e-4
    at least.

    Args:
        generator: functional `keras.Model` from latents (and one-hot labels)
            whose images leave through an `Identity` layer in float32, as those
            of `progan_tf.networks.Generator` do.
        precision: "float32", "bfloat16" or "float16".

    Returns:
        `keras.Model` with weights of its own; the given one where all of it
        is in float32 and shall be.
    """
    policy = precision if precision == "float32" else f"mixed_{precision}"
    policies = {layer.dtype_policy.name for layer in generator.layers}
    if policies == {policy}:
        return generator

    def rebuilt(layer):
        config = layer.get_config()
        if not isinstance(layer, keras.layers.Identity):
            config["dtype"] = policy
        if precision == "float16" and isinstance(layer, PixelNormalization):
            config["epsilon"] = max(layer.epsilon, _FLOAT16_EPSILON)
        return type(layer).from_config(config)

    clone = keras.models.clone_model(generator, clone_function=rebuilt)
    clone.set_weights(generator.get_weights())
    return clone
