"""The networks of facebookresearch/pytorch_GAN_zoo, which torch.hub offers.

A file holds the state dicts netG, netD and avgG and the settings they were
made with. Names may or may not have ".module" before ".weight" and ".bias".
Tensors are stored unscaled, before the He constant is applied: kernels [OIHW],
dense layers [outputs, inputs] with feature maps as [CHW]. Scale i is 4 * 2**i
pixels wide.
"""

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
from progan_tf.weights.tensors import Tensor, feature_map_settings, filled
from progan_tf.weights.torch_files import read_torch_file

LICENCE = (
    "the program is BSD 3-Clause; for the weights ask their authors, and mind "
    "the terms of the data they were trained on"
)

_CLASSES = "models.utils.config.BaseConfig"
_VARIANT = "gan_zoo"
# Values of a file's settings for networks as in the paper.
_FIXED = {
    "leakyReluLeak": (0.2,),
    "perChannelNormalization": (True,),
    "equalizedlR": (True,),
    # The others end the generator with a tanh.
    "lossCriterion": ("WGANGP", "Logistic"),
}


class _Settings:
    """Replaces pytorch_GAN_zoo's class of settings: only attributes."""


def read_gan_zoo(path):
    """Read a checkpoint of a progressive GAN of pytorch_GAN_zoo.

    Nothing in the file is executed. It needs PyTorch,
    `pip install "progan-tf[torch]"`.

    Args:
        path: a `.pth` or `.pt` file, of either form of torch.save.

    Returns:
        `PublishedGAN`, whose average is avgG, which users of torch.hub
        do not get, because it loads netG instead.

    Raises:
        UserError: if it is no such file, or its networks have a setting that
            is not supported; the message names it.
    """
    content = read_torch_file(path, {_CLASSES: _Settings})
    names = "netG", "netD", "avgG"
    netG, netD, avgG = (_arrays(f"{path}: {n}", content, n) for n in names)
    if netG is None or netD is None:
        raise UserError(
            f"expected a checkpoint of pytorch_GAN_zoo; {path} holds no netG "
            "and netD"
        )
    settings = getattr(content.get("config"), "__dict__", {})
    _check_settings(path, settings)
    attributes = _attributes(path, settings)
    architecture = _architecture(path, netG, netD, sum(attributes))
    kinds = {
        "netG": (Generator, _generator_tensors, netG),
        "netD": (Discriminator, _discriminator_tensors, netD),
        "avgG": (Generator, _generator_tensors, netG if avgG is None else avgG),
    }
    # Its alpha is the share of the old path.
    lod, size = float(settings.get("alpha", 0.0)), os.path.getsize(path)
    families = []
    for name, (make, tensors_of, arrays) in kinds.items():
        where = f"{path}: {name}"
        family = filled(make, architecture, tensors_of, where, arrays, size)
        set_level_of_detail(family, lod)
        families.append(family)
    info = PublishedInfo(_VARIANT, lod, attributes, LICENCE, avgG is not None)
    return PublishedGAN(*families, info)


def _arrays(where, content, name):
    """dict from name without ".module" to float32 array; None if no dict."""
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
    """Raise UserError for a setting that is not supported."""
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
    """The number of values of each label: tuple of ints."""
    count = settings.get("categoryVectorDim", 0)
    keys = settings.get("attribKeysOrder")
    try:
        keys = {} if keys is None else dict(keys)
        sizes = tuple(len(key["values"]) for key in keys.values())
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(f"{path}: cannot read attribKeysOrder") from error
    if not isinstance(count, int) or sum(sizes) != count:
        as_many = "as many values in attribKeysOrder as categoryVectorDim says"
        raise UserError(f"{path}: expected {as_many}")
    return sizes


def _architecture(path, netG, netD, num_classes):
    """The `Architecture` of networks with these arrays."""
    maps, channels = {}, 0
    while (key := f"toRGBLayers.{len(maps)}.weight") in netG:
        shape = netG[key].shape
        if len(shape) != 4:
            break
        channels, maps[4 << len(maps)] = shape[0], shape[1]
    if not maps or "formatLayer.weight" not in netG:
        other = "another network than pytorch_GAN_zoo's progressive GAN"
        raise UserError(f"{path} holds {other}")
    try:
        check_resolution(max(maps))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if min(maps.values()) < 1 or channels < 1:
        raise UserError(f"{path}: expected feature maps at every scale")
    inputs = netG["formatLayer.weight"].shape
    latent_size = (inputs[1] if len(inputs) == 2 else 0) - num_classes
    if latent_size < 1:
        raise UserError(f"{path}: netG: expected a formatLayer with latents")
    base, most = feature_map_settings(maps)
    kernel = netD.get("groupScaleZero.0.weight")
    # The minibatch standard deviation adds one input map.
    stddev = kernel is not None and kernel.shape[1:2] == (maps[4] + 1,)
    return Architecture(
        resolution=max(maps),
        latent_size=latent_size,
        num_classes=num_classes,
        channels=channels,
        fmap_base=base,
        fmap_max=most,
        fused_scale=False,
        minibatch_stddev_group=4 if stddev else 0,
        variant=_VARIANT,
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
    """The tensors that every scale has; `colours`: "to_rgb" or "from_rgb"."""
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
