"""A family of models that share weights: what G and D have in common.

Families are `tf.Module`s: `tf.train.Checkpoint` silently drops layers that a
Keras layer or model keeps in a dict, and keeps those of a `tf.Module`.
"""

import functools
import math

import keras
import tensorflow as tf

from progan_tf.arithmetic import resolutions
from progan_tf.layers import EqualizedConv2D, EqualizedDense
from progan_tf.variants import VARIANTS


class _Block(tf.Module):
    """The layers of one resolution, as named attributes."""

    def __init__(self, resolution, **layers):
        super().__init__(name=f"block_{resolution}")
        for name, layer in layers.items():
            setattr(self, name, layer)
        self._names = tuple(layers)

    @property
    def layers(self):
        """The Keras layers, in the order in which they were given."""
        return [getattr(self, name) for name in self._names]


class Family(tf.Module):
    """What both families share: blocks, models, variables and alphas.

    A subclass adds a block for each resolution with `_add_block`, defines
    `_model(resolution, fade)` and ends its constructor with `_build_all()`.

    Attributes:
        resolution: int, the highest one.
        variant: str, a name in `VARIANTS`.
        resolutions: tuple of ints, from 4 up.
        blocks: dict from "4x4", "8x8", ... to the layers of a resolution.
    """

    def __init__(self, resolution, variant, activation, dtype, seed, name):
        super().__init__(name=name)
        if variant not in VARIANTS:
            raise ValueError(
                f"expected a variant of {', '.join(VARIANTS)}; received "
                f"{variant!r}"
            )
        self.resolution = resolution
        self.variant = variant
        self._activation = activation
        self.resolutions = resolutions(resolution)
        self._dtype = keras.dtype_policies.get(dtype or "float32")
        self._seed = seed
        self.blocks = {}
        # A plain function cache, because a dict would be tracked and would
        # put every model into the checkpoint under a second name.
        self._cached_model = functools.lru_cache(maxsize=None)(self._model)

    def at(self, resolution, fade=True):
        """The model of one resolution; all models share their weights.

        Args:
            resolution: int, one of `resolutions`.
            fade: bool; False leaves out the old path, so that the model is
                that of alpha 1, whatever alpha is.

        Returns:
            `keras.Model`, the same one for the same arguments.

        Raises:
            ValueError: for another resolution.
        """
        if resolution not in self.resolutions:
            raise ValueError(
                f"expected a resolution of {self.resolutions}; received "
                f"{resolution}"
            )
        return self._cached_model(resolution, fade)

    def _build_all(self):
        """Create every variable, those of the lower resolutions included."""
        for resolution in self.resolutions:
            self._model(resolution, fade=True)

    def _add_block(self, resolution, **layers):
        key = f"{resolution}x{resolution}"
        self.blocks[key] = _Block(resolution, **layers)

    def block(self, resolution):
        """The layers of one resolution, as named attributes."""
        return self.blocks[f"{resolution}x{resolution}"]

    def _options(self, resolution, name):
        """Keyword arguments that every layer of the family gets."""
        return {"name": f"{name}_{resolution}", "dtype": self._dtype}

    def _conv(self, resolution, name, filters, size=3, **kwargs):
        return EqualizedConv2D(
            filters,
            size,
            kernel_initializer=self._initializer(),
            scale_bias=VARIANTS[self.variant].scale_bias,
            **self._options(resolution, name),
            **kwargs,
        )

    def _dense(self, name, units, **kwargs):
        options = {**self._options(4, name), **kwargs}
        return EqualizedDense(
            units,
            kernel_initializer=self._initializer(),
            scale_bias=VARIANTS[self.variant].scale_bias,
            **options,
        )

    def _initializer(self):
        """N(0, 1) with a seed of its own for each layer of the family."""
        seed = self._seed
        if seed is not None:
            self._seed = seed + 1
        return keras.initializers.RandomNormal(0.0, 1.0, seed=seed)

    def set_alpha(self, resolution, alpha):
        """Set how far a resolution is faded in.

        Args:
            resolution: int, one of `resolutions` above 4.
            alpha: float in [0, 1]; 1 is the new block alone, 0 the lower
                resolution's output upscaled.

        Raises:
            ValueError: for a resolution that has no fade.
        """
        if resolution == self.resolutions[0]:
            raise ValueError("4x4 is the first resolution and never fades")
        self.block(resolution).fade.alpha.assign(alpha)

    @property
    def weights(self):
        """All Keras variables, by resolution from 4x4 up."""
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
