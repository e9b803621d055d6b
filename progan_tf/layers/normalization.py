"""Layers that look at the statistics of their input."""

import keras
from keras import ops

_PACKAGE = "progan_tf"


@keras.saving.register_keras_serializable(_PACKAGE)
class PixelNormalization(keras.layers.Layer):
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

    def __init__(self, epsilon=1e-8, **kwargs):
        super().__init__(**kwargs)
        if epsilon <= 0:
            raise ValueError(
                f"`epsilon` must be positive. Received: epsilon={epsilon}"
            )
        self.epsilon = epsilon
        self.built = True

    def call(self, inputs):
        power = ops.mean(ops.square(inputs), axis=-1, keepdims=True)
        return inputs * ops.rsqrt(power + self.epsilon)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(_PACKAGE)
class MinibatchStdDev(keras.layers.Layer):
    """Appends the standard deviation over the minibatch as a feature map.

    The standard deviation of every feature over a group of samples, averaged
    over features and positions to one number, which each sample of the group
    gets as a constant last channel (section 3 of the paper). As in the
    official code the groups are strided: with M groups, sample n belongs to
    group n mod M; the variance is the biased one, plus 1e-8, in float32.

    Args:
        group_size: int, samples a group: 4 in the official code's presets for
            many samples, 16 (the whole minibatch) in the paper. Where the
            minibatch is not divisible by it, the largest divisor of the
            minibatch below it is taken.

    Input shape: `[batch, height, width, channels]`.

    Output shape: `[batch, height, width, channels + 1]`.

    Raises:
        ValueError: if `group_size` is smaller than 1.
    """

    def __init__(self, group_size=4, **kwargs):
        super().__init__(**kwargs)
        if group_size < 1:
            raise ValueError(
                "`group_size` must be 1 or more. "
                f"Received: group_size={group_size}"
            )
        self.group_size = group_size
        self.input_spec = keras.layers.InputSpec(ndim=4)
        self.built = True

    def _group_size_for(self, batch):
        """Largest divisor of `batch` up to `group_size`; int or a tensor."""
        if isinstance(batch, int):
            sizes = range(1, min(self.group_size, batch) + 1)
            return max(size for size in sizes if batch % size == 0)
        sizes = ops.arange(1, self.group_size + 1, dtype="int32")
        batch = ops.cast(batch, "int32")
        return ops.max(ops.where(batch % sizes == 0, sizes, 1))

    def call(self, inputs):
        _, height, width, channels = inputs.shape
        batch = ops.shape(inputs)[0]
        group = self._group_size_for(batch)
        x = ops.cast(inputs, "float32")  # [NHWC]
        x = ops.reshape(  # [GMHWC] M groups of G samples, strided by M
            x, (group, -1, height, width, channels)
        )
        x = x - ops.mean(x, axis=0, keepdims=True)
        x = ops.sqrt(ops.mean(ops.square(x), axis=0) + 1e-8)  # [MHWC]
        x = ops.mean(x, axis=(1, 2, 3), keepdims=True)  # [M111]
        x = ops.tile(x, (group, height, width, 1))  # [NHW1]
        x = ops.cast(x, inputs.dtype)
        return ops.concatenate([inputs, x], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + 1)

    def get_config(self):
        return {**super().get_config(), "group_size": self.group_size}
