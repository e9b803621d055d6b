"""A model that gives a generator's images at every resolution."""

import os

import keras

from progan_tf import pretrained
from progan_tf.checkpoint import latest_checkpoint, restore_networks
from progan_tf.networks import Generator
from progan_tf.weights.runs import read_shipped


def levels_of(generator):
    """A generator's images at each resolution that it grew through.

    The toRGB layers of lower resolutions are not part of the generator's model;
    they are read from the run that the generator comes from. Resolutions that
    the run did not train are left out; without a run there is only one.

    Args:
        generator: `AnyGenerator` that has a model.

    Returns:
        `keras.Model` from the generator's inputs to a list of images, the
        smallest first, approximately in [-1, 1] and before a final tanh. Its
        weights are the generator's.
    """
    model = generator.model
    layers = {layer.name: layer for layer in model.layers}
    tanh = layers.get("tanh")
    images = [model.output if tanh is None else tanh.input]
    family, trained = _family(generator)
    for resolution in reversed(trained):
        above = layers.get(f"upscale_{2 * resolution}") or layers.get(
            f"conv0_{2 * resolution}"
        )
        if above is not None:  # And not the highest resolution, or above it.
            to_rgb = family.block(resolution).to_rgb
            images.insert(0, to_rgb(above.input))
    return keras.Model(model.input, images)


def _family(generator):
    """The averaged `Generator` of the run that it comes from, or None.

    And the resolutions that the run has trained, a tuple; without a run ().
    """
    config, images_seen = generator.origin or (None, None)
    if config is None or not os.path.isdir(config.run_dir):
        return None, ()
    trained = config.schedule().finished(images_seen)
    for shipped in pretrained.SHIPPED.values():
        if os.path.samefile(config.run_dir, shipped.folder):
            return read_shipped(shipped).average, trained
    family = Generator.of(config.architecture)
    restore_networks(latest_checkpoint(config.run_dir), average=family)
    return family, trained
