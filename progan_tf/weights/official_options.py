"""Conversion of the official code's options to our `Architecture`."""

import math

from progan_tf.architecture import Architecture
from progan_tf.errors import UserError
from progan_tf.resolutions import resolutions
from progan_tf.weights.tensors import feature_map_settings
from progan_tf.weights.unpickle import DAMAGE, Call, numpy_array

# More than any network has, and small enough to multiply without a check.
_MOST = 1_000_000


def architecture_of(where, options, names):
    """The `Architecture` for the options of G_paper or of D_paper.

    They are a file's `static_kwargs`; `names` are those of the network's
    variables. Raises UserError, which begins with `where`, for an option that
    our networks do not support.
    """
    options = _plain(where, options)

    def whole(name, default, low):
        value = options.get(name, default)
        good = isinstance(value, (int, float)) and low <= value <= _MOST
        if not good or value != int(value):
            raise UserError(f"{where}: {name} is no whole number from {low} up")
        return int(value)

    def is_on(name):
        return bool(options.get(name, True))

    resolution = whole("resolution", 32, 4)
    try:
        sizes = resolutions(resolution)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    base, most = whole("fmap_base", 8192, 1), whole("fmap_max", 512, 1)
    # The formula's maps at 2x2, the units of the discriminator's dense layer.
    units = min(base, most)
    if options.get("latent_size") is None:
        options["latent_size"] = units
    base, most = _feature_maps(where, options, sizes, base, most)
    epsilon = options.get("pixelnorm_epsilon", 1e-8)
    if not (isinstance(epsilon, float) and 0 < epsilon < 1):
        raise UserError(f"{where}: pixelnorm_epsilon is no number from 0 to 1")
    group = whole("mbstd_group_size", 4, 0)
    return Architecture(
        resolution=resolution,
        latent_size=whole("latent_size", None, 1),
        num_classes=whole("label_size", 0, 0),
        channels=whole("num_channels", 1, 1),
        fmap_base=base,
        fmap_max=most,
        fused_scale=_is_fused(options, names),
        # Groups of one have no deviation: the official code has no layer then.
        minibatch_stddev_group=group if group > 1 else 0,
        equalized=is_on("use_wscale"),
        normalize_latents=is_on("normalize_latents"),
        pixelnorm=is_on("use_pixelnorm"),
        activation="leaky_relu" if is_on("use_leakyrelu") else "relu",
        pixelnorm_epsilon=epsilon,
    )


def _plain(where, options):
    """The options, checked, with numpy's numbers converted to Python's."""
    if not isinstance(options, dict):
        raise UserError(f"{where}: expected a dict of options")
    try:
        return {
            name: numpy_array(x).item() if isinstance(x, Call) else x
            for name, x in options.items()
        }
    except DAMAGE as error:
        raise UserError(f"{where}: expected numbers as options") from error


def _is_fused(options, names):
    """Whether resampling is within the convolutions, by the names."""
    parts = {part for name in names for part in name.split("/")}
    if parts & {"Conv0_up", "Conv1_down"}:
        return True
    # A network of 4x4 only has nothing to resample.
    return "Conv1" not in parts and bool(options.get("fused_scale", True))


def _feature_maps(where, options, sizes, base, most):
    """`fmap_base` and `fmap_max` of the official formula, which may decay."""
    decay = options.get("fmap_decay", 1.0)
    if not (isinstance(decay, (int, float)) and 0 <= decay <= 10):
        raise UserError(f"{where}: fmap_decay is no number from 0 to 10")
    levels = {r: math.log2(r) - 1 for r in sizes}  # 1 for 4x4.
    maps = {
        r: min(int(base / 2 ** (n * decay)), most) for r, n in levels.items()
    }
    if min(maps.values()) < 1:
        raise UserError(f"{where}: fmap_base {base} leaves no feature maps")
    if decay == 1:
        return base, most
    settings = feature_map_settings(maps)
    if min(base, most) != min(settings[0], maps[4]):
        raise UserError(
            f"{where} was made with fmap_decay={decay} and few feature maps, "
            "which the networks of this program cannot have"
        )
    return settings
