"""The names and the order of pytorch_GAN_zoo's tensors.

They are stored as they are trained, before the He constant: kernels [OIHW],
dense layers [outputs, inputs] with feature maps as [CHW]. Scale i is 4 * 2**i
pixels wide.
"""

from progan_tf.weights.tensors import Tensor


def generator_tensors(family):
    """The tensors of netG or avgG.

    Args:
        family: `Generator` of the variant gan_zoo.

    Returns:
        list of `Tensor`, with names without ".module".
    """
    first = family.block(4)
    inputs, outputs = first.dense.kernel.shape
    maps = outputs // 16
    tensors = [
        Tensor(
            "formatLayer.weight",
            (outputs, inputs),
            first.dense.kernel,
            split=(maps, 4, 4, inputs),
            axes=(3, 1, 2, 0),
        ),
        Tensor(
            "formatLayer.bias",
            (outputs,),
            first.dense.bias,
            split=(maps, 4, 4),
            axes=(1, 2, 0),
        ),
    ]
    tensors += _convolution("groupScale0.0", first.conv)
    for i, r in enumerate(family.resolutions):
        block = family.block(r)
        tensors += _convolution(f"toRGBLayers.{i}", block.to_rgb)
        if r > 4:
            tensors += _convolution(f"scaleLayers.{i - 1}.0", block.conv0)
            tensors += _convolution(f"scaleLayers.{i - 1}.1", block.conv1)
    return tensors


def discriminator_tensors(family):
    """The tensors of netD.

    Args:
        family: `Discriminator` of the variant gan_zoo.

    Returns:
        list of `Tensor`, with names without ".module".
    """
    last = family.block(4)
    inputs, outputs = last.dense0.kernel.shape
    tensors = [
        Tensor(
            "groupScaleZero.1.weight",
            (outputs, inputs),
            last.dense0.kernel,
            split=(outputs, inputs // 16, 4, 4),
            axes=(2, 3, 1, 0),
        ),
        Tensor("groupScaleZero.1.bias", (outputs,), last.dense0.bias),
    ]
    inputs, outputs = last.dense1.kernel.shape
    tensors += [
        Tensor(
            "decisionLayer.weight",
            (outputs, inputs),
            last.dense1.kernel,
            axes=(1, 0),
        ),
        Tensor("decisionLayer.bias", (outputs,), last.dense1.bias),
    ]
    tensors += _convolution("groupScaleZero.0", last.conv)
    for i, r in enumerate(family.resolutions):
        block = family.block(r)
        tensors += _convolution(f"fromRGBLayers.{i}", block.from_rgb)
        if r > 4:
            tensors += _convolution(f"scaleLayers.{i - 1}.0", block.conv0)
            tensors += _convolution(f"scaleLayers.{i - 1}.1", block.conv1)
    return tensors


def _convolution(name, layer):
    height, width, maps_in, maps = layer.kernel.shape
    shape = (maps, maps_in, height, width)
    return [
        Tensor(f"{name}.weight", shape, layer.kernel, axes=(2, 3, 1, 0)),
        Tensor(f"{name}.bias", (maps,), layer.bias),
    ]
