"""A generator as a file for LiteRT.js, with the images of every resolution.

Its one signature takes `latent_vector` (and `labels`), a batch of one, and
gives `level_0`, `level_1` and so on, from the smallest up: float32
`[1, height, width, channels]`, approximately in [-1, 1], not clipped. LiteRT
supports all operations on GPUs, too.
"""

import keras
import tensorflow as tf
from keras import ops

from progan_tf.export.litert_file import converted
from progan_tf.export.module import LABELS, LATENTS, folded_kernels
from progan_tf.layers import (
    EqualizedConv2D,
    NearestUpscale,
    kernels_computed_once,
)

# The rows (or columns) of the 4x4 kernel of a transposed convolution that
# contribute to an even and to an odd output pixel; and the four output pixels
# of an input pixel.
_TAPS = (3, 1), (2, 0)
_PHASES = (0, 0), (0, 1), (1, 0), (1, 1)


def level_names(count):
    """The outputs' names, a list of `count` str."""
    return [f"level_{number}" for number in range(count)]


def network_of_levels(levels, name, precision="float32"):
    """Convert a Keras model to a LiteRT file.

    Args:
        levels: `keras.Model` from latents (and one-hot labels) to a list of
            images: see `levels_of`.
        name: str, of the generator in messages.
        precision: "float32" or "float16", in which weights are stored; a CPU
            computes in float32 in either case.

    Returns:
        bytes.

    Raises:
        UserError: if it has an operation that LiteRT does not support.
    """
    model = _for_browsers(levels)
    kernels = folded_kernels(model)
    constants = {key: tf.constant(value) for key, value in kernels.items()}

    def images(*inputs):
        inputs = list(inputs) if len(inputs) > 1 else inputs[0]
        with kernels_computed_once(dict(constants)):
            return tf.nest.flatten(model(inputs, training=False))

    module = tf.Module()
    module.weights = [weight.value for weight in model.weights]
    sizes = [tensor.shape[-1] for tensor in model.inputs]
    return _of_function(images, sizes, module, precision, name)


def network_of_module(generator, precision="float32"):
    """Convert a generator whose layers are not accessible, as a module's.

    Args:
        generator: `AnyGenerator`.
        precision: as of `network_of_levels`.

    Returns:
        bytes.

    Raises:
        UserError: as `network_of_levels` does.
    """

    def images(*inputs):
        return [generator(*inputs)]

    sizes, name = generator.input_sizes, generator.name
    return _of_function(images, sizes, tf.Module(), precision, name)


def _of_function(images, sizes, module, precision, name):
    """Convert a function from inputs of these sizes to a list of images."""

    def named(*inputs):
        outputs = images(*inputs)
        return dict(zip(level_names(len(outputs)), outputs, strict=True))

    specs = [
        tf.TensorSpec([1, size], name=name)
        for size, name in zip(sizes, (LATENTS, LABELS), strict=False)
    ]
    function = tf.function(named, input_signature=specs, autograph=False)
    return converted(function, module, precision, name)


class _FourTaps(EqualizedConv2D):
    """Upscaling and a 3x3 convolution, as four 2x2 convolutions.

    Each output pixel depends on 2x2 of the 16 taps of the transposed
    convolution. One convolution at the lower resolution computes all four
    output pixels of an input pixel, which are then interleaved. Measured in a
    browser, a picture takes two thirds of the time of 3x3 convolutions of the
    upscaled feature maps, which in LiteRT are faster than transposed
    convolutions.
    """

    def _compute_kernel(self):
        folded = super()._compute_kernel()  # [4 4 O I]
        phases = [
            ops.take(ops.take(folded, _TAPS[a], 0), _TAPS[b], 1)
            for a, b in _PHASES
        ]  # Four of [2 2 O I].
        return ops.transpose(ops.concatenate(phases, 2), (0, 1, 3, 2))

    def call(self, inputs):
        _, height, width, _ = inputs.shape
        x = ops.pad(inputs, [(0, 0), (1, 1), (1, 1), (0, 0)])
        x = ops.conv(
            x,
            self._effective_kernel(),
            padding="valid",
            data_format="channels_last",
        )  # [1 H+1 W+1 4*O]
        if self.bias is not None:
            bias = self.bias * self.scale if self.scale_bias else self.bias
            x = x + ops.tile(bias, len(_PHASES))
        phases = ops.split(self.activation(x), len(_PHASES), axis=-1)
        phases = [
            phase[:, a : a + height, b : b + width]
            for phase, (a, b) in zip(phases, _PHASES, strict=True)
        ]
        return tf.nn.depth_to_space(ops.concatenate(phases, -1), 2)


class _Nearest(NearestUpscale):
    """The same with an operation that is supported on GPUs."""

    def call(self, inputs):
        _, height, width, _ = inputs.shape
        size = height * self.factor, width * self.factor
        return tf.image.resize(inputs, size, method="nearest")


def _for_browsers(model):
    """An equivalent model of layers that are fast in LiteRT."""

    def rebuilt(layer):
        kind = type(layer)
        if kind is EqualizedConv2D and layer.resample == "up":
            kind = _FourTaps
        elif kind is NearestUpscale:
            kind = _Nearest
        return kind.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=rebuilt)
    copy.set_weights(model.get_weights())
    return copy
