"""Scaling weights when they are used: the equalized learning rate."""

import contextlib
import math
import threading

import keras
from keras import ops

from progan_tf.layers.arguments import positive_number

SQRT_2 = math.sqrt(2.0)

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


class EqualizedLayer(keras.layers.Layer):
    """Weights drawn from N(0, 1) and scaled by the He constant when used.

    With `equalized=False` they are drawn in that scale and used as they are,
    as in networks before the paper.

    What `EqualizedConv2D` and `EqualizedDense` share (section 4.1 of the
    paper): `kernel * gain / sqrt(fan_in)`, a bias that is scaled only where
    `scale_bias` asks for it, and the arguments Keras layers have in common.
    """

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
            name="kernel",
            shape=kernel_shape,
            initializer=initializer,
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
            bias = self.bias * self.scale if self.scale_bias else self.bias
            x = ops.add(x, bias)
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
            "scale_bias": self.scale_bias,
            "equalized": self.equalized,
        }


def _scaled(initializer, scale):
    """An initializer of numbers that are `scale` times those of another."""
    return lambda shape, dtype=None: initializer(shape, dtype) * scale
