"""The object that is saved as a generator's TF-Hub module."""

import contextlib

import keras
import numpy as np
import tensorflow as tf

from progan_tf.layers import kernels_computed_once
from progan_tf.sampling import as_generator

LATENTS, LABELS, IMAGES = "latent_vector", "labels", "default"


class GeneratorModule(tf.train.Checkpoint):
    """A generator with the interface of google/progan-128, ready to save.

    Called with latents float32 `[batch, latent_size]`, any batch, it gives
    images float32 `[batch, R, R, channels]` in [0, 1]. A generator with
    classes takes a dict of `latent_vector` and `labels`, float32 one-hot
    `[batch, classes]`.

    By default the weights are constants, scaled and folded once, in the
    generator's compute dtype: a module then needs no variables, and works for
    callers that drop the loaded object and keep one of its functions. With
    `trainable` they are float32 variables, for
    `hub.KerasLayer(path, trainable=True)`.

    Args:
        generator: `keras.Model` from latents (and one-hot labels) to images
            in [-1, 1], whose layers are those of `progan_tf.layers`.
        trainable: bool.
        batch_size: int, a fixed batch size; by default any.
        empty: bool, whether it accepts an empty batch.

    Attributes:
        variables, trainable_variables, regularization_losses: lists, the
            interface of a reusable SavedModel.
    """

    def __init__(self, generator, trainable=False, batch_size=None, empty=True):
        super().__init__()
        self._batch_size = batch_size
        self._generator = as_generator(generator)
        self.variables = [
            tf.Variable(
                weight.numpy(),
                trainable=weight.trainable,
                name=weight.path.replace("/", "_"),
            )
            for weight in (generator.weights if trainable else ())
        ]
        # All except the alpha of a fade.
        self.trainable_variables = [v for v in self.variables if v.trainable]
        self.regularization_losses = []
        weights = _weights_of(generator, self.variables)

        def images(rows):
            inputs = rows if len(rows) > 1 else rows[0]
            with weights():
                outputs = generator(inputs, training=False)
            return tf.clip_by_value((outputs + 1.0) / 2.0, 0.0, 1.0)

        def call(inputs):
            rows = [inputs]
            if isinstance(inputs, dict):
                rows = [inputs[LATENTS], inputs[LABELS]]
            return _unless_empty(images, rows) if empty else images(rows)

        spec = [self._input_spec()]
        self.__call__ = tf.function(call, spec, autograph=False)
        if isinstance(spec[0], dict):
            # A signature takes its inputs by name, but TFSMLayer passes only
            # one positional input. To an attribute of the same name it passes
            # the whole dict.
            self.serving_default = tf.function(
                lambda inputs: {IMAGES: self.__call__(inputs)},
                input_signature=spec,
                autograph=False,
            )

    def _input_spec(self):
        """One `tf.TensorSpec`, or a dict of two if there are classes."""
        specs = {
            name: tf.TensorSpec([self._batch_size, size], name=name)
            for name, size in zip(
                (LATENTS, LABELS), self._generator.input_sizes, strict=False
            )
        }
        return specs if len(specs) > 1 else specs[LATENTS]

    def signature(self):
        """The function of the signatures: named inputs, output `default`."""
        spec = self._input_spec()
        several = isinstance(spec, dict)

        def named(*inputs):
            if several:
                inputs = [dict(zip(spec, inputs, strict=True))]
            return {IMAGES: self.__call__(*inputs)}

        specs = list(spec.values()) if several else [spec]
        return tf.function(named, input_signature=specs, autograph=False)


def _unless_empty(images, rows):
    """The images of rows; an empty batch is padded with a row of zeros.

    For an empty batch, TensorFlow's convolutions of one pixel return the shape
    of their input.
    """
    batch = tf.shape(rows[0])[0]
    missing = 1 - tf.minimum(batch, 1)
    return images([tf.pad(x, [[0, missing], [0, 0]]) for x in rows])[:batch]


def _weights_of(generator, variables):
    """A function to a context manager that substitutes the weights.

    Enter it while a `tf.function` is traced. The new weights are `variables`,
    in the order of `generator.weights`, or constants if there are none.
    """
    if variables:
        return lambda: keras.StatelessScope(
            state_mapping=list(zip(generator.weights, variables, strict=True))
        )
    kernels = folded_kernels(generator)
    folded = [layer for layer in generator.layers if id(layer) in kernels]
    folded = {id(layer.kernel) for layer in folded}
    # Only biases: otherwise the module would store the kernels twice.
    rest = [w for w in generator.weights if id(w) not in folded]
    # Created here and captured by the function: constants inside its graph
    # are copied by every pass over the graph. Measured for 64x64
    # with all feature maps, 116 MB: a loaded module took 440 MB after the
    # first call; with constants inside, 1,670 MB and ten times as long.
    kernels = {key: tf.constant(kernel) for key, kernel in kernels.items()}
    state = [(weight, tf.constant(weight.numpy())) for weight in rest]

    @contextlib.contextmanager
    def constants():
        with kernels_computed_once(dict(kernels)), keras.StatelessScope(state):
            yield

    return constants


def folded_kernels(generator):
    """Every kernel as it is used: scaled, folded and rounded.

    A dict from the `id` of a `keras.Model`'s layer to the kernel, an array of
    the layer's compute dtype.
    """
    face = as_generator(generator)
    inputs = [np.zeros((1, size), "float32") for size in face.input_sizes]
    # On the CPU, because GPUs round the factors of float32 products to
    # TensorFloat-32, and folding is such a product.
    with tf.device("CPU:0"), kernels_computed_once() as kernels:
        face(*inputs)
    return {key: kernel.numpy() for key, kernel in kernels.items()}
