"""Generator and discriminator: families of models that share weights.

A family owns the layers of every resolution from 4x4 up (table 2 of the
paper) and assembles a `keras.Model` of any of them on demand; all models of a
family train the same variables. Feature maps, gains and the place of each
layer follow the official code.
"""

import keras

from progan_tf.architecture import Architecture
from progan_tf.family import Block, Family
from progan_tf.layers import (
    MinibatchStdDev,
    NearestUpscale,
    PixelNormalization,
    SampleNormalization,
)

# Said to each layer that takes it, because keras.json may say otherwise.
_CHANNELS_LAST = {"data_format": "channels_last"}


class GeneratorBlock(Block):
    """One level of the generator, from the features of the level below."""

    def __init__(self, make, resolution):
        super().__init__(make, resolution)
        a, name, maps = make.architecture, self._named, self.maps
        act = {"activation": self._activation}
        if a.generator_norm == "batch":
            # It has the bias; the activation follows it.
            act = {"use_bias": False}
        shape = (*self.size, maps)
        if self.below is None:
            self.dense = make.dense(
                name("dense"),
                a.latent_size + a.label_size,
                self.size[0] * self.size[1] * maps,
                target_shape=shape,
                gain=a.details.dense_gain,
                bias_per_element=a.details.bias_per_element,
                **act,
            )
            self.dense_norm = self._norm("dense_norm", shape)
            self.conv = make.conv(name("conv"), shape, maps, **act)
            self.conv_norm = self._norm("conv_norm", shape)
        else:
            low = a.size(self.below) if a.fused_scale else self.size
            self.conv0 = make.conv(
                name("conv0"),
                (*low, a.feature_maps(self.below)),
                maps,
                resample="up" if a.fused_scale else None,
                **act,
            )
            self.conv0_norm = self._norm("conv0_norm", shape)
            self.conv1 = make.conv(name("conv1"), shape, maps, **act)
            self.conv1_norm = self._norm("conv1_norm", shape)
        self.to_rgb = make.conv(
            name("to_rgb"), shape, a.channels, 1, gain=a.details.linear_gain
        )
        if self.below is not None:
            image = (*self.size, a.channels)
            self.fade = make.fade(name("fade"), image, "float32")

    @property
    def _activation(self):
        name = self._make.architecture.activation
        return self._make.leaky_relu if name == "leaky_relu" else name

    def _norm(self, name, shape):
        if self._make.architecture.generator_norm == "none":
            return None
        # With the numbers of Lasagne, in which the paper's program is written.
        layer = keras.layers.BatchNormalization(
            momentum=0.9,
            epsilon=1e-4,
            name=self._named(name),
            dtype=self._make.policy,
        )
        return self._make.norm(layer, shape)

    def __call__(self, x):
        """Features from those of the level below, or from latents."""
        a = self._make.architecture
        if self.below is None:
            if a.normalize_latents:
                x = self._pixel_norm("latents", x)
            x = self._finished("dense", self.dense(x), self.dense_norm)
            return self._finished("conv", self.conv(x), self.conv_norm)
        if not a.fused_scale:
            upscale = self._named("upscale")
            x = NearestUpscale(name=upscale, dtype=self._make.policy)(x)
        x = self._finished("conv0", self.conv0(x), self.conv0_norm)
        return self._finished("conv1", self.conv1(x), self.conv1_norm)

    def faded(self, old, images):
        """Images of the level below and of this one, weighted by alpha."""
        upscale = NearestUpscale(
            name=self._named("upscale_old"), dtype="float32"
        )
        return self.fade([upscale(old), images])

    def _finished(self, what, x, norm):
        """What follows a layer: normalization and activation, pixelnorm."""
        if norm is not None:
            activate = keras.layers.Activation(
                self._activation,
                name=self._named(f"{what}_activation"),
                dtype=self._make.policy,
            )
            x = activate(norm(x))
        if self._make.architecture.pixelnorm:
            x = self._pixel_norm(what, x)
        return x

    def _pixel_norm(self, what, x):
        return PixelNormalization(
            self._make.architecture.pixelnorm_epsilon,
            name=self._named(f"{what}_pixel_norm"),
            dtype=self._make.policy,
        )(x)


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
        dtype: Keras dtype policy of the layers; float32 by default.
        seed: int or None, of the initial weights.
        name: str.
        **settings: other fields of `Architecture`, such as variant.
    """

    _block = GeneratorBlock

    def __init__(
        self,
        resolution=1024,
        latent_size=512,
        num_classes=0,
        channels=3,
        fmap_base=8192,
        fmap_max=512,
        fused_scale=True,
        *,
        leaky_relu=None,
        dtype=None,
        seed=None,
        name="generator",
        **settings,
    ):
        architecture = Architecture(
            resolution=resolution,
            latent_size=latent_size,
            num_classes=num_classes,
            channels=channels,
            fmap_base=fmap_base,
            fmap_max=fmap_max,
            fused_scale=fused_scale,
            **settings,
        )
        super().__init__(architecture, leaky_relu, dtype, seed, name)

    def _model(self, resolution, fade):
        a = self.architecture
        latents = _input((a.latent_size,), "latents")
        inputs, x = latents, latents
        if a.label_size:
            labels = _input((a.label_size,), "labels")
            inputs = [latents, labels]
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

    def __init__(self, make, resolution):
        super().__init__(make, resolution)
        a, name, maps = make.architecture, self._named, self.maps
        act = {"activation": make.leaky_relu}
        shape = (*self.size, maps)
        self.from_rgb = make.conv(
            name("from_rgb"), (*self.size, a.channels), maps, 1, **act
        )
        if a.discriminator_norm == "layer":
            # It has the bias and the activation.
            act = {"use_bias": False}
        if self.below is None:
            stddev = 1 if a.minibatch_stddev_group else 0
            kernels = a.minibatch_discrimination
            self.conv = make.conv(
                name("conv"), (*self.size, maps + stddev), maps, **act
            )
            self.conv_norm = self._norm("conv_norm", shape)
            self.dense0 = make.dense(
                name("dense0"),
                self.size[0] * self.size[1] * maps,
                a.dense_units,
                **act,
            )
            self.dense0_norm = self._norm("dense0_norm", (a.dense_units,))
            self.discrimination = None
            if kernels:
                self.discrimination = make.discrimination(
                    name("minibatch_discrimination"), a.dense_units, kernels
                )
            # In float32, because a score is a small difference.
            self.dense1 = make.dense(
                name("dense1"),
                a.dense_units + kernels,
                1 + a.label_size,
                gain=a.details.linear_gain,
                dtype="float32",
            )
        else:
            low = (*a.size(self.below), a.feature_maps(self.below))
            self.conv0 = make.conv(name("conv0"), shape, maps, **act)
            self.conv0_norm = self._norm("conv0_norm", shape)
            self.conv1 = make.conv(
                name("conv1"),
                shape,
                low[-1],
                resample="down" if a.fused_scale else None,
                **act,
            )
            conv1_size = low[:2] if a.fused_scale else self.size
            self.conv1_norm = self._norm("conv1_norm", (*conv1_size, low[-1]))
            self.fade = make.fade(name("fade"), low)

    def _norm(self, name, shape):
        if self._make.architecture.discriminator_norm == "none":
            return None
        layer = SampleNormalization(
            activation=self._make.leaky_relu,
            name=self._named(name),
            dtype=self._make.policy,
        )
        return self._make.norm(layer, shape)

    def __call__(self, x):
        """Features for the level below, or scores and logits of labels."""
        if self.below is None:
            return self._scores(x)
        x = _then(self.conv0_norm, self.conv0(x))
        x = _then(self.conv1_norm, self.conv1(x))
        if not self._make.architecture.fused_scale:
            x = self._pooled("downscale", x, self._make.policy)
        return x

    def faded(self, images, x, below):
        """The features of smaller images and those of this level, by alpha.

        Args:
            images: of this level.
            x: what this level makes of them.
            below: the block of the level below.
        """
        # Where a variant does not fade, both paths are the new one.
        old = x
        if self.resolution >= self._make.architecture.details.lowest_fade:
            small = self._pooled("downscale_images", images, "float32")
            old = below.from_rgb(small)
        return self.fade([old, x])

    def _scores(self, x):
        a, policy = self._make.architecture, self._make.policy
        if a.minibatch_stddev_group:
            x = MinibatchStdDev(
                a.minibatch_stddev_group,
                a.details.strided_stddev,
                a.details.unbiased_stddev,
                name=self._named("minibatch_stddev"),
                dtype=policy,
            )(x)
        x = _then(self.conv_norm, self.conv(x))
        flatten = keras.layers.Flatten(
            name=self._named("flatten"), dtype=policy, **_CHANNELS_LAST
        )
        x = _then(self.dense0_norm, self.dense0(flatten(x)))
        return self.dense1(_then(self.discrimination, x))

    def _pooled(self, name, x, dtype):
        return keras.layers.AveragePooling2D(
            2, name=self._named(name), dtype=dtype, **_CHANNELS_LAST
        )(x)


class Discriminator(Family):
    """Images to scores, at every resolution up to the given one.

    `discriminator.at(64)` is a `keras.Model` from images
    `[batch, 64, 64, channels]`, about in [-1, 1], to float32 scores
    `[batch, 1]`, where there are classes `[scores, label_logits]` with logits
    `[batch, num_classes]`. Higher scores mean more real.

    Args:
        resolution: int, the highest one: a power of two from 4 to 1024.
        num_classes: int, 0 for none.
        channels: int, 3 for RGB, 1 for grey.
        fmap_base: int; a block of resolution r has `2 * fmap_base / r`
            feature maps,
        fmap_max: int, and at most that many; or a dict from resolution to
            such an int.
        fused_scale: bool, resample within the convolutions; see
            `Architecture`.
        leaky_relu: callable that computes it; by default Keras' own.
        dtype: Keras dtype policy of the layers; float32 by default.
        seed: int or None, of the initial weights.
        name: str.
        **settings: other fields of `Architecture`, such as
            minibatch_stddev_group.
    """

    _block = DiscriminatorBlock

    def __init__(
        self,
        resolution=1024,
        num_classes=0,
        channels=3,
        fmap_base=8192,
        fmap_max=512,
        fused_scale=True,
        *,
        leaky_relu=None,
        dtype=None,
        seed=None,
        name="discriminator",
        **settings,
    ):
        architecture = Architecture(
            resolution=resolution,
            num_classes=num_classes,
            channels=channels,
            fmap_base=fmap_base,
            fmap_max=fmap_max,
            fused_scale=fused_scale,
            **settings,
        )
        super().__init__(architecture, leaky_relu, dtype, seed, name)

    def _model(self, resolution, fade):
        a = self.architecture
        images = _input((*a.size(resolution), a.channels), "images")
        *lower, block = self._shared_blocks(resolution)
        x = block(block.from_rgb(images))
        if lower and fade:
            x = block.faded(images, x, lower[-1])
        for each in reversed(lower):
            x = each(x)
        outputs = [x[:, :1], x[:, 1:]] if a.label_size else x
        return keras.Model(images, outputs, name=f"discriminator_{resolution}")


def _input(shape, name):
    """A float32 input, whatever Keras' own `floatx` is."""
    return keras.Input(shape, name=name, dtype="float32")


def _then(layer, x):
    """What a layer makes of `x`; without one, `x`."""
    return x if layer is None else layer(x)
