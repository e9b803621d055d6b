"""Generator and discriminator: families of models that share weights.

A family owns the layers of every resolution from 4x4 up (table 2 of the
paper) and assembles a `keras.Model` of any of them on demand; all models of a
family train the same variables. Feature maps, gains and the place of each
layer follow the official code.
"""

import functools

import keras

from progan_tf.arithmetic import dense_units, feature_maps
from progan_tf.family import Family
from progan_tf.layers import (
    FadeIn,
    MinibatchStdDev,
    NearestUpscale,
    PixelNormalization,
)
from progan_tf.variants import VARIANTS


class Generator(Family):
    """Latents to images, at every resolution up to the given one.

    `generator.at(64)` is a `keras.Model` from latents `[batch, latent_size]`
    (and labels `[batch, num_classes]`, one-hot, where there are classes) to
    float32 images `[batch, 64, 64, channels]`, about in [-1, 1] and not
    clipped: the last layer is linear. The latent, concatenated with the
    labels, is put on the hypersphere first.

    Args:
        resolution: int, the highest one: a power of two from 4 to 1024.
        latent_size: int, numbers a latent.
        num_classes: int, 0 for none.
        channels: int, 3 for RGB, 1 for grey.
        fmap_base: int; a block of resolution r has `2 * fmap_base / r`
            feature maps,
        fmap_max: int, and at most that many; or a dict from resolution to
            such an int.
        fused_scale: bool, upscale within the convolution. The function is
            the same, the arithmetic less than half.
        pixelnorm_epsilon: float; 1e-4 for float16.
        variant: str, the program whose networks these are: `VARIANTS`.
        activation: name or callable, after all but the last layer.
        dtype: Keras dtype policy of the layers; float32 by default.
        seed: int or None, of the initial weights.
    """

    def __init__(
        self,
        resolution=1024,
        latent_size=512,
        num_classes=0,
        channels=3,
        fmap_base=8192,
        fmap_max=512,
        fused_scale=True,
        pixelnorm_epsilon=1e-8,
        variant="official",
        activation="leaky_relu",
        dtype=None,
        seed=None,
        name="generator",
    ):
        super().__init__(resolution, variant, activation, dtype, seed, name)
        self.latent_size = latent_size
        self.num_classes = num_classes
        self.channels = channels
        self._fused_scale = fused_scale
        self._pixel_norm = PixelNormalization(
            pixelnorm_epsilon, dtype=self._dtype, name="pixel_norm"
        )
        for r in self.resolutions:
            self._add_resolution(r, feature_maps(r, fmap_base, fmap_max))
        self._build_all()

    def _add_resolution(self, r, maps):
        variant = VARIANTS[self.variant]
        act = {"activation": self._activation}
        to_rgb = {"filters": self.channels, "size": 1}
        to_rgb["gain"] = variant.linear_gain
        if r == 4:
            self._add_block(
                r,
                dense=self._dense(
                    "dense",
                    16 * maps,
                    target_shape=(4, 4, maps),
                    gain=variant.dense_gain,
                    bias_per_element=variant.bias_per_element,
                    **act,
                ),
                conv=self._conv(r, "conv", maps, **act),
                to_rgb=self._conv(r, "to_rgb", **to_rgb),
            )
            return
        resample = {"resample": "up"} if self._fused_scale else {}
        self._add_block(
            r,
            conv0=self._conv(r, "conv0", maps, **resample, **act),
            conv1=self._conv(r, "conv1", maps, **act),
            to_rgb=self._conv(r, "to_rgb", **to_rgb),
            fade=FadeIn(name=f"fade_{r}", dtype="float32"),
        )

    def _model(self, resolution, fade):
        latents = keras.Input((self.latent_size,), name="latents")
        inputs, x = latents, latents
        if self.num_classes:
            labels = keras.Input((self.num_classes,), name="labels")
            inputs = [latents, labels]
            x = keras.layers.Concatenate(dtype=self._dtype)(inputs)
        block = self.block(4)
        x = block.dense(self._pixel_norm(x))
        x = self._pixel_norm(block.conv(self._pixel_norm(x)))
        old = None
        for r in self.resolutions[1:]:
            if r > resolution:
                break
            old = x
            block = self.block(r)
            if not self._fused_scale:
                x = NearestUpscale(dtype=self._dtype)(x)
            x = self._pixel_norm(block.conv0(x))
            x = self._pixel_norm(block.conv1(x))
        images = block.to_rgb(x)
        if old is not None and fade:
            old = self.block(resolution // 2).to_rgb(old)
            images = block.fade([NearestUpscale()(old), images])
        images = keras.layers.Identity(dtype="float32", name="images")(images)
        return keras.Model(inputs, images, name=f"generator_{resolution}")


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
        fused_scale: bool. True downscales within the convolution and
            activates after, as the official code does by default; False
            activates and pools after, as the paper and other programs do.
            These are two different functions of the same weights.
        minibatch_stddev_group: int, samples a group; 0 leaves the layer out.
        variant: str, the program whose networks these are: `VARIANTS`.
        activation: name or callable, after all but the last layer.
        dtype: Keras dtype policy of the layers; float32 by default.
        seed: int or None, of the initial weights.
    """

    def __init__(
        self,
        resolution=1024,
        num_classes=0,
        channels=3,
        fmap_base=8192,
        fmap_max=512,
        fused_scale=True,
        minibatch_stddev_group=4,
        variant="official",
        activation="leaky_relu",
        dtype=None,
        seed=None,
        name="discriminator",
    ):
        super().__init__(resolution, variant, activation, dtype, seed, name)
        self.num_classes = num_classes
        self.channels = channels
        self._fused_scale = fused_scale
        self.minibatch_stddev_group = minibatch_stddev_group
        for r in self.resolutions:
            maps = feature_maps(r, fmap_base, fmap_max)
            if r == 4:
                below = dense_units(fmap_base, fmap_max)
            else:
                below = feature_maps(r // 2, fmap_base, fmap_max)
            self._add_resolution(r, maps, below)
        self._build_all()

    def _add_resolution(self, r, maps, below):
        act = {"activation": self._activation}
        from_rgb = self._conv(r, "from_rgb", maps, size=1, **act)
        if r == 4:
            self._add_block(
                r,
                from_rgb=from_rgb,
                conv=self._conv(r, "conv", maps, **act),
                dense0=self._dense("dense0", below, **act),
                # In float32, because a score is a small difference.
                dense1=self._dense(
                    "dense1",
                    1 + self.num_classes,
                    gain=VARIANTS[self.variant].linear_gain,
                    dtype="float32",
                ),
            )
            return
        resample = {"resample": "down"} if self._fused_scale else {}
        self._add_block(
            r,
            from_rgb=from_rgb,
            conv0=self._conv(r, "conv0", maps, **act),
            conv1=self._conv(r, "conv1", below, **resample, **act),
            fade=FadeIn(**self._options(r, "fade")),
        )

    def _model(self, resolution, fade):
        variant = VARIANTS[self.variant]
        pool = functools.partial(keras.layers.AveragePooling2D, 2)
        images = keras.Input(
            (resolution, resolution, self.channels), name="images"
        )
        block = self.block(resolution)
        x = block.from_rgb(images)
        for r in reversed(self.resolutions[1:]):
            if r > resolution:
                continue
            block = self.block(r)
            x = block.conv1(block.conv0(x))
            if not self._fused_scale:
                x = pool(dtype=self._dtype)(x)
            if r == resolution and fade:
                # Where a variant does not fade, both paths are the new one.
                old = x
                if r >= variant.lowest_fade:
                    small = pool(dtype="float32")(images)
                    old = self.block(r // 2).from_rgb(small)
                x = block.fade([old, x])
        block = self.block(4)
        if self.minibatch_stddev_group:
            x = MinibatchStdDev(
                self.minibatch_stddev_group,
                variant.strided_stddev,
                variant.unbiased_stddev,
                dtype=self._dtype,
            )(x)
        x = keras.layers.Flatten(dtype=self._dtype)(block.conv(x))
        outputs = block.dense1(block.dense0(x))
        if self.num_classes:
            outputs = [outputs[:, :1], outputs[:, 1:]]
        return keras.Model(images, outputs, name=f"discriminator_{resolution}")


def generator_of(config, **options):
    """The `Generator` that a `TrainConfig` describes.

    Args:
        config: `TrainConfig`.
        **options: arguments of `Generator` besides the shape of the network.
    """
    # The official code's for float16, in which 1e-8 is 0.
    epsilon = 1e-4 if config.precision == "float16" else 1e-8
    return Generator(
        resolution=config.resolution,
        latent_size=config.latent_size,
        num_classes=config.num_classes,
        channels=config.channels,
        fmap_base=config.fmap_base,
        fmap_max=config.fmap_max,
        fused_scale=config.fused_scale,
        pixelnorm_epsilon=config.pixelnorm_epsilon or epsilon,
        variant=config.variant,
        **options,
    )


def discriminator_of(config, **options):
    """The `Discriminator` that a `TrainConfig` describes.

    Args:
        config: `TrainConfig`.
        **options: arguments of `Discriminator` besides the shape of the
            network.
    """
    return Discriminator(
        resolution=config.resolution,
        num_classes=config.num_classes,
        channels=config.channels,
        fmap_base=config.fmap_base,
        fmap_max=config.fmap_max,
        fused_scale=config.fused_scale,
        minibatch_stddev_group=config.minibatch_stddev_group,
        variant=config.variant,
        **options,
    )
