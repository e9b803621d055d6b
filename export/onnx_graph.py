"""A generator as an ONNX graph, layer by layer.

It is built from the layers and not from TensorFlow's graph: feature maps stay
channels-first throughout, as in ONNX, whereas a converter puts a transpose
before and after every convolution. (Keras itself exports through tf2onnx; its
release 1.17 fails to remove them from this graph, with two tracebacks.)
"""

import keras
import numpy as np
import onnx
from onnx import helper, numpy_helper

from progan_tf import __version__
from progan_tf.errors import UserError
from progan_tf.export.module import IMAGES, LABELS, LATENTS, folded_kernels
from progan_tf.layers import (
    EqualizedConv2D,
    EqualizedDense,
    FadeIn,
    FixedLabel,
    NearestUpscale,
    PixelNormalization,
)
from progan_tf.sampling import as_generator

# From 2022, old enough for the runtimes in use, with the file format version
# of that time; the onnx package would use its newest.
_OPSET, _IR_VERSION = 17, 8
_FLOAT = onnx.TensorProto.FLOAT
_NHWC = [0, 2, 3, 1]  # [NCHW] -> [NHWC]
# [HWIO] -> [OIHW], and for a transposed convolution [HWOI] -> [IOHW].
_KERNEL = [3, 2, 0, 1]


