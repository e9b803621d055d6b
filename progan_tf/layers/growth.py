"""Layers that join one resolution to the next."""

import keras
from keras import ops

from progan_tf.layers.base import Layer, register, whole_number


@register
class FadeIn(Layer):
    """Weighted sum of an old and a new path: `(1 - alpha) old + alpha new`.

    Figure 2 of the paper. `alpha` is a scalar weight that is not trained, so
    that it changes without retracing a function. It starts at 1, the new
    block alone; assign to `layer.alpha`.

    Call arguments:
        inputs: `[old, new]`, two tensors of one shape.

    Output shape: that of either input.
    """

    def build(self, input_shape):
        self.alpha = self.add_weight(
            name="alpha",
            shape=(),
            initializer="ones",
            trainable=False,
            autocast=False,
        )
        self.built = True

    def call(self, inputs):
        old, new = inputs
        return old + (new - old) * ops.cast(self.alpha, new.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape[1]


@register
class NearestUpscale(Layer):
    """Repeats each pixel `factor` times along height and width.

    Args:
        factor: int, 1 or more.

    Input shape: `[batch, height, width, channels]`, all but the batch known.

    Output shape: `[batch, factor * height, factor * width, channels]`.

    Raises:
        ValueError: if `factor` is no whole number, 1 or more.
    """

    _arguments = ("factor",)

    def __init__(self, factor=2, **kwargs):
        super().__init__(**kwargs)
        self.factor = whole_number("factor", factor)
        self.input_spec = keras.layers.InputSpec(ndim=4)
        self.built = True

    def call(self, inputs):
        _, height, width, channels = inputs.shape
        x = ops.reshape(inputs, (-1, height, 1, width, 1, channels))
        x = ops.tile(x, (1, 1, self.factor, 1, self.factor, 1))
        return ops.reshape(
            x, (-1, height * self.factor, width * self.factor, channels)
        )

    def compute_output_shape(self, input_shape):
        batch, *sizes, channels = input_shape
        sizes = [size and size * self.factor for size in sizes]
        return (batch, *sizes, channels)
