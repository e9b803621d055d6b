"""A family of models that share weights: what G and D have in common.

Families and blocks are `tf.Module`s: `tf.train.Checkpoint` silently drops
layers that a Keras layer or model keeps in a dict, and keeps those of a
`tf.Module`.
"""

import functools
import math

import keras
import tensorflow as tf

from progan_tf.architecture import DISCRIMINATION_DIMENSIONS, Architecture
from progan_tf.errors import UserError
from progan_tf.layers import (
    EqualizedConv2D,
    EqualizedDense,
    FadeIn,
    MinibatchDiscrimination,
)


class LayerMaker:
    """Makes the layers of a family, each with its variables.

    Layers are built from shapes and not by calling them, so that nothing
    remembers a model that is not there.

    Args:
        architecture: `Architecture`.
        leaky_relu: callable that computes it; by default Keras' own.
        dtype: Keras dtype policy; float32 by default.
        seed: int or None; each kernel gets the next one.
        shared: list of layers; a new layer takes the variables of the one of
            its name, and makes none.
    """

    def __init__(self, architecture, leaky_relu, dtype, seed, shared=()):
        self.architecture = architecture
        self.leaky_relu = leaky_relu or "leaky_relu"
        self.policy = keras.dtype_policies.get(dtype or "float32")
        self._seed = seed
        self._shared = {layer.name: layer for layer in shared}

    def sharing(self, layers):
        """A maker of layers that take the variables of the given ones."""
        return LayerMaker(
            self.architecture, self.leaky_relu, self.policy, None, layers
        )

    def conv(self, name, input_shape, filters, size=3, **options):
        """An `EqualizedConv2D` for input `[height, width, channels]`."""
        return self._built(
            EqualizedConv2D, name, input_shape, filters, size, **options
        )

    def dense(self, name, inputs, units, **options):
        """An `EqualizedDense` for that many inputs."""
        return self._built(EqualizedDense, name, (inputs,), units, **options)

    def norm(self, layer, input_shape):
        """A given layer, for input of a shape."""
        return self._with_variables(layer, (None, *input_shape))

    def discrimination(self, name, inputs, kernels):
        """A `MinibatchDiscrimination` for that many inputs."""
        return self._built(
            MinibatchDiscrimination,
            name,
            (inputs,),
            kernels,
            DISCRIMINATION_DIMENSIONS,
        )

    def fade(self, name, shape, dtype=None):
        """A `FadeIn` for two inputs of a shape."""
        layer = FadeIn(name=name, dtype=dtype or self.policy)
        return self._with_variables(layer, [(None, *shape)] * 2)

    def _built(self, kind, name, input_shape, *arguments, **options):
        options.setdefault("dtype", self.policy)
        layer = kind(
            *arguments,
            name=name,
            kernel_initializer=keras.initializers.RandomNormal(
                0.0, 1.0, seed=self._seed
            ),
            scale_bias=self.architecture.details.scale_bias,
            equalized=self.architecture.equalized,
            **options,
        )
        if self._seed is not None:
            self._seed += 1
        return self._with_variables(layer, (None, *input_shape))

    def _with_variables(self, layer, shape):
        if not self._shared:
            layer.build(shape)
            return layer
        weights = {w.name: w for w in self._shared[layer.name].weights}
        layer.add_weight = lambda *args, name, **options: weights[name]
        layer.build(shape)
        del layer.add_weight
        return layer


class Block(tf.Module):
    """The layers of one level as named attributes, and how they are wired.

    Attributes hold layers that have variables; those of names are part of the
    keys of checkpoints. The others are made where they are called.

    Args:
        make: `LayerMaker`.
        resolution: int, one of the architecture's.
    """

    def __init__(self, make, resolution):
        super().__init__(name=f"block_{resolution}")
        architecture = make.architecture
        self._make = make
        self.resolution = resolution
        self.size = architecture.size(resolution)
        self.maps = architecture.feature_maps(resolution)
        self.below = None  # The resolution of the level below.
        if level := architecture.level(resolution):
            self.below = architecture.resolutions[level - 1]

    @property
    def layers(self):
        """The Keras layers, in the order in which they were declared."""
        attributes = vars(self).values()
        return [v for v in attributes if isinstance(v, keras.layers.Layer)]

    def sharing(self):
        """A block of new layers with the variables of this one's."""
        return type(self)(self._make.sharing(self.layers), self.resolution)

    def _named(self, name):
        return f"{name}_{self.resolution}"


