"""The networks of facebookresearch/pytorch_GAN_zoo, which torch.hub offers.

A file holds the state dicts netG, netD and avgG and the settings they were
made with. Names may have ".module" before ".weight" and ".bias", or not.
Tensors are stored as they are trained, before the He constant: kernels [OIHW],
dense layers [outputs, inputs] with feature maps as [CHW]. Scale i is 4 * 2**i
pixels wide.
"""

import dataclasses
import os

from progan_tf.architecture import Architecture
from progan_tf.errors import UserError
from progan_tf.networks import Discriminator, Generator
from progan_tf.resolutions import check_resolution
from progan_tf.weights.published import (
    PublishedGAN,
    PublishedInfo,
    set_level_of_detail,
)
from progan_tf.weights.tensors import (
    Tensor,
    feature_map_settings,
    filled,
)
from progan_tf.weights.torch_files import read_torch_file

LICENCE = (
    "the program is BSD 3-Clause; for the weights ask their authors, and mind "
    "the terms of the data they were trained on"
)

_CLASSES = "models.utils.config.BaseConfig"
_VARIANT = "gan_zoo"
# Of networks as the paper has them, by the names of a file's settings.
_FIXED = {
    "leakyReluLeak": (0.2,),
    "perChannelNormalization": (True,),
    "equalizedlR": (True,),
    # The others end the generator with a tanh.
    "lossCriterion": ("WGANGP", "Logistic"),
}


class _Settings:
    """Stands in for pytorch_GAN_zoo's class of settings: only attributes."""


def read_gan_zoo(path):
    """Read a checkpoint of a progressive GAN of pytorch_GAN_zoo.

    Nothing in the file is executed. It needs PyTorch,
    `pip install "progan-tf[torch]"`.

    Args:
        path: a `.pth` or `.pt` file, of either form of torch.save.

    Returns:
        `PublishedGAN`, whose average is avgG: the one that torch.hub's users
        do not get, because it loads netG in its place.

    Raises:
        UserError: if it is no such file, or its networks have a setting that
            is not read; the message names it.
    """
    content = read_torch_file(path, {_CLASSES: _Settings})
    names = "netG", "netD", "avgG"
    netG, netD, avgG = (_arrays(f"{path}: {n}", content, n) for n in names)
    if netG is None or netD is None:
        raise UserError(f"{path} holds no netG and netD of pytorch_GAN_zoo")
    settings = getattr(content.get("config"), "__dict__", {})
    _check_settings(path, settings)
    attributes = _attributes(path, settings)
    shared = _shared(path, netG, sum(attributes))
    size, average = os.path.getsize(path), ("netG", netG)
    if avgG is not None:
        average = ("avgG", avgG)
    families = [
        _generator(f"{path}: netG", shared, netG, size),
        _discriminator(f"{path}: netD", shared, netD, size),
        _generator(f"{path}: {average[0]}", shared, average[1], size),
    ]
    # Its alpha is the share of the old path.
    lod = float(settings.get("alpha", 0.0))
    for family in families:
        set_level_of_detail(family, lod)
    has_average = avgG is not None
    info = PublishedInfo(_VARIANT, lod, attributes, LICENCE, has_average)
    return PublishedGAN(*families, info)


# ---- what a file holds ----


def _arrays(where, content, name):
    """dict from name without ".module" to float32 array; None for no dict."""
    state = content.get(name) if isinstance(content, dict) else None
    if not isinstance(state, dict):
        return None
    arrays = {}
    for key, tensor in state.items():
        try:
            array = tensor.detach().numpy()
        except (AttributeError, TypeError, RuntimeError):
            array = None
        if array is None or array.dtype != "float32":
            raise UserError(f"{where} holds something else than float32")
        arrays[str(key).replace(".module.", ".")] = array
    return arrays


def _check_settings(path, settings):
    """Raise UserError for a setting that is not read."""
    for name, known in _FIXED.items():
        value = settings.get(name, known[0])
        if not isinstance(value, (str, int, float)):
            value = type(value).__name__
        if value not in known:
            raise UserError(
                f"{path} was made with {name}={str(value)[:40]}, which is not "
                f"read here; expected {' or '.join(map(str, known))}"
            )
    alpha = settings.get("alpha", 0.0)
    if not isinstance(alpha, (int, float)) or not 0 <= alpha <= 1:
        raise UserError(f"{path}: expected an alpha from 0 to 1")


