"""The networks of a generator that comes with the program, to train on."""

import numpy as np

from progan_tf.config import load_config
from progan_tf.keras_file import load_keras
from progan_tf.networks import Discriminator, Generator
from progan_tf.pretrained import GENERATOR_FILE, TRAINING_FILE
from progan_tf.weights.published import PublishedGAN, PublishedInfo
from progan_tf.weights.runs import settings_of


def read_shipped(shipped):
    """Read the networks of a generator that comes with the program.

    Args:
        shipped: `pretrained.Shipped`.

    Returns:
        `PublishedGAN`; its generator is a copy of the average.

    Raises:
        UserError: if a file is missing or damaged.
    """
    config = load_config(shipped.folder)
    architecture = config.architecture
    generator, average = (Generator.of(architecture) for _ in range(2))
    discriminator = Discriminator.of(architecture)
    model = load_keras(shipped.file(GENERATOR_FILE), config.resolution)
    arrays = {
        _name(generator, layer, weight): weight.numpy()
        for layer in model.layers
        for weight in layer.weights
    }
    with np.load(shipped.file(TRAINING_FILE), allow_pickle=False) as file:
        arrays |= file
    for family in (generator, average, discriminator):
        for resolution in family.resolutions:
            for layer in family.block(resolution).layers:
                for weight in layer.trainable_weights:
                    weight.assign(arrays[_name(family, layer, weight)])
    info = PublishedInfo(
        program=config.variant,
        lod=0.0,
        attributes=(config.num_classes,) if config.num_classes else (),
        has_average=True,
        licence=shipped.licence,
        images_seen=shipped.images_seen,
        settings=settings_of(config),
    )
    return PublishedGAN(generator, discriminator, average, info)


def training_arrays(generator, discriminator):
    """The arrays of `pretrained`'s training.npz, of two families.

    Args:
        generator: `Generator`, the average.
        discriminator: `Discriminator`.

    Returns:
        dict from name to float32 array.
    """
    model = generator.at(generator.resolution, fade=False)
    shown = {layer.name for layer in model.layers}
    return {
        _name(family, layer, weight): weight.numpy()
        for family in (generator, discriminator)
        for resolution in family.resolutions
        for layer in family.block(resolution).layers
        if family is discriminator or layer.name not in shown
        for weight in layer.trainable_weights
    }


def _name(family, layer, weight):
    return f"{family.name}/{layer.name}/{weight.name}"
