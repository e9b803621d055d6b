"""The official code's network pickles: (G, D, Gs)."""

import os

from progan_tf.errors import UserError
from progan_tf.networks import Discriminator, Generator
from progan_tf.weights.official_options import (
    discriminator_architecture,
    generator_architecture,
)
from progan_tf.weights.official_tensors import (
    discriminator_tensors,
    generator_tensors,
)
from progan_tf.weights.published import (
    PublishedGAN,
    PublishedInfo,
    set_level_of_detail,
)
from progan_tf.weights.tensors import assign_all, check_size
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
_FUNCTIONS = ("G_paper", "D_paper", "G_paper")
_FOREIGN = {
    "network.Network": "of the original Theano program, which is not read "
    "here: load it with misc.load_pkl of the official TensorFlow code, save "
    "it with misc.save_pkl, and read that",
    "dnnlib.": "a StyleGAN pickle; this program reads Progressive GANs",
    "torch_utils.": "a StyleGAN pickle; this program reads Progressive GANs",
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
    states = _network_states(path, content)
    most_bytes = os.path.getsize(path)
    readers = _read_generator, _read_discriminator, _read_generator
    networks, lods = [], []
    for name, state, read in zip(
        ("G", "D", "Gs"), states, readers, strict=True
    ):
        where = f"{path}: {name}"
        arrays = _arrays(where, state, most_bytes)
        lod = _level_of_detail(where, arrays)
        family = read(where, state, arrays, most_bytes)
        set_level_of_detail(family, lod)
        networks.append(family)
        lods.append(lod)
    generator, discriminator, average = networks
    if generator.architecture != average.architecture:
        raise UserError(f"{path}: G and Gs were made with other options")
    classes = generator.architecture.num_classes
    info = PublishedInfo(
        program="official",
        lod=lods[2],
        attributes=(classes,) if classes else (),
        has_average=True,
        licence=LICENCE,
    )
    return PublishedGAN(generator, discriminator, average, info)


def official_variables(published):
    """The weights as the official code stores them.

    Args:
        published: `PublishedGAN` of `read_official`.

    Returns:
        dict from "G", "D" and "Gs" to a dict from name to float32 array, in
        the official order. `lod`, which is no weight, is left out.
    """
    networks = {
        "G": generator_tensors(published.generator),
        "D": discriminator_tensors(published.discriminator),
        "Gs": generator_tensors(published.average),
    }
    return {
        key: {tensor.name: tensor.written_back() for tensor in tensors}
        for key, tensors in networks.items()
    }


def _network_states(path, content):
    """The dicts of the three networks."""
    good = isinstance(content, (tuple, list)) and len(content) == 3
    good = good and all(
        isinstance(network, Call)
        and network.name == _NETWORK
        and isinstance(network.state, dict)
        for network in content
    )
    if not good:
        raise UserError(
            f"{path} is a pickle of something else than the three networks "
            "(G, D, Gs) of the official code"
        )
    states = [network.state for network in content]
    for state, function in zip(states, _FUNCTIONS, strict=True):
        if state.get("version") != 2:
            raise UserError(
                f"{path} has networks of another version; expected version 2"
            )
        if state.get("build_func_name") != function:
            raise UserError(
                f"{path} has networks of other functions; expected "
                f"{', '.join(_FUNCTIONS)}"
            )
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
            # One text may stand for many arrays, each with a copy of its own.
            total += arrays[name].nbytes
            if total > most_bytes:
                raise ValueError("they have more bytes than the file")
    except DAMAGE as error:
        raise UserError(
            f"{where}: cannot read the variables: {str(error)[:100]}"
        ) from error
    return arrays


def _level_of_detail(where, arrays):
    """The value of `lod`, which is taken out of the arrays."""
    lod = arrays.pop("lod", None)
    if lod is None or lod.shape or not 0 <= lod <= 8:
        raise UserError(f"{where}: expected a number lod from 0 to 8")
    return float(lod)


def _read_generator(where, state, arrays, most_bytes):
    """`Generator` with a file's weights."""
    options = state.get("static_kwargs")
    architecture = generator_architecture(where, options, arrays)
    expected = architecture.generator_parameters()
    check_size(where, arrays, expected, most_bytes)
    family = Generator.of(architecture)
    assign_all(where, generator_tensors(family), arrays)
    return family


def _read_discriminator(where, state, arrays, most_bytes):
    """`Discriminator` with a file's weights."""
    options = state.get("static_kwargs")
    architecture = discriminator_architecture(where, options, arrays)
    expected = architecture.discriminator_parameters()
    check_size(where, arrays, expected, most_bytes)
    family = Discriminator.of(architecture)
    assign_all(where, discriminator_tensors(family), arrays)
    return family
