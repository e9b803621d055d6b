"""What a file of published weights becomes."""

import dataclasses
import math

import keras

from progan_tf.errors import UserError
from progan_tf.networks import Discriminator, Generator

# Settings that generators of one shape may have otherwise: those that are the
# discriminator's, that of which the generator is the same function either way,
# and an epsilon, which float16 has larger.
_OTHERWISE = (
    "minibatch_stddev_group",
    "minibatch_discrimination",
    "discriminator_norm",
    "fused_scale",
    "pixelnorm_epsilon",
    # Of which `_shape` has what follows from them.
    "fmap_base",
    "fmap_max",
)


@dataclasses.dataclass(frozen=True)
class PublishedInfo:
    """What is known of a file besides its weights.

    Attributes:
        program: str, the program that trained it: a name in `VARIANTS`.
        lod: float, how far the networks were from their full resolution when
            they were saved, in doublings: 0 for finished ones, 1.25 where a
            quarter of the fade to half of the full resolution was missing.
        attributes: tuple of ints, how many values each label has; one number
            where there are classes, none where there are no labels.
        licence: str, what its authors allow.
        has_average: bool, whether the file holds an average; without it
            `PublishedGAN.average` is a copy of the generator.
        images_seen: int, where a run of this program was; otherwise None.
        settings: dict, how that run was trained; otherwise empty.
    """

    program: str
    lod: float
    attributes: tuple
    licence: str
    has_average: bool = True
    images_seen: int | None = None
    settings: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class PublishedGAN:
    """The networks of a file of published weights.

    `generator.at(r)` is every resolution on the way, and `set_alpha` gives
    every stage of a fade. Alpha begins where it was when the file was saved.

    Attributes:
        generator: `Generator`, of the last step.
        discriminator: `Discriminator`.
        average: `Generator`, the moving average of the generator's weights.
        info: `PublishedInfo`.
    """

    generator: Generator
    discriminator: Discriminator
    average: Generator
    info: PublishedInfo

    @property
    def finished_resolution(self):
        """int, the highest resolution that was fully faded in."""
        return max(4, self.generator.resolution >> math.ceil(self.info.lod))

    def finished(self, resolution=None, average=True) -> keras.Model:
        """A generator without a fade.

        Args:
            resolution: int, by default the highest that is finished.
            average: bool, the moving average of the weights, or the weights
                of the last step.

        Returns:
            `keras.Model` from latents `[batch, latent_size]` float32, and
            labels `[batch, classes]` where there are classes, to images
            `[batch, R, R, channels]` float32, about in [-1, 1].

        Raises:
            UserError: for a resolution that is not finished.
        """
        highest = self.finished_resolution
        resolution = resolution or highest
        family = self.average if average else self.generator
        if resolution not in family.resolutions or resolution > highest:
            raise UserError(
                f"the file has no finished resolution {resolution}; the "
                f"highest is {highest}"
            )
        return family.at(resolution, fade=False)

    def describe(self):
        """What was read, for people: text of several lines."""
        generator, info = self.generator, self.info
        architecture = generator.architecture
        size, done = architecture.resolution, self.finished_resolution
        networks = "generator, discriminator, average"
        if not info.has_average:
            networks = "generator and discriminator, no average"
        lines = {
            "family": f"{info.program} ({networks})",
            "resolution": f"{size}x{size}, {architecture.channels} channels",
            "parameters": f"{generator.count_params():,} of the generator, "
            f"{self.discriminator.count_params():,} of the discriminator",
            "latents": f"{architecture.latent_size} numbers",
            "labels": " + ".join(map(str, info.attributes)) or "none",
            "licence": info.licence,
        }
        if info.images_seen is not None:
            lines["trained on"] = f"{info.images_seen:,} images"
        if done != size:
            lines["resolution"] += f"; trained to {done}x{done}"
        return "".join(f"{name:10}  {text}\n" for name, text in lines.items())


def blended(published, other, resolution):
    """Networks whose generator is one below a resolution, and another above.

    Both generators, the average too, then draw what the first makes of a
    latent, at its coarse resolutions, in the way of the second (Pinkney and
    Adler 2020). It works where one was fine-tuned from the other.

    Args:
        published: `PublishedGAN`, of which its discriminator and all that is
            known stay. Its generators are changed.
        other: `PublishedGAN` of such networks.
        resolution: int, from which on, up, the layers are those of `other`.

    Returns:
        `PublishedGAN`.

    Raises:
        UserError: if the generators are not alike, or have no such resolution.
    """
    families = [
        (published.generator, other.generator),
        (published.average, other.average),
    ]
    ours, theirs = (
        _shape(x.generator.architecture) for x in (published, other)
    )
    for name in ours:
        if ours[name] != theirs[name]:
            raise UserError(
                "expected two networks of the same architecture to blend; "
                f"{name} is {ours[name]} in --weights and {theirs[name]} in "
                "--blend"
            )
    for one in (published, other):
        sizes = [
            size
            for size in one.generator.resolutions[1:]
            if size <= one.finished_resolution
        ]
        if resolution not in sizes:
            raise UserError(
                f"expected --blend_from of {', '.join(map(str, sizes))}; "
                f"received {resolution}"
            )
    for family, source in families:
        for size in family.resolutions:
            if size >= resolution:
                blocks = family.block(size), source.block(size)
                layers = zip(*(block.layers for block in blocks), strict=True)
                for layer, other_layer in layers:
                    layer.set_weights(other_layer.get_weights())
    licence = published.info.licence
    if other.info.licence != licence:
        licence += f"; from {resolution}x{resolution} on {other.info.licence}"
    info = dataclasses.replace(published.info, licence=licence)
    return dataclasses.replace(published, info=info)


def _shape(architecture):
    """What generators that exchange layers have in common, by its name."""
    shape = {
        name: value
        for name, value in architecture.settings.items()
        if name not in _OTHERWISE
    }
    # However they were given: one limit, or one for each resolution.
    maps = map(architecture.feature_maps, architecture.resolutions)
    return shape | {
        "number of feature maps, from 4x4 up,": ", ".join(map(str, maps))
    }


def set_level_of_detail(family, lod):
    """Give a family the alphas of a level of detail, see `PublishedInfo`."""
    for level, resolution in enumerate(reversed(family.resolutions[1:])):
        family.set_alpha(resolution, min(max(1.0 - (lod - level), 0.0), 1.0))
