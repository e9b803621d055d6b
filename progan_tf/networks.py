"""Generator and discriminator: families of models that share weights.

A family owns the layers of every resolution from 4x4 up (table 2 of the
paper) and assembles a `keras.Model` of any of them on demand; all models of a
family train the same variables. Feature maps, gains and the place of each
layer follow the official code.
"""

import functools
import math

import keras

from progan_tf.architecture import DISCRIMINATION_DIMENSIONS
from progan_tf.family import Block, Family
from progan_tf.layers import (
    EqualizedConv2D,
    EqualizedDense,
    MinibatchDiscrimination,
    MinibatchStdDev,
    NearestUpscale,
    PixelNormalization,
    SampleNormalization,
)

# Given to each layer that takes it, because keras.json may set another default.
_CHANNELS_LAST = {"data_format": "channels_last"}


class GeneratorBlock(Block):
    """One level of the generator, from the features of the level below."""

    def __init__(self, make):
        super().__init__(make)
        a, maps, shape = self.architecture, self.maps, (*self.size, self.maps)
        conv = functools.partial(make.weighted, EqualizedConv2D)
        act = {"activation": self._activation}
        if a.generator_norm == "batch":
            # It has the bias; the activation follows it.
            act = {"use_bias": False}
        if self.below is None:
            self.dense = make.weighted(
                EqualizedDense,
                "dense",
                [a.latent_size + a.num_classes],
                math.prod(shape),
                target_shape=shape,
                gain=a.details.dense_gain,
                bias_per_element=a.details.bias_per_element,
                **act,
            )
            self.dense_norm = self._norm("dense_norm", shape)
            self.conv = conv("conv", shape, maps, 3, **act)
            self.conv_norm = self._norm("conv_norm", shape)
        else:
            up = "up" if a.fused_scale else None
            size = a.size(self.below) if a.fused_scale else self.size
            low = (*size, a.feature_maps(self.below))
            self.conv0 = conv("conv0", low, maps, 3, resample=up, **act)
            self.conv0_norm = self._norm("conv0_norm", shape)
            self.conv1 = conv("conv1", shape, maps, 3, **act)
            self.conv1_norm = self._norm("conv1_norm", shape)
        gain = a.details.linear_gain
        self.to_rgb = conv("to_rgb", shape, a.channels, 1, gain=gain)
        if self.below is not None:
            self.fade = make.fade("fade", (*self.size, a.channels), "float32")

    @property
    def _activation(self):
        name = self.architecture.activation
        return self._make.leaky_relu if name == "leaky_relu" else name

    def _norm(self, name, shape):
        if self.architecture.generator_norm == "none":
            return None
        # With the numbers of Lasagne, in which the paper's program is written.
        options = {"momentum": 0.9, "epsilon": 1e-4}
        kind = keras.layers.BatchNormalization
        return self._make.weighted(kind, name, shape, **options)

    def __call__(self, x):
        """Features from those of the level below, or from latents."""
        if self.below is None:
            if self.architecture.normalize_latents:
                x = self._pixel_norm("latents", x)
            x = self._finished("dense", self.dense(x), self.dense_norm)
            return self._finished("conv", self.conv(x), self.conv_norm)
        if not self.architecture.fused_scale:
            x = self._make.plain(NearestUpscale, "upscale")(x)
        x = self._finished("conv0", self.conv0(x), self.conv0_norm)
        return self._finished("conv1", self.conv1(x), self.conv1_norm)

    def faded(self, old, images):
        """Images of the level below and of this one, weighted by alpha."""
        upscale = self._make.plain(
            NearestUpscale, "upscale_old", dtype="float32"
        )
        return self.fade([upscale(old), images])

    def _finished(self, what, x, norm):
        """What follows a layer: normalization and activation, pixelnorm."""
        if norm is not None:
            activate = self._make.plain(
                keras.layers.Activation, f"{what}_activation", self._activation
            )
            x = activate(norm(x))
        return self._pixel_norm(what, x) if self.architecture.pixelnorm else x

    def _pixel_norm(self, what, x):
        epsilon = self.architecture.pixelnorm_epsilon
        name = f"{what}_pixel_norm"
        return self._make.plain(PixelNormalization, name, epsilon)(x)


