"""What a network costs: feature maps, parameters and arithmetic.

Pure Python: the dry run and the schedule use it without loading TensorFlow.
The shapes are those of table 2 of the paper, the feature maps those of the
official code. "Arithmetic" counts convolutions and dense layers only, a
multiply-add as two floating-point operations.
"""

import math

from progan_tf.errors import UserError

LOWEST_RESOLUTION = 4
HIGHEST_RESOLUTION = 1024
# Below it neither metric of an evaluation while training is defined.
LOWEST_EVALUATED = 16

# A 3x3 convolution at the high resolution has 9 taps for each of the four
# pixels of a 2x2 square. Folded together with the resampling it is a 4x4
# convolution of stride 2, which has 16 taps for the same square.
_SEPARATE_TAPS = 36
_FUSED_TAPS = 16

# Passes through each network for one image in one training step; see
# `step_flops_per_image`.
GENERATOR_PASSES = 4
DISCRIMINATOR_PASSES = 14


def check_resolution(resolution):
    """Raise UserError unless a resolution is a power of two, 4 to 1024."""
    is_int = isinstance(resolution, int) and not isinstance(resolution, bool)
    in_range = is_int and LOWEST_RESOLUTION <= resolution <= HIGHEST_RESOLUTION
    if not in_range or resolution & (resolution - 1):
        raise UserError(
            f"resolution must be a power of two from {LOWEST_RESOLUTION} to "
            f"{HIGHEST_RESOLUTION}, not {resolution!r}"
        )


def resolutions(resolution):
    """The resolutions of a progressive network: (4, 8, ..., resolution).

    Raises:
        UserError: if `resolution` is not a power of two from 4 to 1024.
    """
    check_resolution(resolution)
    return tuple(2**level for level in range(2, resolution.bit_length()))


def feature_maps(resolution, fmap_base=8192, fmap_max=512):
    """Feature maps of the blocks of one resolution.

    Args:
        resolution: int, a power of two from 4 to 1024.
        fmap_base: int; the number halves with every doubling of the
            resolution, and is half of this at 4x4,
        fmap_max: int, but is never more than this; or a dict from resolution
            to such an int.
    """
    check_resolution(resolution)
    level = int(math.log2(resolution))
    return min(
        int(fmap_base / 2 ** (level - 1)), _at_most(fmap_max, resolution)
    )


def dense_units(fmap_base=8192, fmap_max=512):
    """Units of the discriminator's first dense layer.

    As many as a block below 4x4 would have feature maps; the arguments are
    those of `feature_maps`.
    """
    return min(fmap_base, _at_most(fmap_max, LOWEST_RESOLUTION))


def generator_parameters(
    resolution,
    latent_size=512,
    num_classes=0,
    channels=3,
    fmap_base=8192,
    fmap_max=512,
    bias_per_element=False,
):
    """Trained numbers of a generator, every ToRGB layer included.

    Args:
        resolution: int, a power of two from 4 to 1024.
        latent_size: int, numbers a latent.
        num_classes: int, 0 for none.
        channels: int, of the images.
        fmap_base: int, see `feature_maps`.
        fmap_max: int, see `feature_maps`.
        bias_per_element: bool, see `variants.Variant`.
    """
    total = 0
    below = None
    for r in resolutions(resolution):
        maps = feature_maps(r, fmap_base, fmap_max)
        if below is None:
            biases = 16 * maps if bias_per_element else maps
            total += (latent_size + num_classes) * 16 * maps + biases
        else:
            total += _conv_parameters(3, below, maps)
        total += _conv_parameters(3, maps, maps)
        total += _conv_parameters(1, maps, channels)  # ToRGB
        below = maps
    return total


def discriminator_parameters(
    resolution,
    num_classes=0,
    channels=3,
    fmap_base=8192,
    fmap_max=512,
    minibatch_stddev=True,
):
    """Trained numbers of a discriminator, every FromRGB layer included.

    Args:
        resolution: int, a power of two from 4 to 1024.
        num_classes: int, 0 for none; each adds a logit beside the score.
        channels: int, of the images.
        fmap_base: int, see `feature_maps`.
        fmap_max: int, see `feature_maps`.
        minibatch_stddev: bool, whether the last convolution sees the
            standard deviation of the minibatch as one more feature map.
    """
    total = 0
    below = None
    for r in resolutions(resolution):
        maps = feature_maps(r, fmap_base, fmap_max)
        total += _conv_parameters(1, channels, maps)  # FromRGB
        if below is None:
            total += _conv_parameters(3, maps + bool(minibatch_stddev), maps)
            units = dense_units(fmap_base, fmap_max)
            total += (16 * maps + 1) * units
            total += (units + 1) * (1 + num_classes)
        else:
            total += _conv_parameters(3, maps, maps)
            total += _conv_parameters(3, maps, below)
        below = maps
    return total


