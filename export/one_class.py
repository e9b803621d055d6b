"""Conversion of a generator with classes to one that draws a single class."""

import keras

from progan_tf.errors import UserError
from progan_tf.export.precision import rebuilt
from progan_tf.layers import FixedLabel
from progan_tf.sampling import KerasGenerator, as_generator

# The name that `Generator` gives to the layer.
_JOINED = "latents_and_labels"


def of_one_class(generator, label):
    """A generator from latents alone to the images of one class.

    Args:
        generator: `keras.Model` from latents and one-hot labels to images, as
            `Generator` makes them, or an `AnyGenerator` that has one.
        label: int, the class.

    Returns:
        `AnyGenerator` with a copy of the weights. Its images are bit-identical
        to those of the given one with that label.

    Raises:
        UserError: if the generator has no such class, or other layers.
    """
    generator = as_generator(generator)
    generator.checked_labels([label], 1)
    model = generator.model
    if [x.name for x in model.layers].count(_JOINED) != 1:
        raise UserError(
            "expected a generator of progan_tf, which concatenates latents and "
            f"labels in a layer {_JOINED}; {generator.name} has no such layer"
        )

    # Options are what the layer was called with, and a mask if it takes one.
    def call(layer, *inputs, **options):
        if layer.name != _JOINED:
            return layer(*inputs, **options)
        latents, _ = inputs[0]
        fixed = FixedLabel(
            label,
            generator.num_classes,
            name=layer.name,
            dtype=layer.dtype_policy,
        )
        return fixed(latents)

    copy = rebuilt(model, lambda layer: {}, call)
    copy = keras.Model(copy.inputs[0], copy.outputs[0], name=model.name)
    return KerasGenerator(copy, generator.name, generator.origin)