class Generator(Family):
    """Latents to images, at every resolution up to the given one.

    `generator.at(64)` is a `keras.Model` from latents `[batch, latent_size]`
    (and labels `[batch, num_classes]`, one-hot, where there are classes) to
    float32 images `[batch, 64, 64, channels]`, about in [-1, 1] and not
    clipped: the last layer is linear, unless `tanh` is set. The latent,
    concatenated with the labels, is put on the hypersphere first.

    Args:
        resolution: int, the highest one: a power of two from 4 to 1024.
        latent_size: int, numbers a latent.
        num_classes: int, 0 for none.
        channels: int, 3 for RGB, 1 for grey.
        fmap_base: int; a block of resolution r has `2 * fmap_base / r`
            feature maps,
        fmap_max: int, and at most that many; or a dict from resolution to
            such an int.
        fused_scale: bool, resample within the convolutions; see
            `Architecture`.
        leaky_relu: callable that computes it; by default Keras' own.
        dtype: Keras dtype policy of the layers, such as "mixed_bfloat16"; by
            default float32, whatever Keras' global policy is.
        seed: int or None, of the initial weights.
        name: str.
        **options: other fields of `progan_tf.architecture.Architecture`, such
            as activation. In float16 pixelnorm_epsilon is 1e-4 by default.

    Raises:
        UserError: for a value that is not of its kind or range.

    Example:

    >>> generator = progan_tf.Generator(resolution=64, fmap_max=64)
    >>> model = generator.at(64)
    >>> model(progan_tf.seeded_latents([1, 2])).shape
    TensorShape([2, 64, 64, 3])

    A loop of your own gives an optimizer `model.trainable_variables`. Those of
    the family are of all resolutions, of which some get no gradient.
    """

    _block, _called = GeneratorBlock, "generator"

    def __init__(
        self,
        resolution=1024,
        latent_size=512,
        num_classes=0,
        channels=3,
        fmap_base=8192,
        fmap_max=512,
        fused_scale=True,
        **options,
    ):
        super().__init__(
            resolution=resolution,
            latent_size=latent_size,
            num_classes=num_classes,
            channels=channels,
            fmap_base=fmap_base,
            fmap_max=fmap_max,
            fused_scale=fused_scale,
            **options,
        )

    def _model(self, resolution, fade):
        a = self.architecture
        inputs = x = _input((a.latent_size,), "latents")
        if a.num_classes:
            inputs = [x, _input((a.num_classes,), "labels")]
            x = keras.layers.Concatenate(
                name="latents_and_labels", dtype=self._policy
            )(inputs)
        *lower, block = self._shared_blocks(resolution)
        for each in lower:
            x = each(x)
        images = block.to_rgb(block(x))
        if lower and fade:
            images = block.faded(lower[-1].to_rgb(x), images)
        if a.tanh:
            tanh = keras.layers.Activation("tanh", name="tanh", dtype="float32")
            images = tanh(images)
        images = keras.layers.Identity(dtype="float32", name="images")(images)
        return keras.Model(inputs, images, name=f"generator_{resolution}")


