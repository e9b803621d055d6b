"""The official code's network pickles: (G, D, Gs).

Their variables are stored unscaled, before the He constant is applied. Kernels
are [HWIO] as ours, except that of a fused upscale, which is [HWOI] and rotated
by 180 degrees; dense layers see feature maps as [CHW], ours as [HWC].
"""

import os

from progan_tf.errors import UserError
from progan_tf.networks import Discriminator, Generator
from progan_tf.weights.official_options import architecture_of
from progan_tf.weights.published import (
    PublishedGAN,
    PublishedInfo,
    set_level_of_detail,
)
from progan_tf.weights.tensors import Tensor, filled
from progan_tf.weights.unpickle import (
    DAMAGE,
    NUMPY_NAMES,
    Call,
    numpy_array,
    read_pickle,
)

LICENCE = (
    "CC BY-NC 4.0 if the authors of the paper published it: no commercial "
    "use, and credit to Karras et al. 2018"
)

_NETWORK = "tfutil.Network"
_STYLE_GAN = "a StyleGAN pickle; this program reads Progressive GANs"
_FOREIGN = {
    "network.Network": "of the original Theano program, which is not read "
    "here: load it with misc.load_pkl of the official TensorFlow code, save "
    "it with misc.save_pkl, and read that",
    "dnnlib.": _STYLE_GAN,
    "torch_utils.": _STYLE_GAN,
    "torch.": "of PyTorch, and no file of the official code",
}


def read_official(path):
    """Read a network pickle of the official TensorFlow code.

    Nothing in the file is executed, and the official code is not needed.

    Args:
        path: a `.pkl` file of (G, D, Gs).

    Returns:
        `PublishedGAN`.

    Raises:
        UserError: if it is no such file, or its networks have an option that
            ours do not have; the message names it.
    """
    content = read_pickle(path, {_NETWORK, *NUMPY_NAMES}, _FOREIGN)
    size = os.path.getsize(path)
    kinds = {
        "G_paper": (Generator, _generator_tensors),
        "D_paper": (Discriminator, _discriminator_tensors),
    }
    functions = {"G": "G_paper", "D": "D_paper", "Gs": "G_paper"}
    states = _states(path, content, functions.values())
    networks = {}
    for (name, function), state in zip(functions.items(), states, strict=True):
        where = f"{path}: {name}"
        arrays = _arrays(where, state, size)
        lod = arrays.pop("lod", None)  # The level of detail is no weight.
        if lod is None or lod.shape or not 0 <= lod <= 8:
            raise UserError(f"{where}: expected a number lod from 0 to 8")
        architecture = architecture_of(
            where, state.get("static_kwargs"), arrays
        )
        make, tensors_of = kinds[function]
        family = filled(make, architecture, tensors_of, where, arrays, size)
        set_level_of_detail(family, float(lod))
        networks[name] = family
    generator, discriminator, average = networks.values()
    if generator.architecture != average.architecture:
        raise UserError(
            f"{path}: expected G and Gs with the same options; theirs differ"
        )
    classes = generator.architecture.num_classes
    # That of the average, which came last.
    info = PublishedInfo(
        "official", float(lod), (classes,) if classes else (), LICENCE
    )
    return PublishedGAN(generator, discriminator, average, info)


def _states(path, content, functions):
    """The state dicts of the three networks; checks their `functions`."""
    good = isinstance(content, (tuple, list)) and len(content) == 3
    if not good or not all(
        isinstance(network, Call)
        and network.name == _NETWORK
        and isinstance(network.state, dict)
        for network in content
    ):
        raise UserError(
            "expected a pickle of the three networks (G, D, Gs) of the "
            f"official code; {path} holds something else"
        )
    states = [network.state for network in content]
    for state, function in zip(states, functions, strict=True):
        other = None
        if state.get("version") != 2:
            other = "another version; expected version 2"
        elif state.get("build_func_name") != function:
            other = f"other functions; expected {', '.join(functions)}"
        if other:
            raise UserError(f"{path} has networks of {other}")
    return states


def _arrays(where, state, most_bytes):
    """dict from name to float32 array of a network's variables."""
    arrays, total = {}, 0
    try:
        for name, value in state["variables"]:
            if not isinstance(name, str) or name in arrays:
                raise ValueError("expected each name once")
            arrays[name] = numpy_array(value)
            if arrays[name].dtype != "float32":
                raise ValueError(f"{name[:80]} is not of float32")
            # Many arrays may share one string, and each decodes a copy of it.
            total += arrays[name].nbytes
            if total > most_bytes:
                raise ValueError("they have more bytes than the file")
    except DAMAGE as error:
        raise UserError(
            f"{where}: cannot read the variables: {str(error)[:100]}"
        ) from error
    return arrays


def _generator_tensors(family):
    """The `Tensor`s of a `Generator`, in the order of their creation."""
    dense = family.block(4).dense
    inputs, outputs = dense.kernel.shape
    split = (inputs, outputs // 16, 4, 4)
    tensors = _layer("4x4/Dense", dense, split=split, axes=(0, 2, 3, 1))
    for r in family.resolutions:
        block = family.block(r)
        if r == 4:
            tensors += _layer("4x4/Conv", block.conv)
        else:
            name, order = f"{r}x{r}/Conv0", {}
            if family.architecture.fused_scale:
                name = f"{r}x{r}/Conv0_up"
                height, width, maps_in, maps = block.conv0.kernel.shape
                order = {"shape": (height, width, maps, maps_in)}
                order |= {"axes": (0, 1, 3, 2), "flipped": True}
            tensors += _layer(name, block.conv0, **order)
            tensors += _layer(f"{r}x{r}/Conv1", block.conv1)
        tensors += _layer(f"ToRGB_lod{_lod(family, r)}", block.to_rgb)
    return tensors


def _discriminator_tensors(family):
    """The `Tensor`s of a `Discriminator`, in the order of their creation."""
    down = "Conv1_down" if family.architecture.fused_scale else "Conv1"
    tensors = []
    for r in reversed(family.resolutions):
        block = family.block(r)
        tensors += _layer(f"FromRGB_lod{_lod(family, r)}", block.from_rgb)
        if r > 4:
            tensors += _layer(f"{r}x{r}/Conv0", block.conv0)
            tensors += _layer(f"{r}x{r}/{down}", block.conv1)
    last = family.block(4)
    inputs, units = last.dense0.kernel.shape
    split = (inputs // 16, 4, 4, units)
    tensors += _layer("4x4/Conv", last.conv)
    tensors += _layer("4x4/Dense0", last.dense0, split=split, axes=(1, 2, 0, 3))
    return tensors + _layer("4x4/Dense1", last.dense1)


def _layer(name, layer, shape=None, **order):
    """The tensors of a layer; shape and order are those of its kernel."""
    shape = shape or tuple(layer.kernel.shape)
    return [
        Tensor(f"{name}/weight", shape, layer.kernel, **order),
        Tensor(f"{name}/bias", tuple(layer.bias.shape), layer.bias),
    ]


def _lod(family, resolution):
    """The number of doublings from a resolution to the family's highest."""
    return (family.resolution // resolution).bit_length() - 1
