"""Convolution with an equalized learning rate."""

import keras
import numpy as np
from keras import ops

from progan_tf.layers.base import (
    SQRT_2,
    EqualizedLayer,
    is_whole,
    register,
    whole_number,
)

_CHANNELS_LAST = {"data_format": "channels_last"}


@register
class EqualizedConv2D(EqualizedLayer):
    """Convolution with an equalized learning rate, and fused resampling.

    The stored kernel is drawn from N(0, 1) and multiplied by
    `gain / sqrt(fan_in)` whenever it is used (section 4.1 of the paper), so
    that Adam's steps are equally large for every weight.

    `resample="up"` is a nearest-neighbour upscale followed by the
    convolution, `"down"` the convolution followed by a 2x2 box filter. Both
    are computed as one 4x4 convolution of stride 2 with 16 taps for 36, as
    `fused_scale` does in the official code. The activation comes after the
    resampling: for `"down"` that is another function than activating first
    and pooling after. The stored kernel is always the plain 3x3 one.

    Example:

    >>> conv = progan_tf.layers.EqualizedConv2D(
    ...     64, 3, resample="up", activation="leaky_relu"
    ... )
    >>> conv(np.zeros([1, 16, 16, 128], "float32")).shape
    (1, 32, 32, 64)

    Args:
        filters: int, the number of feature maps of the output.
        kernel_size: odd int, height and width of the kernel, or a tuple of
            both; 3 where `resample` is set.
        gain: positive float, the numerator of the He constant. sqrt(2) suits
            a leaky ReLU, 1 a linear layer.
        resample: `None`, `"up"` or `"down"`.
        activation: name or callable; `"leaky_relu"` has the paper's slope 0.2.
        use_bias: bool. The bias is zero at first.
        kernel_initializer: of the unscaled kernel; N(0, 1) by default.
        bias_initializer: of the bias.
        scale_bias: bool, multiply the bias by the He constant too, as
            pytorch_GAN_zoo does.
        equalized: bool; False draws the kernel from the initializer times
            the He constant and uses it as it is.

    Input shape: `[batch, height, width, channels]`, even height and width
        for `"down"`.

    Output shape: `[batch, height', width', filters]`, where height' is
        height, twice or half of it.

    Raises:
        ValueError: for an even kernel, an unknown `resample`, or a resampling
            kernel other than 3x3.
    """

    _arguments = (*EqualizedLayer._arguments, "filters", "kernel_size")
    _arguments += ("resample",)

    def __init__(
        self,
        filters,
        kernel_size,
        gain=SQRT_2,
        resample=None,
        activation=None,
        **kwargs,
    ):
        super().__init__(gain=gain, activation=activation, **kwargs)
        if resample not in (None, "up", "down"):
            raise ValueError(
                "`resample` must be None, 'up' or 'down'. "
                f"Received: resample={resample!r}"
            )
        self.filters = whole_number("filters", filters)
        self.kernel_size = _kernel_shape(kernel_size, resample)
        self.resample = resample
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        self._add_weights(
            (*self.kernel_size, input_shape[-1], self.filters), (self.filters,)
        )
        self.built = True

    def _compute_kernel(self):
        if self.resample is None:
            return self.kernel * self.scale
        # The 3x3 taps are summed to 4x4 by one product with a constant
        # [16, 9] matrix: a sum of shifted slices would cost a
        # StridedSliceGrad for every shift in the backward pass.
        fold = ops.convert_to_tensor(
            _folding_matrix(self.resample) * self.scale, dtype="float32"
        )
        channels = self.kernel.shape[2]
        flat = ops.reshape(self.kernel, (9, channels * self.filters))
        folded = ops.matmul(ops.cast(fold, flat.dtype), flat)
        folded = ops.reshape(folded, (4, 4, channels, self.filters))
        if self.resample == "up":  # [HWIO] -> [HWOI], for a transposed one
            folded = ops.transpose(folded, (0, 1, 3, 2))
        return folded

    def call(self, inputs):
        kernel = self._effective_kernel()
        if self.resample == "up":
            x = ops.conv_transpose(
                inputs, kernel, strides=2, padding="same", **_CHANNELS_LAST
            )
        else:
            strides = 2 if self.resample == "down" else 1
            x = ops.conv(
                inputs, kernel, strides, padding="same", **_CHANNELS_LAST
            )
        return self._add_bias_and_activate(x)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape

        def resampled(size):
            if size is None or self.resample is None:
                return size
            return size * 2 if self.resample == "up" else size // 2

        return (batch, resampled(height), resampled(width), self.filters)


def _kernel_shape(value, resample):
    """Height and width of a kernel, odd, and 3 where something is resampled."""
    sizes = value if isinstance(value, (tuple, list)) else (value, value)
    good = len(sizes) == 2 and all(is_whole(s) and s % 2 == 1 for s in sizes)
    if not good or (resample and tuple(sizes) != (3, 3)):
        raise ValueError(
            "`kernel_size` must be an odd number or two, and 3 with "
            f"`resample`. Received: kernel_size={value!r}, "
            f"resample={resample!r}"
        )
    return tuple(map(int, sizes))


def _folding_matrix(resample):
    """The [16, 9] matrix that sums a 3x3 kernel to the 4x4 one.

    Along one axis the 4 taps are sums of neighbouring ones, (a, a+b, b+c, c).
    Upscaling uses the kernel of the transposed convolution, which is
    mirrored; downscaling takes the mean of two rows and two columns.
    """
    axis = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]], "float32")
    axis = axis[:, ::-1] if resample == "up" else axis * 0.5
    return np.kron(axis, axis)