class DiscriminatorBlock(Block):
    """One level of the discriminator, to the features of the level below."""

    def __init__(self, make):
        super().__init__(make)
        a, maps, shape = self.architecture, self.maps, (*self.size, self.maps)
        conv = functools.partial(make.weighted, EqualizedConv2D)
        dense = functools.partial(make.weighted, EqualizedDense)
        act = {"activation": make.leaky_relu}
        image = (*self.size, a.channels)
        self.from_rgb = conv("from_rgb", image, maps, 1, **act)
        if a.discriminator_norm == "layer":
            # It has the bias and the activation.
            act = {"use_bias": False}
        if self.below is None:
            units, kernels = a.dense_units, a.minibatch_discrimination
            stddev = 1 if a.minibatch_stddev_group else 0
            features = (*self.size, maps + stddev)
            self.conv = conv("conv", features, maps, 3, **act)
            self.conv_norm = self._norm("conv_norm", shape)
            self.dense0 = dense("dense0", [math.prod(shape)], units, **act)
            self.dense0_norm = self._norm("dense0_norm", [units])
            self.discrimination = None
            if kernels:
                self.discrimination = make.weighted(
                    MinibatchDiscrimination,
                    "minibatch_discrimination",
                    [units],
                    kernels,
                    DISCRIMINATION_DIMENSIONS,
                )
            # In float32, because a score is a small difference.
            options = {"gain": a.details.linear_gain, "dtype": "float32"}
            outputs = 1 + a.num_classes
            self.dense1 = dense("dense1", [units + kernels], outputs, **options)
        else:
            down = "down" if a.fused_scale else None
            low = (*a.size(self.below), a.feature_maps(self.below))
            size = low[:2] if a.fused_scale else self.size
            self.conv0 = conv("conv0", shape, maps, 3, **act)
            self.conv0_norm = self._norm("conv0_norm", shape)
            self.conv1 = conv("conv1", shape, low[-1], 3, resample=down, **act)
            self.conv1_norm = self._norm("conv1_norm", (*size, low[-1]))
            self.fade = make.fade("fade", low)

    def _norm(self, name, shape):
        if self.architecture.discriminator_norm == "none":
            return None
        act = {"activation": self._make.leaky_relu}
        return self._make.weighted(SampleNormalization, name, shape, **act)

    def __call__(self, x):
        """Features for the level below, or scores and logits of labels."""
        if self.below is None:
            return self._scores(x)
        x = _then(self.conv0_norm, self.conv0(x))
        x = _then(self.conv1_norm, self.conv1(x))
        if not self.architecture.fused_scale:
            x = self._pooled("downscale", x)
        return x

    def faded(self, images, x, below):
        """This level's features `x`, faded with those of the halved images.

        The latter are what FromRGB of `below`, the block of the level below,
        makes of them.
        """
        # Where a variant does not fade, both paths are the new one.
        old = x
        if self.resolution >= self.architecture.details.lowest_fade:
            small = self._pooled("downscale_images", images, "float32")
            old = below.from_rgb(small)
        return self.fade([old, x])

    def _scores(self, x):
        a, plain = self.architecture, self._make.plain
        if group := a.minibatch_stddev_group:
            how = a.details.strided_stddev, a.details.unbiased_stddev
            x = plain(MinibatchStdDev, "minibatch_stddev", group, *how)(x)
        x = _then(self.conv_norm, self.conv(x))
        x = plain(keras.layers.Flatten, "flatten", **_CHANNELS_LAST)(x)
        x = _then(self.dense0_norm, self.dense0(x))
        return self.dense1(_then(self.discrimination, x))

    def _pooled(self, name, x, dtype=None):
        kind = keras.layers.AveragePooling2D
        return self._make.plain(kind, name, 2, dtype=dtype, **_CHANNELS_LAST)(x)


class Discriminator(Family):
    """Images to scores, at every resolution up to the given one.

    `discriminator.at(64)` is a `keras.Model` from images
    `[batch, 64, 64, channels]`, about in [-1, 1], to float32 scores
    `[batch, 1]`, where there are classes `[scores, label_logits]` with logits
    `[batch, num_classes]`. Higher scores mean more real.

    Args:
        resolution, num_classes, channels, fmap_base, fmap_max, fused_scale,
        leaky_relu, dtype, seed, name, **options: as of `Generator`.

    Raises:
        UserError: for a value that is not of its kind or range.
    """

    _block, _called = DiscriminatorBlock, "discriminator"

    def __init__(
        self,
        resolution=1024,
        num_classes=0,
        channels=3,
        fmap_base=8192,
        fmap_max=512,
        fused_scale=True,
        **options,
    ):
        super().__init__(
            resolution=resolution,
            num_classes=num_classes,
            channels=channels,
            fmap_base=fmap_base,
            fmap_max=fmap_max,
            fused_scale=fused_scale,
            **options,
        )

    def _model(self, resolution, fade):
        a = self.architecture
        images = _input((*a.size(resolution), a.channels), "images")
        *lower, block = self._shared_blocks(resolution)
        x = block(block.from_rgb(images))
        if lower and fade:
            x = block.faded(images, x, lower[-1])
        for each in reversed(lower):
            x = each(x)
        outputs = [x[:, :1], x[:, 1:]] if a.num_classes else x
        return keras.Model(images, outputs, name=f"discriminator_{resolution}")


def _input(shape, name):
    """A float32 input, whatever Keras' own `floatx` is."""
    return keras.Input(shape, name=name, dtype="float32")


def _then(layer, x):
    """What a layer makes of `x`; without one, `x`."""
    return x if layer is None else layer(x)
