"""What layers share: arguments, and weights that are scaled when used."""

import contextlib
import math
import numbers
import threading

import keras
from keras import ops

SQRT_2 = math.sqrt(2.0)
register = keras.saving.register_keras_serializable("progan_tf")

_scope = threading.local()


@contextlib.contextmanager
def kernels_computed_once(kernels=None):
    """Scale and fold each kernel once, however often its layer is called.

    A discriminator step calls every layer three times with the same weights.
    Inside this scope the first call computes the kernel and the later ones
    take it, so that its gradient is summed before it is unfolded. Leave the
    scope before a weight changes. Scopes belong to one thread: a replica
    never sees the kernels of another one.

    Args:
        kernels: dict of kernels to take instead of computing them, such as an
            earlier scope's; it is added to.

    Yields:
        The dict of the kernels that were used.
    """
    outer = getattr(_scope, "kernels", None)
    _scope.kernels = {} if kernels is None else kernels
    try:
        yield _scope.kernels
    finally:
        _scope.kernels = outer


class Layer(keras.layers.Layer):
    """A Keras layer whose output has its input's shape, unless it says so.

    It is stored as the attributes that `_arguments` names. (Keras would store
    the arguments as they were given, and cannot store a dtype policy.)
    """

    _arguments = ()

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = super().get_config()
        for name in self._arguments:
            config[name] = getattr(self, name)
            if name == "activation":
                config[name] = keras.activations.serialize(config[name])
            elif name.endswith("_initializer"):
                config[name] = keras.initializers.serialize(config[name])
        return config


class EqualizedLayer(Layer):
    """Weights drawn from N(0, 1) and scaled by the He constant when used.

    With `equalized=False` they are drawn in that scale and used as they are,
    as in networks before the paper.

    What `EqualizedConv2D` and `EqualizedDense` share (section 4.1 of the
    paper): `kernel * gain / sqrt(fan_in)`, a bias that is scaled only where
    `scale_bias` asks for it, and the arguments Keras layers have in common.
    """

    _arguments = ("gain", "activation", "use_bias", "kernel_initializer")
    _arguments += ("bias_initializer", "scale_bias", "equalized")

    def __init__(
        self,
        gain=SQRT_2,
        activation=None,
        use_bias=True,
        kernel_initializer=None,
        bias_initializer="zeros",
        scale_bias=False,
        equalized=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.gain = positive_number("gain", gain)
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(
            kernel_initializer or keras.initializers.RandomNormal(0.0, 1.0)
        )
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.scale_bias = scale_bias
        self.equalized = equalized

    def _add_weights(self, kernel_shape, bias_shape):
        self.scale = self.gain / math.sqrt(math.prod(kernel_shape[:-1]))
        initializer = self.kernel_initializer
        if not self.equalized:
            initializer = _scaled(initializer, self.scale)
            self.scale = 1.0
        # Autocast is off because scaling and folding are done in the
        # precision of the variable; only the result is rounded.
        self.kernel = self.add_weight(
            kernel_shape, initializer, name="kernel", autocast=False
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                bias_shape, self.bias_initializer, name="bias"
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
            bias = self.bias * self.scale if self.scale_bias else self.bias
            x = ops.add(x, bias)
        return self.activation(x)


def _scaled(initializer, scale):
    """An initializer of numbers that are `scale` times those of another."""
    return lambda shape, dtype=None: initializer(shape, dtype) * scale


def whole_number(name, value):
    """The value of an argument as an int of 1 or more, else ValueError."""
    if not is_whole(value):
        raise ValueError(
            f"`{name}` must be a whole number, 1 or more. "
            f"Received: {name}={value!r}"
        )
    return int(value)


def positive_number(name, value):
    """The value of an argument as a positive, finite float, or ValueError."""
    good = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not good or not 0 < value < math.inf:
        raise ValueError(
            f"`{name}` must be a positive number. Received: {name}={value!r}"
        )
    return float(value)


def is_whole(value):
    """Whether a value is a whole number, 1 or more."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return whole and value >= 1
