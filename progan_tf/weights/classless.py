"""Networks that learnt classes made into networks without."""

import dataclasses
import math

import numpy as np


def without_classes(published):
    """The networks of weights with classes as networks without.

    So that they can go on with pictures that have none, or others. The
    discriminator scores as before and tells no classes. The generator draws
    what lies amid its classes: of what its first layer adds for each class it
    adds the mean. A bias that all positions share takes the mean over these,
    and where there is no bias a batch normalization follows, which takes means
    away.

    Args:
        published: `PublishedGAN` of networks with classes, or with several
            labels an image.

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
        info=dataclasses.replace(published.info, attributes=()),
    )


def _copy(family, changed):
    """A family of no classes, with the weights of another one.

    Those of the layer that knows the classes, which has another shape, are
    what `changed(layer, old layer)` gives.
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
        # To a mean square of 1, of a latent with one 1 for each label in it.
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
