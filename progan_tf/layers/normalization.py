"""Layers that look at the statistics of their input."""

import keras
from keras import ops

from progan_tf.layers.base import (
    Layer,
    positive_number,
    register,
    whole_number,
)


@register
class PixelNormalization(Layer):
    """Scales the feature vector of each pixel to unit root mean square.

    `x / sqrt(mean(x ** 2) + epsilon)` over the channels (section 4.2 of the
    paper). On a latent it puts the vector on the hypersphere.

    Args:
        epsilon: positive float; 1e-8, and 1e-4 for float16, where 1e-8 is 0.

    Input shape: `[batch, ..., channels]`.

    Output shape: that of the input.

    Raises:
        ValueError: if `epsilon` is not positive.
    """

    _arguments = ("epsilon",)

    def __init__(self, epsilon=1e-8, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = positive_number("epsilon", epsilon)
        self.built = True

    def call(self, inputs):
        power = ops.mean(ops.square(inputs), axis=-1, keepdims=True)
        return inputs * ops.rsqrt(power + self.epsilon)


@register
class MinibatchStdDev(Layer):
    """Appends the standard deviation over the minibatch as a feature map.

    The standard deviation of every feature over a group of samples, averaged
    over features and positions to one number, which each sample of the group
    gets as a constant last channel (section 3 of the paper). The variance,
    plus 1e-8, is taken in float32.

    Args:
        group_size: int, the most samples in a group: 4 in the official code;
            16, its largest minibatch, stands for the paper's whole one.
        strided: bool. True is the official code's: with M groups, sample n
            belongs to group n mod M, and where the minibatch is not divisible
            by `group_size` the largest divisor below it is taken. False is
            pytorch_GAN_zoo's: groups are of neighbours, and a minibatch that
            is not divisible is one group.
        unbiased: bool. False divides by the samples of a group, as the
            official code does. True divides by one less, and one sample alone
            has no deviation, as in pytorch_GAN_zoo.

    Input shape: `[batch, height, width, channels]`, all but the batch known.

    Output shape: `[batch, height, width, channels + 1]`.

    Raises:
        ValueError: if `group_size` is no whole number, 1 or more.
    """

    _arguments = ("group_size", "strided", "unbiased")

    def __init__(self, group_size=4, strided=True, unbiased=False, **kwargs):
        super().__init__(**kwargs)
        self.group_size = whole_number("group_size", group_size)
        self.strided = strided
        self.unbiased = unbiased
        self.input_spec = keras.layers.InputSpec(ndim=4)
        self.built = True

    def _group_size_for(self, batch):
        """Samples a group for a minibatch of `batch`; int or a tensor."""
        if isinstance(batch, int):
            sizes = range(1, min(self.group_size, batch) + 1)
            fitting = max(size for size in sizes if batch % size == 0)
            if not self.strided and fitting < self.group_size:
                return batch
            return fitting
        sizes = ops.arange(1, self.group_size + 1, dtype="int32")
        batch = ops.cast(batch, "int32")
        fitting = ops.max(ops.where(batch % sizes == 0, sizes, 1))
        if self.strided:
            return fitting
        return ops.where(fitting < self.group_size, batch, fitting)

    def call(self, inputs):
        _, height, width, channels = inputs.shape
        group = self._group_size_for(ops.shape(inputs)[0])
        # [GMHWC] M groups of G samples, strided by M, or [MGHWC], neighbours
        members, groups = (0, (group, -1)) if self.strided else (1, (-1, group))
        x = ops.cast(inputs, "float32")  # [NHWC]
        x = ops.reshape(x, (*groups, height, width, channels))
        x = x - ops.mean(x, axis=members, keepdims=True)
        x = self._mean(ops.square(x), members, group)
        x = ops.sqrt(x + 1e-8)  # [MHWC]
        x = ops.mean(x, axis=(1, 2, 3), keepdims=True)  # [M111]
        if self.unbiased:
            x = ops.where(group > 1, x, 0.0)
        if self.strided:
            x = ops.tile(x, (group, height, width, 1))  # [NHW1]
        else:
            x = ops.tile(x, (1, group, height, width))  # [MGHW]
            x = ops.reshape(x, (-1, height, width, 1))  # [NHW1]
        return ops.concatenate([inputs, ops.cast(x, inputs.dtype)], axis=-1)

    def _mean(self, squares, members, group):
        """The variance from squared differences, [MHWC]."""
        if not self.unbiased:
            return ops.mean(squares, axis=members)
        others = ops.maximum(ops.cast(group, "float32") - 1.0, 1.0)
        return ops.sum(squares, axis=members) / others

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + 1)


@register
class SampleNormalization(Layer):
    """Layer normalization of whole samples with one gain.

    Each sample is brought to mean 0 and variance 1 over all its positions and
    features, multiplied by one learned number, and a learned bias is added to
    each feature: what the paper's table 1 has in place of the discriminator's
    batch normalization (rows a to c). Computed in float32.

    Args:
        epsilon: positive float, added to the variance.
        activation: name or callable, after the bias.

    Input shape: `[batch, ..., features]`.

    Output shape: that of the input.

    Raises:
        ValueError: if `epsilon` is not positive.
    """

    _arguments = ("epsilon", "activation")

    def __init__(self, epsilon=1e-4, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = positive_number("epsilon", epsilon)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        self.gain = self.add_weight((), "ones", name="gain", autocast=False)
        self.bias = self.add_weight(
            input_shape[-1:], "zeros", name="bias", autocast=False
        )
        self.built = True

    def call(self, inputs):
        axes = tuple(range(1, len(inputs.shape)))
        x = ops.cast(inputs, "float32")
        x = x - ops.mean(x, axis=axes, keepdims=True)
        power = ops.mean(ops.square(x), axis=axes, keepdims=True)
        x = x * ops.rsqrt(power + self.epsilon) * self.gain + self.bias
        return self.activation(ops.cast(x, inputs.dtype))
