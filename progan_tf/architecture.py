"""What two networks are: their levels, feature maps, parameters and cost.

Pure Python: settings, dry run and schedule use it without TensorFlow. The
shapes are those of table 2 of the paper, the feature maps those of the
official code. To add an option of the networks, declare it in
`NetworkSettings`, which makes it a flag and a line of config.json, and read it
in `progan_tf.networks`.
"""

import dataclasses
import math

from progan_tf.errors import UserError
from progan_tf.resolutions import LOWEST_RESOLUTION, check_resolution
from progan_tf.settings import checked, setting
from progan_tf.variants import VARIANTS

ACTIVATIONS = ("leaky_relu", "relu")
GENERATOR_NORMS = ("none", "batch")
DISCRIMINATOR_NORMS = ("none", "layer")

# Of each kernel of the minibatch discrimination, as in the code of Salimans et
# al. 2016.
DISCRIMINATION_DIMENSIONS = 5

# What the pixel normalization adds to a pixel's power, and what in float16, in
# which 1e-8 is 0. Both are the official code's.
PIXELNORM_EPSILON, FLOAT16_EPSILON = 1e-8, 1e-4

# A 3x3 convolution at the high resolution has 9 taps for each of the four
# pixels of a 2x2 square. Folded together with the resampling it is a 4x4
# convolution of stride 2, which has 16 taps for the same square.
_SEPARATE_TAPS = 36
_FUSED_TAPS = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """What may be chosen of the networks: fields of `TrainConfig`, too."""

    resolution: int = setting(
        1024, "width and height of the pictures: a power of two, 4 to 1024"
    )
    num_classes: int = setting(
        0, "classes that are learnt; the trainer counts them", low=0, flag=False
    )
    channels: int = setting(
        3, "colours of the pictures: 3 for RGB, 1 for grey", low=1
    )
    latent_size: int = setting(512, "numbers in a latent", low=1)
    fmap_base: int = setting(
        8192, "a resolution r has 2 * fmap_base / r feature maps", low=1
    )
    fmap_max: dict[int, int] = setting(
        512, "feature maps at most", low=1, table=True
    )
    fused_scale: bool = setting(
        True,
        "resample within the convolutions; the discriminator then activates "
        "after downscaling, not before",
    )
    minibatch_stddev_group: int = setting(
        4,
        "samples in a group of the minibatch standard deviation; 0: none",
        low=0,
    )
    equalized: bool = setting(
        True,
        "equalized learning rate: scale the weights when they are used; "
        "otherwise once, when they are drawn",
    )
    normalize_latents: bool = setting(
        True, "scale latents to the hypersphere first"
    )
    pixelnorm: bool = setting(
        True, "scale the features of each pixel in the generator to unit length"
    )
    activation: str = setting(
        "leaky_relu",
        "after the generator's layers; the discriminator's is leaky_relu",
        ACTIVATIONS,
    )
    tanh: bool = setting(False, "end the generator with a tanh")
    generator_norm: str = setting(
        "none",
        "normalization after the generator's layers, before the activation",
        GENERATOR_NORMS,
    )
    discriminator_norm: str = setting(
        "none",
        "normalization after the discriminator's convolutions",
        DISCRIMINATOR_NORMS,
    )
    minibatch_discrimination: int = setting(
        0,
        "kernels of the minibatch discrimination (Salimans et al. 2016); 0: "
        "none",
        low=0,
        below=10_000,  # They are compared for each pair of samples.
    )
    variant: str = setting(
        "official", "the program whose networks these are", VARIANTS, flag=False
    )
    pixelnorm_epsilon: float | None = setting(
        None,
        "added to a pixel's power; by default 1e-8, in float16 1e-4",
        above=0,
        flag=False,
    )


