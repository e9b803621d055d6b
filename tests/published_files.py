"""Files of published weights, made by the formats' own tools for tests."""

import contextlib
import math
import os
import pathlib
import pickle
import sys
import types

import numpy as np
import pytest

from progan_tf.errors import UserError

GOLDENS = pathlib.Path(__file__).resolve().parent / "goldens"
# (generator, discriminator), counted for the official code's networks; in the
# paper both have 23.1 M at 1024x1024.
OFFICIAL_PARAMETERS = {
    4: (6_556_163, 6_561_793),
    8: (11_277_318, 11_283_457),
    16: (15_998_473, 16_005_121),
    32: (20_719_628, 20_726_785),
    64: (22_490_383, 22_498_049),
    128: (22_933_394, 22_941_313),
    256: (23_044_309, 23_052_353),
    512: (23_072_120, 23_080_225),
    1024: (23_079_115, 23_087_249),
}


class Network:
    """The official code's class, as far as pickles need it."""

    def __init__(self, state):
        self.state = state

    def __getstate__(self):
        return self.state

    def __setstate__(self, state):
        self.state = state


class BaseConfig:
    """pytorch_GAN_zoo's class of settings."""


class Hostile:
    """Runs a shell command when it is unpickled."""

    def __init__(self, canary):
        self._command = f"touch {canary}"

    def __reduce__(self):
        return os.system, (self._command,)


