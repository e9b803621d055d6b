"""Layers that join one resolution to the next."""

import keras
from keras import ops

from progan_tf.layers.arguments import whole_number

_PACKAGE = "progan_tf"


@keras.saving.register_keras_serializable(_PACKAGE)
class FadeIn(keras.layers.Layer):
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

    def get_config(self):
        # Keras' own default is made from the arguments as they were given,
        # among which a dtype policy cannot be stored.
        return super().get_config()

    def compute_output_shape(self, input_shape):
        return input_shape[1]


@keras.saving.register_keras_serializable(_PACKAGE)
class NearestUpscale(keras.layers.Layer):
    """Repeats each pixel `factor` times along height and width.

    Args:
        factor: int, 1 or more.

    Input shape: `[batch, height, width, channels]`.

    Output shape: `[batch, factor * height, factor * width, channels]`.

    Raises:
        ValueError: if `factor` is no whole number, 1 or more.
    """

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
        batch, height, width, channels = input_shape
        factor = self.factor
        return (
            batch,
            height and height * factor,
            width and width * factor,
            channels,
        )

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
