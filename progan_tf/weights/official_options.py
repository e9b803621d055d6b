"""From the official code's options to the architecture of our networks."""

import dataclasses
import math

from progan_tf.architecture import Architecture
from progan_tf.errors import UserError
from progan_tf.resolutions import resolutions
from progan_tf.weights.tensors import feature_map_settings
from progan_tf.weights.unpickle import DAMAGE, Call, numpy_array

# More than any network has, and small enough to be multiplied at once.
_MOST = 1_000_000


def generator_architecture(where, options, names):
    """The `Architecture` of a generator of the options of G_paper.

    Raises UserError, which begins with `where`, for an option (of the file's
    `static_kwargs`) that our networks do not have. `names` are the variables'.
    """
    options = _plain(where, options)
    architecture = _shared(where, options, names)
    if options.get("latent_size") is None:
        options["latent_size"] = architecture.dense_units
    epsilon = options.get("pixelnorm_epsilon", 1e-8)
    if not (isinstance(epsilon, float) and 0 < epsilon < 1):
        raise UserError(f"{where}: pixelnorm_epsilon is no number from 0 to 1")
    leaky = options.get("use_leakyrelu", True)
    return dataclasses.replace(
        architecture,
        latent_size=_whole(where, options, "latent_size", 512, 1),
        normalize_latents=bool(options.get("normalize_latents", True)),
        pixelnorm=bool(options.get("use_pixelnorm", True)),
        activation="leaky_relu" if leaky else "relu",
        pixelnorm_epsilon=epsilon,
    )


def discriminator_architecture(where, options, names):
    """As `generator_architecture`, of a discriminator and D_paper."""
    options = _plain(where, options)
    group = _whole(where, options, "mbstd_group_size", 4, 0)
    return dataclasses.replace(
        _shared(where, options, names),
        # One sample has no deviation, so the official code leaves it out, too.
        minibatch_stddev_group=group if group > 1 else 0,
    )


def _plain(where, options):
    """The options with numpy's numbers as Python's, once checked."""
    if not isinstance(options, dict):
        raise UserError(f"{where}: expected a dict of options")
    try:
        return {
            name: numpy_array(x).item() if isinstance(x, Call) else x
            for name, x in options.items()
        }
    except DAMAGE as error:
        raise UserError(f"{where}: expected numbers as options") from error


def _shared(where, options, names):
    """The `Architecture` as far as it is that of either network."""
    resolution = _whole(where, options, "resolution", 32, 4)
    try:
        sizes = resolutions(resolution)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    base, most = _feature_maps(where, options, sizes)
    return Architecture(
        resolution=resolution,
        num_classes=_whole(where, options, "label_size", 0, 0),
        channels=_whole(where, options, "num_channels", 1, 1),
        fmap_base=base,
        fmap_max=most,
        fused_scale=_is_fused(options, names),
        equalized=bool(options.get("use_wscale", True)),
    )


def _is_fused(options, names):
    """Whether resampling is within the convolutions: the names tell."""
    parts = {part for name in names for part in name.split("/")}
    if parts & {"Conv0_up", "Conv1_down"}:
        return True
    # 4x4 alone has nothing to resample.
    return "Conv1" not in parts and bool(options.get("fused_scale", True))


def _feature_maps(where, options, sizes):
    """`fmap_base` and `fmap_max` of the official formula."""
    base = _whole(where, options, "fmap_base", 8192, 1)
    most = _whole(where, options, "fmap_max", 512, 1)
    decay = options.get("fmap_decay", 1.0)
    if not (isinstance(decay, (int, float)) and 0 <= decay <= 10):
        raise UserError(f"{where}: fmap_decay is no number from 0 to 10")
    maps = {  # Level 1 is 4x4.
        r: min(int(base / 2 ** ((math.log2(r) - 1) * decay)), most)
        for r in sizes
    }
    if min(maps.values()) < 1:
        raise UserError(f"{where}: fmap_base {base} leaves no feature maps")
    # The discriminator's dense layer has the number of maps below 4x4.
    units = min(base, most)
    if decay != 1:
        base, most = feature_map_settings(maps)
        if units != min(base, maps[4]):
            raise UserError(
                f"{where} was made with fmap_decay={decay} and few feature "
                "maps, which the networks of this program cannot have"
            )
    return base, most


def _whole(where, options, name, default, low):
    """An option as an int, once checked."""
    value = options.get(name, default)
    good = isinstance(value, (int, float)) and low <= value <= _MOST
    if not good or value != int(value):
        raise UserError(f"{where}: {name} is no whole number from {low} up")
    return int(value)