def _attributes(path, settings):
    """How many values each label has: tuple of ints."""
    count = settings.get("categoryVectorDim", 0)
    keys = settings.get("attribKeysOrder")
    try:
        keys = {} if keys is None else dict(keys)
        sizes = tuple(len(key["values"]) for key in keys.values())
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(f"{path}: cannot read attribKeysOrder") from error
    if not isinstance(count, int) or sum(sizes) != count:
        raise UserError(
            f"{path}: expected as many values in attribKeysOrder as "
            "categoryVectorDim says"
        )
    return sizes


def _shared(path, netG, num_classes):
    """The `Architecture` as far as generator and discriminator share it."""
    maps, channels = {}, 0
    while (key := f"toRGBLayers.{len(maps)}.weight") in netG:
        shape = netG[key].shape
        if len(shape) != 4:
            break
        channels, maps[4 << len(maps)] = shape[0], shape[1]
    if not maps or "formatLayer.weight" not in netG:
        raise UserError(
            f"{path} holds another network than pytorch_GAN_zoo's progressive "
            "GAN"
        )
    try:
        check_resolution(max(maps))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if min(maps.values()) < 1 or channels < 1:
        raise UserError(f"{path}: expected feature maps at every scale")
    base, most = feature_map_settings(maps)
    return Architecture(
        resolution=max(maps),
        num_classes=num_classes,
        channels=channels,
        fmap_base=base,
        fmap_max=most,
        fused_scale=False,
        variant=_VARIANT,
    )


# ---- the networks ----


def _generator(where, shared, arrays, most_bytes):
    """A `Generator` with the weights of netG or avgG."""
    inputs = arrays.get("formatLayer.weight")
    sizes = () if inputs is None else inputs.shape
    latent_size = (sizes[1] if len(sizes) == 2 else 0) - shared.num_classes
    if latent_size < 1:
        raise UserError(f"{where}: expected a formatLayer with latents")
    made = dataclasses.replace(shared, latent_size=latent_size)
    return filled(
        Generator, made, _generator_tensors, where, arrays, most_bytes
    )


def _discriminator(where, shared, arrays, most_bytes):
    """A `Discriminator` with the weights of netD."""
    kernel = arrays.get("groupScaleZero.0.weight")
    # The minibatch standard deviation adds one input map.
    with_stddev = shared.feature_maps(4) + 1
    stddev = kernel is not None and kernel.shape[1:2] == (with_stddev,)
    group = 4 if stddev else 0
    made = dataclasses.replace(shared, minibatch_stddev_group=group)
    return filled(
        Discriminator, made, _discriminator_tensors, where, arrays, most_bytes
    )


def _generator_tensors(family):
    """The `Tensor`s of netG or avgG, with names without ".module"."""
    first = family.block(4)
    inputs, outputs = first.dense.kernel.shape
    shape, split = (outputs, inputs), (outputs // 16, 4, 4)
    kernel, bias = first.dense.kernel, first.dense.bias
    return [
        Tensor(
            "formatLayer.weight", shape, kernel, (*split, inputs), (3, 1, 2, 0)
        ),
        Tensor("formatLayer.bias", (outputs,), bias, split, (1, 2, 0)),
        *_layer("groupScale0.0", first.conv),
        *_scales(family, "toRGBLayers", "to_rgb"),
    ]


def _discriminator_tensors(family):
    """The `Tensor`s of netD, with names without ".module"."""
    last = family.block(4)
    inputs, outputs = last.dense0.kernel.shape
    split = (outputs, inputs // 16, 4, 4)
    return [
        *_layer("groupScaleZero.1", last.dense0, split, (2, 3, 1, 0)),
        *_layer("decisionLayer", last.dense1),
        *_layer("groupScaleZero.0", last.conv),
        *_scales(family, "fromRGBLayers", "from_rgb"),
    ]


def _scales(family, name, colours):
    """The tensors that every scale has; `colours` are an attribute of it."""
    tensors = []
    for i, r in enumerate(family.resolutions):
        block = family.block(r)
        tensors += _layer(f"{name}.{i}", getattr(block, colours))
        if r > 4:
            tensors += _layer(f"scaleLayers.{i - 1}.0", block.conv0)
            tensors += _layer(f"scaleLayers.{i - 1}.1", block.conv1)
    return tensors


def _layer(name, layer, split=(), axes=None):
    """The tensors of a layer; split and axes are those of its kernel."""
    *window, inputs, outputs = layer.kernel.shape
    shape = (outputs, inputs, *window)
    axes = axes or ((2, 3, 1, 0) if window else (1, 0))
    return [
        Tensor(f"{name}.weight", shape, layer.kernel, split, axes),
        Tensor(f"{name}.bias", (outputs,), layer.bias),
    ]
