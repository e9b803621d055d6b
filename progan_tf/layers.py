"""The custom layers of Progressive GAN, written in `keras.ops` alone.

Nothing here knows TensorFlow, so a generator saved as `generator.keras` gives
the same images under `KERAS_BACKEND=torch` or `jax`; importing this module is
what registers the layers for `keras.models.load_model`.

All pictures and feature maps are channels-last. "The paper" is Karras, Aila,
Laine and Lehtinen, "Progressive Growing of GANs for Improved Quality,
Stability, and Variation", ICLR 2018.
"""

import contextlib
import math
import threading

import keras
import numpy as np
from keras import ops

_PACKAGE = "progan_tf"
_SQRT_2 = math.sqrt(2.0)
_scope = threading.local()


@contextlib.contextmanager
def kernels_computed_once():
    """Scale and fold each kernel once, however often its layer is called.

    A discriminator step calls every layer three times with the same weights.
    Inside this scope the first call computes the kernel and the later ones
    take it, so that its gradient is summed before it is unfolded. Leave the
    scope before a weight changes. Scopes belong to one thread: a replica
    never sees the kernels of another one.
    """
    outer = getattr(_scope, "kernels", None)
    _scope.kernels = {}
    try:
        yield
    finally:
        _scope.kernels = outer


class _EqualizedLayer(keras.layers.Layer):
    """Weights drawn from N(0, 1) and scaled by the He constant when used.

    What `EqualizedConv2D` and `EqualizedDense` share (section 4.1 of the
    paper): `kernel * gain / sqrt(fan_in)`, a bias that is not scaled, and the
    arguments Keras layers have in common.
    """

    def __init__(
        self,
        gain=_SQRT_2,
        activation=None,
        use_bias=True,
        kernel_initializer=None,
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if gain <= 0:
            raise ValueError(
                f"`gain` must be a positive number. Received: gain={gain}"
            )
        self.gain = float(gain)
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(
            kernel_initializer or keras.initializers.RandomNormal(0.0, 1.0)
        )
        self.bias_initializer = keras.initializers.get(bias_initializer)

    def _add_weights(self, kernel_shape, bias_shape):
        self.scale = self.gain / math.sqrt(math.prod(kernel_shape[:-1]))
        # Autocast is off because scaling and folding are done in the
        # precision of the variable; only the result is rounded.
        self.kernel = self.add_weight(
            name="kernel",
            shape=kernel_shape,
            initializer=self.kernel_initializer,
            autocast=False,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=bias_shape, initializer=self.bias_initializer
            )

    def _compute_kernel(self):
        return self.kernel * self.scale

    def _effective_kernel(self):
        """The kernel as it is multiplied with, in the compute dtype."""
        kernels = getattr(_scope, "kernels", None)
        if kernels is not None and id(self) in kernels:
            return kernels[id(self)]
        kernel = ops.cast(self._compute_kernel(), self.compute_dtype)
        if kernels is not None:
            kernels[id(self)] = kernel
        return kernel

    def _add_bias_and_activate(self, x):
        if self.bias is not None:
            x = ops.add(x, self.bias)
        return x if self.activation is None else self.activation(x)

    def get_config(self):
        return {
            **super().get_config(),
            "gain": self.gain,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
            "bias_initializer": keras.initializers.serialize(
                self.bias_initializer
            ),
        }


@keras.saving.register_keras_serializable(_PACKAGE)
class EqualizedConv2D(_EqualizedLayer):
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
        kernel_size: odd int, height and width of the kernel; 3 where
            `resample` is set.
        gain: positive float, the numerator of the He constant. sqrt(2) suits
            a leaky ReLU, 1 a linear layer.
        resample: `None`, `"up"` or `"down"`.
        activation: name or callable; `"leaky_relu"` has the paper's slope 0.2.
        use_bias: bool. The bias is zero at first and is not scaled.
        kernel_initializer: of the unscaled kernel; N(0, 1) by default.
        bias_initializer: of the bias.

    Input shape: `[batch, height, width, channels]`, even height and width
        for `"down"`.

    Output shape: `[batch, height', width', filters]`, where height' is
        height, twice or half of it.

    Raises:
        ValueError: for an even kernel, an unknown `resample`, or a resampling
            kernel other than 3x3.
    """

    def __init__(
        self,
        filters,
        kernel_size,
        gain=_SQRT_2,
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
        if kernel_size % 2 != 1 or (resample and kernel_size != 3):
            raise ValueError(
                "`kernel_size` must be odd, and 3 with `resample`. Received: "
                f"kernel_size={kernel_size}, resample={resample!r}"
            )
        self.filters = filters
        self.kernel_size = kernel_size
        self.resample = resample
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        size = self.kernel_size
        self._add_weights(
            (size, size, input_shape[-1], self.filters), (self.filters,)
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
        folded = ops.reshape(
            ops.matmul(ops.cast(fold, flat.dtype), flat),
            (4, 4, channels, self.filters),
        )
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

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "resample": self.resample,
        }


_CHANNELS_LAST = {"data_format": "channels_last"}


def _folding_matrix(resample):
    """The [16, 9] matrix that sums a 3x3 kernel to the 4x4 one.

    Along one axis the 4 taps are sums of neighbouring ones, (a, a+b, b+c, c).
    Upscaling uses the kernel of the transposed convolution, which is
    mirrored; downscaling takes the mean of two rows and two columns.
    """
    axis = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]], "float32")
    axis = axis[:, ::-1] if resample == "up" else axis * 0.5
    return np.kron(axis, axis)


@keras.saving.register_keras_serializable(_PACKAGE)
class EqualizedDense(_EqualizedLayer):
    """Fully connected layer with an equalized learning rate.

    As `EqualizedConv2D`: the kernel is drawn from N(0, 1) and multiplied by
    `gain / sqrt(inputs)` when it is used (section 4.1 of the paper).

    With `target_shape` the output is folded into that shape and the bias is
    one number a channel, shared by all positions: the first layer of the
    generator, a 4x4 convolution on a 1x1 input in the paper's table 2.

    Example:

    >>> dense = progan_tf.layers.EqualizedDense(8192, target_shape=(4, 4, 512))
    >>> dense(np.zeros([2, 512], "float32")).shape
    (2, 4, 4, 512)

    Args:
        units: int, the number of outputs.
        gain: positive float, the numerator of the He constant.
        target_shape: `None`, or a tuple of ints whose product is `units`.
        activation: name or callable.
        use_bias: bool. The bias is zero at first and is not scaled.
        kernel_initializer: of the unscaled kernel; N(0, 1) by default.
        bias_initializer: of the bias.

    Input shape: `[batch, inputs]`.

    Output shape: `[batch, units]`, or `[batch, *target_shape]`.

    Raises:
        ValueError: if `target_shape` does not hold `units` numbers.
    """

    def __init__(
        self,
        units,
        gain=_SQRT_2,
        target_shape=None,
        activation=None,
        **kwargs,
    ):
        super().__init__(gain=gain, activation=activation, **kwargs)
        if target_shape is not None and math.prod(target_shape) != units:
            raise ValueError(
                "`target_shape` must hold `units` numbers. Received: "
                f"units={units}, target_shape={target_shape}"
            )
        self.units = units
        self.target_shape = target_shape and tuple(target_shape)
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def build(self, input_shape):
        bias_size = self.target_shape[-1] if self.target_shape else self.units
        self._add_weights((input_shape[-1], self.units), (bias_size,))
        self.built = True

    def call(self, inputs):
        x = ops.matmul(inputs, self._effective_kernel())
        if self.target_shape:
            x = ops.reshape(x, (-1, *self.target_shape))
        return self._add_bias_and_activate(x)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *(self.target_shape or (self.units,)))

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "target_shape": self.target_shape,
        }


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
        ValueError: if `factor` is smaller than 1.
    """

    def __init__(self, factor=2, **kwargs):
        super().__init__(**kwargs)
        if factor < 1:
            raise ValueError(
                f"`factor` must be 1 or more. Received: factor={factor}"
            )
        self.factor = factor
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
