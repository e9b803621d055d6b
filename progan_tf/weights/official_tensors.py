"""The names and the order of the official code's variables.

They are stored as they are trained, before the He constant. Kernels are [HWIO]
as ours, but for that of a fused upscale, which is [HWOI] and turned by 180
degrees; dense layers see feature maps as [CHW], ours as [HWC].
"""

from progan_tf.weights.tensors import Tensor


def generator_tensors(family):
    """The variables of a generator, in the order in which they are created.

    Args:
        family: `Generator`.

    Returns:
        list of `Tensor`; `lod`, which is no weight, is left out.
    """
    first = family.block(4)
    inputs, outputs = first.dense.kernel.shape
    split = (inputs, outputs // 16, 4, 4)
    tensors = _layer("4x4/Dense", first.dense, split=split, axes=(0, 2, 3, 1))
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


def discriminator_tensors(family):
    """The variables of a discriminator, in the order of their creation.

    Args:
        family: `Discriminator`.

    Returns:
        list of `Tensor`; `lod` is left out.
    """
    fused_scale = family.architecture.fused_scale
    tensors = []
    for r in reversed(family.resolutions):
        block = family.block(r)
        tensors += _layer(f"FromRGB_lod{_lod(family, r)}", block.from_rgb)
        if r > 4:
            down = "Conv1_down" if fused_scale else "Conv1"
            tensors += _layer(f"{r}x{r}/Conv0", block.conv0)
            tensors += _layer(f"{r}x{r}/{down}", block.conv1)
    last = family.block(4)
    inputs, units = last.dense0.kernel.shape
    split = (inputs // 16, 4, 4, units)
    tensors += _layer("4x4/Conv", last.conv)
    tensors += _layer("4x4/Dense0", last.dense0, split=split, axes=(1, 2, 0, 3))
    tensors += _layer("4x4/Dense1", last.dense1)
    return tensors


def _layer(name, layer, shape=None, **order):
    """The tensors of a layer; shape and order are those of its kernel."""
    shape = shape or tuple(layer.kernel.shape)
    return [
        Tensor(f"{name}/weight", shape, layer.kernel, **order),
        Tensor(f"{name}/bias", tuple(layer.bias.shape), layer.bias),
    ]


def _lod(family, resolution):
    """How many doublings a resolution is below the family's highest."""
    return (family.resolution // resolution).bit_length() - 1
