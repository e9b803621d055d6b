"""Networks read from a file of published weights."""

import dataclasses
import math

import keras

from progan_tf.architecture import DISCRIMINATOR_SETTINGS
from progan_tf.errors import UserError
from progan_tf.networks import Discriminator, Generator

# Settings in which generators that are blended may differ: those of the
# discriminator, one that does not change the generator's function, and an
# epsilon, which is larger in float16.
_MAY_DIFFER = (
    *DISCRIMINATOR_SETTINGS,
    "fused_scale",
    "pixelnorm_epsilon",
    # `_common_settings` compares the feature maps that follow from these.
    "fmap_base",
    "fmap_max",
)


@dataclasses.dataclass(frozen=True)
class PublishedInfo:
    """The metadata of a file of weights.

    Attributes:
        program: str, the program that trained it: a name in `VARIANTS`.
        lod: float, the level of detail at which the networks were saved, in
            doublings below full resolution: 0 if finished, 1.25 if a
            quarter of the fade to half of the full resolution was missing.
        attributes: tuple of ints, the number of values of each label; one
            number for classes, empty without labels.
        licence: str, what its authors allow.
        has_average: bool, whether the file holds a moving average; without it
            `PublishedGAN.average` is a copy of the generator.
        images_seen: int, of a run of this program; otherwise None.
        settings: dict, the training settings of that run; otherwise empty.
        trained: tuple of ints, the resolutions that run has faded in; None
            of other programs, which train all up to the highest.
        class_names: tuple of str, one per class; empty if they are unknown.
    """

    program: str
    lod: float
    attributes: tuple
    licence: str
    has_average: bool = True
    images_seen: int | None = None
    settings: dict = dataclasses.field(default_factory=dict)
    trained: tuple | None = None
    class_names: tuple = ()


@dataclasses.dataclass(frozen=True)
class PublishedGAN:
    """The networks of a file of published weights.

    `generator.at(r)` gives every lower resolution, and `set_alpha` every stage
    of a fade. Alpha is initially as it was when the file was saved.

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
        """A generator at a fully faded-in resolution.

        Args:
            resolution: int, by default the highest that is finished.
            average: bool, the moving average of the weights, or the weights
                of the last step.

        Returns:
            `keras.Model` from latents `[batch, latent_size]` float32, and
            labels `[batch, classes]` if there are classes, to images
            `[batch, R, R, channels]` float32, approximately in [-1, 1].

        Raises:
            UserError: for a resolution that is not finished.
        """
        highest = self.finished_resolution
        resolution = resolution or highest
        family = self.average if average else self.generator
        finished = self.info.trained
        if finished is None:
            finished = [r for r in family.resolutions if r <= highest]
        if resolution not in finished:
            raise UserError(
                f"the weights have no finished resolution {resolution}; they "
                f"have {', '.join(map(str, finished)) or 'none yet'}"
            )
        return family.at(resolution, fade=False)

    def describe(self):
        """A description of what was read, text of several lines."""
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
    """Blend two generators: low resolutions of one, high ones of another.

    The result, for the generator and the average, has the coarse structure of
    the first and the details of the second (Pinkney and Adler 2020). This works
    if one was fine-tuned from the other.

    Args:
        published: `PublishedGAN`, whose discriminator and metadata are kept.
            Its generators are changed in place.
        other: `PublishedGAN` with the same architecture of the generator.
        resolution: int, the lowest whose layers are those of `other`.

    Returns:
        `PublishedGAN`.

    Raises:
        UserError: if the generators differ, or have no such resolution.
    """
    families = [
        (published.generator, other.generator),
        (published.average, other.average),
    ]
    ours, theirs = (
        _common_settings(x.generator.architecture) for x in (published, other)
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


def _common_settings(architecture):
    """The settings that generators must share to be blended, by name."""
    common = {
        name: value
        for name, value in architecture.settings.items()
        if name not in _MAY_DIFFER
    }
    # The numbers of maps, whether given by one limit or by resolution.
    maps = map(architecture.feature_maps, architecture.resolutions)
    return common | {
        "number of feature maps, from 4x4 up,": ", ".join(map(str, maps))
    }


def set_level_of_detail(family, lod):
    """Set a family's alphas for a level of detail, see `PublishedInfo`."""
    for level, resolution in enumerate(reversed(family.resolutions[1:])):
        family.set_alpha(resolution, min(max(1.0 - (lod - level), 0.0), 1.0))