# Those of the discriminator alone: generators that differ in them are the same
# function.
DISCRIMINATOR_SETTINGS = (
    "minibatch_stddev_group",
    "discriminator_norm",
    "minibatch_discrimination",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Architecture(NetworkSettings):
    """A generator and the discriminator that it is trained against.

    A level is named by its resolution, the height of its images. Each level
    is twice as high and twice as wide as the one before.

    Attributes:
        resolution: int, that of the highest level.
        lowest: (int, int), height and width of the lowest level.
        num_classes: int, 0 for none.
        channels: int, 3 for RGB, 1 for grey.
        latent_size: int, numbers a latent.
        fmap_base: int; the lowest level has half as many feature maps, the
            next one half of that, and so on,
        fmap_max: int, and at most that many; or a dict from resolution to
            such an int.
        fused_scale: bool, resample within the convolutions. In the generator
            it is the same function with less than half the arithmetic. The
            discriminator then downscales within the convolution and activates
            after, as the official code does by default; False activates and
            pools after, as the paper and other programs do: another function
            of the same weights.
        minibatch_stddev_group: int, samples a group; 0 leaves the layer out.
        equalized: bool, scale weights where they are used (section 4.1 of
            the paper); False draws them in that scale and uses them as they
            are.
        normalize_latents: bool, put latents on the hypersphere first.
        pixelnorm: bool, normalize the features of each pixel in the generator
            (section 4.2).
        activation: str, the generator's; the discriminator's is always the
            leaky ReLU.
        tanh: bool, end the generator with a tanh.
        generator_norm: str, "batch" for a batch normalization after each of
            the generator's layers but ToRGB.
        discriminator_norm: str, "layer" for a `SampleNormalization` after each
            of the discriminator's layers but FromRGB and the score.
        minibatch_discrimination: int, kernels of a `MinibatchDiscrimination`
            before the score; 0 leaves the layer out.
        variant: str, the program whose networks these are: `VARIANTS`.
        pixelnorm_epsilon: float; 1e-8 where None is given.

    Raises:
        UserError: for a value that is not of its setting's kind or range, or
            levels without feature maps.
    """

    lowest: tuple[int, int] = (LOWEST_RESOLUTION, LOWEST_RESOLUTION)

    def __post_init__(self):
        self._check_levels()
        if self.pixelnorm_epsilon is None:
            object.__setattr__(self, "pixelnorm_epsilon", PIXELNORM_EPSILON)
        for field in dataclasses.fields(NetworkSettings):
            checked(field, getattr(self, field.name), self.resolutions)
        if self.feature_maps(self.resolution) < 1:
            least = 2 ** len(self.resolutions)
            raise UserError(
                f"fmap_base must be {least} or more for "
                f"{self.resolution}x{self.resolution}, not {self.fmap_base}"
            )

    def _check_levels(self):
        if self.lowest == (LOWEST_RESOLUTION, LOWEST_RESOLUTION):
            check_resolution(self.resolution)
        elif self.resolutions[-1] != self.resolution:
            raise UserError(
                f"resolution must be {self.lowest[0]} times a power of two, "
                f"not {self.resolution!r}"
            )

    @property
    def arguments(self):
        """dict from field to value, as `Generator` and `Discriminator` take."""
        return dict(vars(self))

    @property
    def settings(self):
        """dict from setting to value, as `TrainConfig` takes."""
        fields = dataclasses.fields(NetworkSettings)
        return {field.name: getattr(self, field.name) for field in fields}

    @property
    def details(self):
        """The `Variant`: what the paper leaves open."""
        return VARIANTS[self.variant]

    @property
    def resolutions(self):
        """Tuple of ints, one a level, from the lowest up."""
        found = [self.lowest[0]]
        while found[-1] < self.resolution:
            found.append(2 * found[-1])
        return tuple(found)

    def level(self, resolution):
        """int, levels below that of a resolution; UserError if it has none."""
        if resolution not in self.resolutions:
            raise UserError(
                f"expected a resolution of {self.resolutions}; received "
                f"{resolution!r}"
            )
        return self.resolutions.index(resolution)

    def size(self, resolution):
        """(int, int), height and width of the images of a level."""
        doublings = 2 ** self.level(resolution)
        return self.lowest[0] * doublings, self.lowest[1] * doublings

    def feature_maps(self, resolution):
        """int, the feature maps of a level."""
        maps = self.fmap_base // 2 ** (self.level(resolution) + 1)
        return min(maps, self._most_maps(resolution))

    @property
    def dense_units(self):
        """Units of the discriminator's first dense layer.

        As many as a level below the lowest would have feature maps.
        """
        return min(self.fmap_base, self._most_maps(self.lowest[0]))

    def _most_maps(self, resolution):
        most = self.fmap_max
        return most[resolution] if isinstance(most, dict) else most

    def generator_parameters(self, resolution=None):
        """Trained numbers of a generator, every ToRGB layer included.

        Of one that has grown to a resolution, by default the highest.
        """
        layers = self._layers("generator", resolution or self.resolution)
        return sum(weights + biases for weights, biases, _ in layers)

    def discriminator_parameters(self, resolution=None):
        """As `generator_parameters`, of a discriminator and its FromRGBs."""
        layers = self._layers("discriminator", resolution or self.resolution)
        return sum(weights + biases for weights, biases, _ in layers)

    def forward_flops(self, network, resolution=None):
        """Floating-point operations of one forward pass of one image.

        They are those of convolutions and dense layers, a multiply-add as
        two. Of the ToRGB or FromRGB layers only that of the image's resolution
        (by default the highest) is counted; the second one, which takes part
        while a resolution fades in, is left out. Raises UserError for another
        network than "generator" and "discriminator", or another resolution.
        """
        if network not in ("generator", "discriminator"):
            raise UserError(
                f"network must be generator or discriminator, not {network!r}"
            )
        layers = self._layers(network, resolution or self.resolution)
        return 2 * sum(multiply_adds for _, _, multiply_adds in layers)

    def _layers(self, network, resolution):
        """(weights, biases and gains, multiply-adds) of each layer of a model.

        Multiply-adds are those of an image of that resolution.
        """
        if network == "generator":
            return self._generator_layers(resolution)
        return self._discriminator_layers(resolution)

    def _generator_layers(self, resolution):
        normalized = self.generator_norm == "batch"
        # Batch normalization has a scale and a shift in place of a bias.
        shifts = 2 if normalized else 1
        below = None
        for r, maps, pixels in self._levels_up_to(resolution):
            # ToRGB.
            rgb = maps * self.channels
            yield rgb, self.channels, rgb * pixels if r == resolution else 0
            if below is None:
                dense = (self.latent_size + self.num_classes) * pixels * maps
                each = self.details.bias_per_element and not normalized
                yield dense, shifts * maps * (pixels if each else 1), dense
            else:
                yield self._resampling(maps, below, pixels, shifts * maps)
            conv = 9 * maps * maps
            yield conv, shifts * maps, conv * pixels
            below = maps

    def _discriminator_layers(self, resolution):
        # Layer normalization has one gain beside the biases.
        gain = int(self.discriminator_norm == "layer")
        below = None
        for r, maps, pixels in self._levels_up_to(resolution):
            # FromRGB.
            rgb = maps * self.channels
            yield rgb, maps, rgb * pixels if r == resolution else 0
            stddev = int(below is None and self.minibatch_stddev_group > 0)
            conv = 9 * (maps + stddev) * maps
            yield conv, maps + gain, conv * pixels
            if below is None:
                features = pixels * maps
            else:
                yield self._resampling(maps, below, pixels, below + gain)
            below = maps
        units, kernels = self.dense_units, self.minibatch_discrimination
        outputs = 1 + self.num_classes
        for weights, biases in (
            (features * units, units + gain),
            (units * kernels * DISCRIMINATION_DIMENSIONS, kernels),
            ((units + kernels) * outputs, outputs),
        ):
            yield weights, biases, weights

    def _levels_up_to(self, resolution):
        """Resolution, feature maps, pixels of each level, the lowest first."""
        for r in self.resolutions[: self.level(resolution) + 1]:
            yield r, self.feature_maps(r), math.prod(self.size(r))

    def _resampling(self, maps, below, pixels, biases):
        """As of `_layers`: the convolution between two levels, in either way.

        Of the higher level are the maps and pixels, of the lower the maps
        `below`.
        """
        taps = _FUSED_TAPS if self.fused_scale else _SEPARATE_TAPS
        return 9 * maps * below, biases, taps * (pixels // 4) * maps * below
