"""Fully connected layer with an equalized learning rate."""

import math

import keras
from keras import ops

from progan_tf.layers.base import (
    SQRT_2,
    EqualizedLayer,
    register,
    whole_number,
)


@register
class EqualizedDense(EqualizedLayer):
    """Fully connected layer with an equalized learning rate.

    As `EqualizedConv2D`: the kernel is drawn from N(0, 1) and multiplied by
    `gain / sqrt(inputs)` when it is used (section 4.1 of the paper).

    With `target_shape` the output is folded into that shape and the bias is
    one number a channel, shared by all positions: the first layer of the
    generator, a 4x4 convolution on a 1x1 input in the paper's table 2.
    pytorch_GAN_zoo has `bias_per_element` there instead.

    Example:

    >>> dense = progan_tf.layers.EqualizedDense(8192, target_shape=(4, 4, 512))
    >>> dense(np.zeros([2, 512], "float32")).shape
    (2, 4, 4, 512)

    Args:
        units: int, the number of outputs.
        gain: positive float, the numerator of the He constant.
        target_shape: `None`, or a tuple of ints whose product is `units`.
        activation: name or callable.
        use_bias: bool. The bias is zero at first.
        kernel_initializer: of the unscaled kernel; N(0, 1) by default.
        bias_initializer: of the bias.
        scale_bias: bool, multiply the bias by the He constant too, as
            pytorch_GAN_zoo does.
        equalized: bool; False draws the kernel from the initializer times
            the He constant and uses it as it is.
        bias_per_element: bool, with `target_shape`: one bias for each number
            of it, not for each channel.

    Input shape: `[batch, inputs]`.

    Output shape: `[batch, units]`, or `[batch, *target_shape]`.

    Raises:
        ValueError: if `target_shape` does not hold `units` numbers.
    """

    _arguments = (*EqualizedLayer._arguments, "units", "target_shape")
    _arguments += ("bias_per_element",)

    def __init__(
        self,
        units,
        gain=SQRT_2,
        target_shape=None,
        activation=None,
        bias_per_element=False,
        **kwargs,
    ):
        super().__init__(gain=gain, activation=activation, **kwargs)
        self.units = whole_number("units", units)
        self.target_shape = None
        if target_shape is not None:
            self.target_shape = tuple(
                whole_number("target_shape", size) for size in target_shape
            )
            if math.prod(self.target_shape) != units:
                raise ValueError(
                    "`target_shape` must hold `units` numbers. Received: "
                    f"units={units}, target_shape={target_shape}"
                )
        self.bias_per_element = bias_per_element
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def build(self, input_shape):
        bias_shape = self.target_shape or (self.units,)
        if not self.bias_per_element:
            bias_shape = bias_shape[-1:]
        self._add_weights((input_shape[-1], self.units), bias_shape)
        self.built = True

    def call(self, inputs):
        x = ops.matmul(inputs, self._effective_kernel())
        if self.target_shape:
            x = ops.reshape(x, (-1, *self.target_shape))
        return self._add_bias_and_activate(x)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *(self.target_shape or (self.units,)))
