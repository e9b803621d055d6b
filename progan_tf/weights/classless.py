"""Conversion of class-conditional networks to unconditional ones."""

import dataclasses
import math

import numpy as np


def without_classes(published):
    """Convert networks with classes to networks without.

    They can then be trained on pictures without classes, or with others. The
    discriminator keeps its score and loses its class output. The generator
    starts from the mean over its classes: the mean of what its first layer adds
    for each class is added to the bias. If the bias is shared by all positions,
    it takes the mean over these; without a bias nothing is needed, because a
    batch normalization follows, which removes means.

    Args:
        published: `PublishedGAN` of networks with classes, or with several
            labels per image.

    Returns:
        `PublishedGAN`, of new networks.
    """
    labels = published.info.attributes
    architecture = published.generator.architecture

    def first_layer(layer, old):
        return _without_inputs(layer, old, architecture, labels)

    return dataclasses.replace(
        published,
        generator=_copy(published.generator, first_layer),
        discriminator=_copy(published.discriminator, _score_alone),
        average=_copy(published.average, first_layer),
        info=dataclasses.replace(published.info, attributes=(), class_names=()),
    )


def _copy(family, changed):
    """A copy of a family, without classes, and with the same weights.

    The layer that depends on the classes, which has another shape, gets the
    weights `changed(layer, old layer)`.
    """
    architecture = dataclasses.replace(family.architecture, num_classes=0)
    copy = type(family).of(architecture)
    for resolution in copy.resolutions:
        blocks = copy.block(resolution), family.block(resolution)
        for layer, old in zip(*(b.layers for b in blocks), strict=True):
            shapes = [[w.shape for w in x.weights] for x in (layer, old)]
            alike = shapes[0] == shapes[1]
            layer.set_weights(
                old.get_weights() if alike else changed(layer, old)
            )
    return copy


def _score_alone(layer, old):
    """The weights of the last layer, whose first output is the score."""
    return [weight[..., :1] for weight in old.get_weights()]


def _without_inputs(layer, old, architecture, labels):
    """The weights of the first layer, whose last inputs are the labels."""
    kernel, *biases = old.get_weights()
    size, scale = architecture.latent_size, old.scale
    if architecture.normalize_latents:
        # Normalization to mean square 1 sees one 1 more for each label.
        scale *= math.sqrt(len(kernel) / (size + len(labels)))
    rows = np.split(kernel[size:], np.cumsum(labels)[:-1])
    added = scale * sum(np.mean(each, axis=0) for each in rows)
    added = added.reshape(layer.target_shape)
    if not layer.bias_per_element:
        added = np.mean(added, axis=(0, 1))
    factor, old_factor = (
        x.scale if x.scale_bias else 1.0 for x in (layer, old)
    )
    biases = [(old_factor * bias + added) / factor for bias in biases]
    return [kernel[:size] * (scale / layer.scale), *biases]