class Family(tf.Module):
    """What both families share: blocks, models, variables and alphas.

    Each model has layers of its own, whose variables are the family's. So a
    model can be saved, cloned and taken apart like any other of Keras, however
    many the family has made.

    A subclass has `_block`, the class of its blocks, and defines
    `_model(resolution, fade)`.

    Attributes:
        architecture: `Architecture`.
        blocks: dict from "4x4", "8x8", ... to the `Block` of a resolution.
    """

    def __init__(self, architecture, leaky_relu, dtype, seed, name):
        super().__init__(name=name)
        if keras.backend.backend() != "tensorflow":
            raise UserError(
                "the networks are made on TensorFlow, and Keras runs on "
                f"{keras.backend.backend()}: set KERAS_BACKEND=tensorflow "
                "before Keras is imported"
            )
        self.architecture = architecture
        make = LayerMaker(architecture, leaky_relu, dtype, seed)
        self._policy = make.policy
        self.blocks = {
            f"{r}x{r}": self._block(make, r) for r in self.resolutions
        }
        # A plain function cache, because a dict would be tracked and would
        # put every model into the checkpoint under a second name.
        self._cached_model = functools.lru_cache(maxsize=None)(self._model)

    @classmethod
    def of(cls, architecture: Architecture, **options):
        """The family of an architecture.

        Args:
            architecture: `Architecture`.
            **options: leaky_relu, dtype, seed and name.
        """
        return cls(**architecture.arguments, **options)

    @property
    def resolution(self):
        """int, the highest one."""
        return self.architecture.resolution

    @property
    def resolutions(self):
        """Tuple of ints, from the lowest up."""
        return self.architecture.resolutions

    def at(self, resolution, fade=True):
        """The model of one resolution; all models share their weights.

        Args:
            resolution: int, one of `resolutions`.
            fade: bool; False leaves out the old path, so that the model is
                that of alpha 1, whatever alpha is.

        Returns:
            `keras.Model`, the same one for the same arguments.

        Raises:
            UserError: for another resolution.
        """
        self.architecture.level(resolution)
        return self._cached_model(resolution, fade)

    def block(self, resolution):
        """The `Block` of one resolution."""
        return self.blocks[f"{resolution}x{resolution}"]

    def _shared_blocks(self, resolution):
        """Blocks for a new model, from the lowest up to a resolution."""
        blocks = [self.block(r) for r in self.resolutions if r <= resolution]
        return [block.sharing() for block in blocks]

    def set_alpha(self, resolution, alpha):
        """Set how far a resolution is faded in.

        Args:
            resolution: int, one of `resolutions` above the lowest.
            alpha: float in [0, 1]; 1 is the new block alone, 0 the lower
                resolution's output upscaled.

        Raises:
            ValueError: for a resolution that has no fade.
        """
        if not self.architecture.level(resolution):
            raise ValueError(
                f"{resolution}x{resolution} is the first resolution and never "
                "fades"
            )
        self.block(resolution).fade.alpha.assign(alpha)

    @property
    def weights(self):
        """All Keras variables, by resolution from the lowest up."""
        layers = [layer for b in self.blocks.values() for layer in b.layers]
        return [weight for layer in layers for weight in layer.weights]

    @property
    def trainable_weights(self):
        """The Keras variables that are trained, in the order of `weights`."""
        return self.trainable_up_to(self.resolution)

    def trainable_up_to(self, resolution):
        """Those of the trained Keras variables up to a resolution, a list."""
        blocks = [self.block(r) for r in self.resolutions if r <= resolution]
        layers = [layer for block in blocks for layer in block.layers]
        return [w for layer in layers for w in layer.trainable_weights]

    def statistics_up_to(self, resolution):
        """The Keras variables of batch normalization that are not trained.

        Its running means and variances, of the blocks up to a resolution.
        """
        blocks = [self.block(r) for r in self.resolutions if r <= resolution]
        layers = [layer for block in blocks for layer in block.layers]
        return [
            weight
            for layer in layers
            if isinstance(layer, keras.layers.BatchNormalization)
            for weight in layer.non_trainable_weights
        ]

    @property
    def variables(self):
        """The `tf.Variable`s behind `weights`."""
        return tuple(weight.value for weight in self.weights)

    @property
    def trainable_variables(self):
        """The `tf.Variable`s behind `trainable_weights`."""
        return tuple(weight.value for weight in self.trainable_weights)

    def count_params(self):
        """How many trained numbers the family has at its full resolution."""
        return sum(math.prod(w.shape) for w in self.trainable_weights)
