"""A family of models that share weights: what G and D have in common.

Families and blocks are `tf.Module`s: `tf.train.Checkpoint` silently drops
layers that a Keras layer or model keeps in a dict, and keeps those of a
`tf.Module`.
"""

import copy
import functools
import itertools
import math

import keras
import tensorflow as tf

from progan_tf.architecture import FLOAT16_EPSILON, Architecture
from progan_tf.errors import UserError
from progan_tf.layers import EqualizedLayer, FadeIn


class LayerMaker:
    """Makes the layers of a block, named after its resolution.

    Layers with variables are built from shapes and not by calling them, so
    that they are in no Keras graph. The kernels have the seeds `seed`,
    `seed + 1` and so on; with None they are drawn without one.
    """

    def __init__(self, architecture, leaky_relu, policy, seed):
        self.architecture = architecture
        self.leaky_relu = leaky_relu or "leaky_relu"
        self.policy = policy
        self.resolution = self._shared = None
        unseeded = itertools.repeat(None)
        self._seeds = unseeded if seed is None else itertools.count(seed)

    def at(self, resolution):
        """The maker for the block of a resolution."""
        other = copy.copy(self)
        other.resolution = resolution
        return other

    def sharing(self, layers):
        """A maker whose layers share the variables of layers of their names."""
        other = copy.copy(self)
        other._seeds = itertools.repeat(None)
        other._shared = {layer.name: layer for layer in layers}
        return other

    def plain(self, kind, name, *arguments, dtype=None, **options):
        """A layer of the class `kind`, which is not built."""
        name, dtype = f"{name}_{self.resolution}", dtype or self.policy
        return kind(*arguments, name=name, dtype=dtype, **options)

    def weighted(self, kind, name, input_shape, *arguments, **options):
        """A layer of the class `kind`, built for samples `input_shape`."""
        if issubclass(kind, EqualizedLayer):
            options["kernel_initializer"] = keras.initializers.RandomNormal(
                0.0, 1.0, seed=next(self._seeds)
            )
            options["scale_bias"] = self.architecture.details.scale_bias
            options["equalized"] = self.architecture.equalized
        layer = self.plain(kind, name, *arguments, **options)
        return self._with_variables(layer, (None, *input_shape))

    def fade(self, name, shape, dtype=None):
        """A `FadeIn` for two inputs of a shape."""
        layer = self.plain(FadeIn, name, dtype=dtype)
        return self._with_variables(layer, [(None, *shape)] * 2)

    def _with_variables(self, layer, shape):
        if self._shared is None:
            layer.build(shape)
            return layer
        # Keras shares variables only by sharing the layer. So where this layer
        # would make its own it is given those of the other one.
        weights = {w.name: w for w in self._shared[layer.name].weights}
        layer.add_weight = lambda *args, name, **options: weights[name]
        layer.build(shape)
        del layer.add_weight
        return layer


class Block(tf.Module):
    """The layers of one level, and how they are wired.

    Layers that have variables are attributes, whose names are part of the keys
    of checkpoints. Layers without variables are made where they are called.
    """

    def __init__(self, make):
        super().__init__(name=f"block_{make.resolution}")
        self._make = make
        self.resolution = resolution = make.resolution
        self.architecture = architecture = make.architecture
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
        return type(self)(self._make.sharing(self.layers))


class Family(tf.Module):
    """What both families share: blocks, models, variables and alphas.

    Each model has layers of its own, whose variables are the family's. So a
    model can be saved, cloned and taken apart like any other of Keras, however
    many the family has made.

    A subclass has `_called`, its name, and `_block`, the class of its blocks,
    and defines `_model(resolution, fade)`.

    Attributes:
        architecture: `Architecture`.
        blocks: dict from "4x4", "8x8", ... to the `Block` of a resolution.
    """

    def __init__(
        self, *, leaky_relu=None, dtype=None, seed=None, name=None, **settings
    ):
        super().__init__(name=name or self._called)
        if keras.backend.backend() != "tensorflow":
            raise UserError(
                "expected Keras to run on TensorFlow; it runs on "
                f"{keras.backend.backend()}: set KERAS_BACKEND=tensorflow "
                "before Keras is imported"
            )
        self._policy = keras.dtype_policies.get(dtype or "float32")
        if self._policy.compute_dtype == "float16":
            settings.setdefault("pixelnorm_epsilon", FLOAT16_EPSILON)
        self.architecture = Architecture(**settings)
        make = LayerMaker(self.architecture, leaky_relu, self._policy, seed)
        self.blocks = {
            f"{r}x{r}": self._block(make.at(r)) for r in self.resolutions
        }
        # A plain function cache, because a dict would be tracked and would
        # put every model into the checkpoint under a second name.
        self._cached_model = functools.lru_cache(maxsize=None)(self._model)

    @classmethod
    def of(cls, architecture: Architecture, **options):
        """The family of an `Architecture`; options: leaky_relu, dtype, ..."""
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
            resolution: int, one of `resolutions`; else UserError.
            fade: bool; False leaves out the old path, so that the model is
                that of alpha 1, whatever alpha is.

        Returns:
            `keras.Model`, the same one for the same arguments.
        """
        self.architecture.level(resolution)
        return self._cached_model(resolution, fade)

    def block(self, resolution):
        """The `Block` of one resolution."""
        return self.blocks[f"{resolution}x{resolution}"]

    def set_alpha(self, resolution, alpha):
        """Set how far a resolution is faded in.

        Args:
            resolution: int, one of `resolutions` above the lowest.
            alpha: float in [0, 1]; 1 is the new block alone, 0 the lower
                resolution's output upscaled.

        Raises:
            UserError: for a resolution that is not one of these.
            ValueError: for the lowest one, which has no fade, or another
                alpha.
        """
        if not self.architecture.level(resolution):
            raise ValueError(
                f"{resolution}x{resolution} is the first resolution and never "
                "fades"
            )
        if not 0 <= alpha <= 1:
            raise ValueError(f"expected alpha from 0 to 1; received {alpha!r}")
        self.block(resolution).fade.alpha.assign(alpha)

    def _blocks_up_to(self, resolution):
        return [self.block(r) for r in self.resolutions if r <= resolution]

    def _shared_blocks(self, resolution):
        """Blocks for a new model, from the lowest up to a resolution."""
        return [block.sharing() for block in self._blocks_up_to(resolution)]

    def _layers_up_to(self, resolution):
        blocks = self._blocks_up_to(resolution)
        return [layer for block in blocks for layer in block.layers]

    @property
    def weights(self):
        """All Keras variables, by resolution from the lowest up."""
        layers = self._layers_up_to(self.resolution)
        return [weight for layer in layers for weight in layer.weights]

    @property
    def trainable_weights(self):
        """The Keras variables that are trained, in the order of `weights`."""
        return self.trainable_up_to(self.resolution)

    def trainable_up_to(self, resolution):
        """Those of the trained Keras variables up to a resolution, a list."""
        layers = self._layers_up_to(resolution)
        return [w for layer in layers for w in layer.trainable_weights]

    def statistics_up_to(self, resolution):
        """Running means and variances of batch normalization, a list."""
        return running_statistics(self._layers_up_to(resolution))

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


def running_statistics(layers):
    """The Keras variables of batch normalization that are not trained."""
    return [
        weight
        for layer in layers
        if isinstance(layer, keras.layers.BatchNormalization)
        for weight in layer.non_trainable_weights
    ]
