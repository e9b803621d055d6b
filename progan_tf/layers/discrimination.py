"""A layer that tells a discriminator how alike the samples are."""

import keras
from keras import ops

from progan_tf.layers.base import EqualizedLayer, register, whole_number


@register
class MinibatchDiscrimination(EqualizedLayer):
    """Appends how near each sample lies to the others of its minibatch.

    Section 3.2 of Salimans et al. 2016, which the paper compares its minibatch
    standard deviation with. Each kernel maps the features to `dimensions`
    numbers; of a sample it appends the sum of `exp(-distance)` to every other
    sample, where the distance is the sum of absolute differences, plus a bias.
    Distances are taken in float32.

    Args:
        kernels: int, numbers that are appended.
        dimensions: int, numbers that a kernel compares.
        gain: positive float, the numerator of the He constant.
        activation, use_bias, kernel_initializer, bias_initializer,
        scale_bias, equalized: as of `EqualizedDense`; the activation is that
            of the appended numbers.

    Input shape: `[batch, features]`.

    Output shape: `[batch, features + kernels]`.

    Raises:
        ValueError: if `kernels` or `dimensions` is no whole number, 1 or more.
    """

    _arguments = (*EqualizedLayer._arguments, "kernels", "dimensions")

    def __init__(self, kernels, dimensions=5, gain=1.0, **kwargs):
        super().__init__(gain=gain, **kwargs)
        self.kernels = whole_number("kernels", kernels)
        self.dimensions = whole_number("dimensions", dimensions)
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def build(self, input_shape):
        self._add_weights(
            (input_shape[-1], self.kernels * self.dimensions), (self.kernels,)
        )
        self.built = True

    def call(self, inputs):
        x = ops.cast(ops.matmul(inputs, self._effective_kernel()), "float32")
        x = ops.reshape(x, (-1, self.kernels, self.dimensions))  # [NKD]
        distances = ops.sum(ops.abs(x[:, None] - x[None]), axis=-1)  # [NNK]
        # A sample's distance to itself is 0, which counts as 1.
        alike = ops.sum(ops.exp(-distances), axis=1) - 1.0  # [NK]
        alike = self._add_bias_and_activate(ops.cast(alike, inputs.dtype))
        return ops.concatenate([inputs, alike], axis=-1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1] + self.kernels)