def assert_refused_by(read, path, message):
    """Check that reading a file raises a one-line `UserError`."""
    with pytest.raises(UserError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def assert_close(actual, desired):
    """Within 1e-4 of the largest value."""
    limit = 1e-4 * np.abs(desired).max()
    np.testing.assert_allclose(actual, desired, rtol=0, atol=limit)


@contextlib.contextmanager
def class_at(cls, name):
    """A class at a full name such as tfutil.Network, to pickle it there."""
    module, _, cls.__qualname__ = name.rpartition(".")
    cls.__module__, cls.__name__ = module, cls.__qualname__
    parts = module.split(".")
    names = [".".join(parts[: i + 1]) for i in range(len(parts))]
    sys.modules.update({part: types.ModuleType(part) for part in names})
    setattr(sys.modules[module], cls.__name__, cls)
    try:
        yield cls
    finally:
        for part in names:
            del sys.modules[part]


def official_states(path):
    """The dicts of G, D and Gs, read by the ordinary pickle module."""
    with class_at(Network, "tfutil.Network"), open(path, "rb") as file:
        return [n.state for n in pickle.load(file, encoding="latin1")]


def save_official(path, states, protocol=4, name="tfutil.Network"):
    """Pickle G, D and Gs from their dicts; returns the path."""
    with class_at(Network, name):
        networks = tuple(Network(state) for state in states)
        path.write_bytes(pickle.dumps(networks, protocol))
    return path


def gan_zoo_content(name):
    """The content of a golden of pytorch_GAN_zoo, fully unpickled."""
    torch = _torch()
    with class_at(BaseConfig, "models.utils.config.BaseConfig"):
        return torch.load(GOLDENS / f"{name}.pth", weights_only=False)


def save_gan_zoo(path, content, legacy=False):
    """Write with torch.save, in the legacy format or not; returns the path."""
    torch = _torch()
    with class_at(BaseConfig, "models.utils.config.BaseConfig"):
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def golden_arrays(name):
    """dict of the arrays of a golden; images [N, R, R, C]."""
    with np.load(GOLDENS / f"{name}.npz") as file:
        arrays = dict(file)
    for key in arrays:
        if key.startswith("images"):
            arrays[key] = arrays[key].transpose(0, 2, 3, 1)
    return arrays


def assert_official_weights(family, variables):
    """Check that a family has the official variables' values, and no more.

    Args:
        family: `Generator` or `Discriminator`.
        variables: dict from the official name to the array.
    """
    layers = {"Conv0_up": "conv0", "Conv1_down": "conv1", "Conv": "conv"}
    arrays = {name: a for name, a in variables.items() if name != "lod"}
    for name, array in arrays.items():
        layer, kind = name.rsplit("/", 1)
        if "RGB" in layer:
            what, lod = layer.split("_lod")
            block = family.block(family.resolution >> int(lod))
            layer = {"ToRGB": "to_rgb", "FromRGB": "from_rgb"}[what]
        else:
            size, what = layer.split("/")
            block = family.block(int(size.split("x")[0]))
            layer = layers.get(what, what.lower())
            if kind == "weight" and what == "Conv0_up":
                array = array.transpose(0, 1, 3, 2)[::-1, ::-1]
            elif kind == "weight" and what == "Dense":  # [ZCHW] to [ZHWC]
                maps = array.reshape(len(array), -1, 4, 4)
                array = maps.transpose(0, 2, 3, 1).reshape(array.shape)
            elif kind == "weight" and what == "Dense0":  # [CHWU] to [HWCU]
                maps = array.reshape(-1, 4, 4, array.shape[-1])
                array = maps.transpose(1, 2, 0, 3).reshape(array.shape)
        _assert_holds(getattr(block, layer), kind, array)
    assert family.count_params() == sum(a.size for a in arrays.values())


def assert_gan_zoo_weights(family, state):
    """The same for a state dict of pytorch_GAN_zoo."""
    names = {
        "formatLayer": (4, "dense"),
        "groupScale0.0": (4, "conv"),
        "groupScaleZero.0": (4, "conv"),
        "groupScaleZero.1": (4, "dense0"),
        "decisionLayer": (4, "dense1"),
    }
    for i, r in enumerate(family.resolutions):
        names[f"toRGBLayers.{i}"] = (r, "to_rgb")
        names[f"fromRGBLayers.{i}"] = (r, "from_rgb")
        names[f"scaleLayers.{i - 1}.0"] = (r, "conv0")
        names[f"scaleLayers.{i - 1}.1"] = (r, "conv1")
    for name, tensor in state.items():
        layer, kind = name.replace(".module", "").rsplit(".", 1)
        array = tensor.numpy()
        if layer == "formatLayer":  # [CHW...] to [...HWC]
            maps = array.reshape(-1, 4, 4, *array.shape[1:])
            array = np.moveaxis(maps, 0, -1)
            if kind == "weight":
                array = np.moveaxis(array, 2, 0).reshape(maps.shape[-1], -1)
        elif kind == "weight" and layer == "groupScaleZero.1":
            maps = array.reshape(len(array), -1, 4, 4)  # [UCHW] to [HWCU]
            array = maps.transpose(2, 3, 1, 0).reshape(-1, len(array))
        elif kind == "weight":
            array = array.T if array.ndim == 2 else array.transpose(2, 3, 1, 0)
        resolution, attribute = names[layer]
        _assert_holds(getattr(family.block(resolution), attribute), kind, array)
    count = sum(math.prod(tensor.shape) for tensor in state.values())
    assert family.count_params() == count


def _assert_holds(layer, kind, array):
    """Check that a kernel ("weight") or bias equals an array, to the bit."""
    variable = layer.kernel if kind == "weight" else layer.bias
    assert variable.numpy().tobytes() == array.tobytes(), (layer.name, kind)
    assert variable.shape == array.shape


def _torch():
    # Here, because only some tests need PyTorch.
    import torch

    return torch


def random_states(resolution, **options):
    """States of G, D and Gs with random weights.

    Names and shapes follow the official code, independently of this program.
    """
    rng = np.random.default_rng(0)
    kwargs = {"num_channels": 3, "resolution": resolution, **options}

    def state(function, variables):
        arrays = [("lod", np.float32(0.0))] + [
            (name, rng.standard_normal(shape, "float32"))
            for name, shape in variables
        ]
        return {
            "version": 2,
            "name": "a network",
            "static_kwargs": dict(kwargs),
            "build_module_src": "# the source would be here\n",
            "build_func_name": function,
            "variables": arrays,
        }

    generator = list(_generator_shapes(**kwargs))
    discriminator = list(_discriminator_shapes(**kwargs))
    return [
        state("G_paper", generator),
        state("D_paper", discriminator),
        state("G_paper", generator),
    ]


def _maps(stage, fmap_base=8192, fmap_decay=1.0, fmap_max=512, **_):
    return min(int(fmap_base / 2.0 ** (stage * fmap_decay)), fmap_max)


def _generator_shapes(resolution, num_channels, **options):
    top = int(math.log2(resolution))
    labels, latents = options.get("label_size", 0), options.get("latent_size")
    first = _maps(1, **options)
    latents = latents or _maps(0, **options)
    yield "4x4/Dense/weight", (latents + labels, 16 * first)
    yield "4x4/Dense/bias", (first,)
    yield from _conv("4x4/Conv", 3, first, first)
    yield from _conv(f"ToRGB_lod{top - 2}", 1, first, num_channels)
    for r in range(3, top + 1):
        size, below, maps = (
            2**r,
            _maps(r - 2, **options),
            _maps(r - 1, **options),
        )
        if options.get("fused_scale", True):
            yield f"{size}x{size}/Conv0_up/weight", (3, 3, maps, below)
            yield f"{size}x{size}/Conv0_up/bias", (maps,)
        else:
            yield from _conv(f"{size}x{size}/Conv0", 3, below, maps)
        yield from _conv(f"{size}x{size}/Conv1", 3, maps, maps)
        yield from _conv(f"ToRGB_lod{top - r}", 1, maps, num_channels)


def _discriminator_shapes(resolution, num_channels, **options):
    top = int(math.log2(resolution))
    yield from _conv("FromRGB_lod0", 1, num_channels, _maps(top - 1, **options))
    down = "Conv1_down" if options.get("fused_scale", True) else "Conv1"
    for r in range(top, 2, -1):
        size, below, maps = (
            2**r,
            _maps(r - 2, **options),
            _maps(r - 1, **options),
        )
        yield from _conv(f"{size}x{size}/Conv0", 3, maps, maps)
        yield from _conv(f"{size}x{size}/{down}", 3, maps, below)
        yield from _conv(f"FromRGB_lod{top - r + 1}", 1, num_channels, below)
    first, units = _maps(1, **options), _maps(0, **options)
    stddev = options.get("mbstd_group_size", 4) > 1
    yield from _conv("4x4/Conv", 3, first + stddev, first)
    yield "4x4/Dense0/weight", (16 * first, units)
    yield "4x4/Dense0/bias", (units,)
    yield "4x4/Dense1/weight", (units, 1 + options.get("label_size", 0))
    yield "4x4/Dense1/bias", (1 + options.get("label_size", 0),)


def _conv(name, size, maps_in, maps):
    yield f"{name}/weight", (size, size, maps_in, maps)
    yield f"{name}/bias", (maps,)