def forward_flops(
    network,
    resolution,
    latent_size=512,
    num_classes=0,
    channels=3,
    fmap_base=8192,
    fmap_max=512,
    fused_scale=True,
):
    """Floating-point operations of one forward pass of one image.

    Of the ToRGB or FromRGB layers only that of `resolution` is counted; the
    second one, which takes part while a resolution fades in, is left out.

    Args:
        network: "generator" or "discriminator".
        resolution: int, a power of two from 4 to 1024: that of the image.
        latent_size: int, numbers a latent.
        num_classes: int, 0 for none.
        channels: int, of the images.
        fmap_base: int, see `feature_maps`.
        fmap_max: int, see `feature_maps`.
        fused_scale: bool, whether resampling is folded into the convolution
            beside it: 16 taps at the low resolution instead of 36.

    Raises:
        UserError: for another network or resolution.
    """
    if network not in ("generator", "discriminator"):
        raise UserError(
            f"network must be generator or discriminator, not {network!r}"
        )
    resampled_taps = _FUSED_TAPS if fused_scale else _SEPARATE_TAPS
    multiply_adds = 0
    below = None
    for r in resolutions(resolution):
        maps = feature_maps(r, fmap_base, fmap_max)
        multiply_adds += 9 * r * r * maps * maps
        if below is not None:
            # Both networks resample between the same numbers of maps.
            low_pixels = (r // 2) ** 2
            multiply_adds += resampled_taps * low_pixels * maps * below
        below = maps
    multiply_adds += resolution**2 * channels * maps  # ToRGB or FromRGB
    base_maps = feature_maps(LOWEST_RESOLUTION, fmap_base, fmap_max)
    if network == "generator":
        multiply_adds += (latent_size + num_classes) * 16 * base_maps
    else:
        # The map of the minibatch standard deviation, then two dense layers.
        multiply_adds += 9 * 16 * base_maps
        units = dense_units(fmap_base, fmap_max)
        multiply_adds += 16 * base_maps * units + units * (1 + num_classes)
    return 2 * multiply_adds


def step_flops_per_image(
    resolution,
    latent_size=512,
    num_classes=0,
    channels=3,
    fmap_base=8192,
    fmap_max=512,
    fused_scale=True,
):
    """Floating-point operations of one training step for each image of it.

    With WGAN-GP that is 4 forward passes of the generator and 14 of the
    discriminator. A gradient costs as much as a forward pass for the weights
    and as much again for a layer's input, so a network that is run and
    differentiated costs 3 passes.

    The discriminator's step: 1 G for the fakes, which are not differentiated;
    3 D on the reals; 3 D on the fakes; and 6 D for the gradient penalty on
    the pictures between them: 1 for the scores, 1 for their gradient with
    respect to the pictures, 2 to differentiate that gradient (for its weights
    and for the signal it carries down), and 2 to go back through the scores'
    own pass, on which the gradient depends through the minibatch standard
    deviation. The generator's step: 3 G, and 2 D, of which no gradient for
    the weights is wanted. Together (1 + 3) G + (3 + 3 + 6 + 2) D.

    The arguments are those of `forward_flops`.
    """
    shape = {
        "latent_size": latent_size,
        "num_classes": num_classes,
        "channels": channels,
        "fmap_base": fmap_base,
        "fmap_max": fmap_max,
        "fused_scale": fused_scale,
    }
    generator = forward_flops("generator", resolution, **shape)
    discriminator = forward_flops("discriminator", resolution, **shape)
    return GENERATOR_PASSES * generator + DISCRIMINATOR_PASSES * discriminator


def _conv_parameters(size, maps_in, maps_out):
    """Weights and biases of a convolution with square kernels."""
    return size * size * maps_in * maps_out + maps_out


def _at_most(fmap_max, resolution):
    return fmap_max[resolution] if isinstance(fmap_max, dict) else fmap_max