def onnx_model(generator, precision="float32", card=None):
    """The `onnx.ModelProto` of a generator; `card` becomes its description.

    It has the inputs, output and names of a `GeneratorModule`; kernels are
    constants, scaled and folded. The generator is a functional `keras.Model` of
    the layers of `progan_tf.layers`, which compute in `precision`, "float32" or
    "float16". Raises UserError for a layer or an activation that is not
    supported.
    """
    for layer in generator.layers:
        if type(layer) not in {keras.layers.InputLayer, *_LAYERS}:
            raise UserError(
                "the format onnx supports the layers of progan_tf.layers; "
                f"received {layer.name}, a {type(layer).__name__}; choose "
                "another format"
            )
    sizes = as_generator(generator).input_sizes
    sizes = dict(zip((LATENTS, LABELS), sizes, strict=False))
    graph = _Graph(generator, precision, list(sizes))

    def described(name, *shape):
        shape = ["batch", *shape]
        return helper.make_tensor_value_info(name, _FLOAT, shape)

    inputs = [described(name, size) for name, size in sizes.items()]
    images = [described(IMAGES, *generator.output_shape[1:])]
    return helper.make_model(
        helper.make_graph(
            graph.nodes, generator.name, inputs, images, graph.constants
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="progan_tf",
        producer_version=__version__,
        doc_string=card or "",
    )


class _Graph:
    """The nodes and constants of a generator, lists of ONNX's records.

    `precision` is the dtype to compute in, `inputs` the names of the inputs;
    `kernels` is a dict from the `id` of a layer to its folded kernel.
    """

    def __init__(self, generator, precision, inputs):
        self.nodes, self.constants = [], []
        self._precision = np.dtype(precision)
        copy, calls = _calls_of(generator)
        self.kernels = folded_kernels(copy)
        names = {}
        for name, tensor in zip(inputs, copy.inputs, strict=True):
            self._scope = name
            names[id(tensor)] = self._cast(name, self._precision)
        for number, (layer, tensors, output) in enumerate(calls, start=1):
            # A layer may be called many times.
            self._scope = f"{number}_{layer.name}"
            add_layer = _LAYERS[type(layer)]
            names[id(output)] = add_layer(
                self, layer, *(names[id(tensor)] for tensor in tensors)
            )
        self._scope = IMAGES
        self._add_images(names[id(copy.outputs[0])])

    def add(self, operation, inputs, attributes=None):
        """Add a node; returns the name of its output."""
        output = f"{self._scope}/{operation}"
        self.nodes.append(
            helper.make_node(operation, inputs, [output], **attributes or {})
        )
        return output

    def constant(self, name, value, dtype=None):
        """Add a constant, by default in `precision`; returns its name."""
        name = f"{self._scope}/{name}"
        value = np.asarray(value, dtype or self._precision)
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def _cast(self, name, dtype):
        if self._precision == np.float32:
            return name
        to = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.add("Cast", [name], {"to": to})

    def _add_images(self, x):
        """Map [-1, 1] to [0, 1], float32 and channels-last."""
        x = self._cast(x, np.float32)
        half = self.constant("half", 0.5, np.float32)
        limits = [self.constant(str(v), v, np.float32) for v in (0, 1)]
        x = self.add("Add", [self.add("Mul", [x, half]), half])
        x = self.add("Clip", [x, *limits])
        node = helper.make_node("Transpose", [x], [IMAGES], perm=_NHWC)
        self.nodes.append(node)


def _calls_of(generator):
    """A copy of a generator, and its calls: (layer, input tensors, output).

    It is a copy, because layers record their calls.
    """
    calls = []

    # Options are what the layer was called with, and a mask if it takes one.
    def call(layer, *inputs, **options):
        output = layer(*inputs, **options)
        calls.append((layer, keras.tree.flatten(inputs), output))
        return output

    copy = keras.models.clone_model(generator, call_function=call)
    copy.set_weights(generator.get_weights())
    return copy, calls


def _add_dense(graph, layer, x):
    kernel = graph.kernels[id(layer)]
    shape = layer.target_shape or (layer.units,)
    # The kernel's columns are put in the order of a channels-first output.
    order = np.arange(layer.units).reshape(shape)
    order = np.moveaxis(order, -1, 0).ravel()
    inputs = [x, graph.constant("kernel", kernel[:, order])]
    if layer.bias is not None:
        bias = np.broadcast_to(_bias_of(layer), shape).ravel()[order]
        inputs.append(graph.constant("bias", bias))
    y = graph.add("Gemm", inputs)
    if layer.target_shape:
        # 0 stands for the batch.
        target = [0, shape[-1], *shape[:-1]]
        y = graph.add("Reshape", [y, graph.constant("shape", target, "int64")])
    return _add_activation(graph, layer, y)


def _add_convolution(graph, layer, x):
    kernel = graph.kernels[id(layer)]
    inputs = [x, graph.constant("kernel", kernel.transpose(_KERNEL))]
    if layer.bias is not None:
        inputs.append(graph.constant("bias", _bias_of(layer)))
    operation = "ConvTranspose" if layer.resample == "up" else "Conv"
    # Kernels of 4 taps, too, are padded by 1 on either side.
    padding = {"pads": [(kernel.shape[0] - 1) // 2] * 4}
    strides = {"strides": [2, 2] if layer.resample else [1, 1]}
    y = graph.add(operation, inputs, padding | strides)
    return _add_activation(graph, layer, y)


def _bias_of(layer):
    bias = layer.bias.numpy()
    return bias * layer.scale if layer.scale_bias else bias


def _add_activation(graph, layer, x):
    activations = keras.activations
    if layer.activation is activations.linear:
        return x
    if layer.activation is activations.leaky_relu:
        return graph.add("LeakyRelu", [x], {"alpha": 0.2})
    others = {activations.relu: "Relu", activations.tanh: "Tanh"}
    if layer.activation in others:
        return graph.add(others[layer.activation], [x])
    raise UserError(
        "the format onnx supports the activations linear, leaky_relu, relu and "
        f"tanh; received {layer.activation.__name__} in {layer.name}; choose "
        "another format"
    )


def _add_pixel_normalization(graph, layer, x):
    along = {"axes": [1], "keepdims": 1}
    power = graph.add("ReduceMean", [graph.add("Mul", [x, x])], along)
    epsilon = graph.constant("epsilon", layer.epsilon)
    root = graph.add("Sqrt", [graph.add("Add", [power, epsilon])])
    return graph.add("Div", [x, root])


def _add_batch_normalization(graph, layer, x):
    names = "moving_mean", "moving_variance", "gamma", "beta"
    weights = (getattr(layer, name).numpy() for name in names)
    mean, variance, scale, shift = (w.reshape(1, -1, 1, 1) for w in weights)
    scale = scale / np.sqrt(variance + layer.epsilon)
    x = graph.add("Mul", [x, graph.constant("scale", scale)])
    shift = graph.constant("shift", shift - mean * scale)
    return graph.add("Add", [x, shift])


def _add_upscale(graph, layer, x):
    scales = [1, 1, layer.factor, layer.factor]
    scales = graph.constant("scales", scales, "float32")
    nearest = {"mode": "nearest", "nearest_mode": "floor"}
    nearest["coordinate_transformation_mode"] = "asymmetric"
    return graph.add("Resize", [x, "", scales], nearest)


def _add_fade(graph, layer, old, new):
    alpha = graph.constant("alpha", layer.alpha.numpy())
    change = graph.add("Mul", [graph.add("Sub", [new, old]), alpha])
    return graph.add("Add", [old, change])


def _add_concatenation(graph, layer, *inputs):
    # Latents and labels have two axes.
    return graph.add("Concat", list(inputs), {"axis": 1})


def _add_fixed_label(graph, layer, x):
    # A matrix product, because a constant cannot have a variable batch size.
    size = layer.input.shape[-1]
    kernel = np.eye(size, size + layer.num_classes)
    row = np.eye(1, len(kernel[0]), size + layer.label)[0]
    inputs = [graph.constant("kernel", kernel), graph.constant("bias", row)]
    return graph.add("Gemm", [x, *inputs])


_LAYERS = {
    EqualizedConv2D: _add_convolution,
    EqualizedDense: _add_dense,
    FadeIn: _add_fade,
    FixedLabel: _add_fixed_label,
    NearestUpscale: _add_upscale,
    PixelNormalization: _add_pixel_normalization,
    keras.layers.Activation: _add_activation,
    keras.layers.BatchNormalization: _add_batch_normalization,
    keras.layers.Concatenate: _add_concatenation,
    keras.layers.Identity: lambda graph, layer, x: x,
}
