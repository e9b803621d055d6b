"""Writing a generator as a `.keras` file."""

import keras
import numpy as np
import tensorflow as tf

from progan_tf.export.card import append_card
from progan_tf.export.checks import write_checked
from progan_tf.export.formats import check_request
from progan_tf.export.precision import in_precision


def export_keras_file(
    generator, path, overwrite=False, precision="float32", card=None
):
    """Write a generator as a `.keras` file and compare it, read back.

    Args:
        generator: `keras.Model` from latents (and one-hot labels).
        path: the file, which ends with `.keras`.
        overwrite: bool, replace what is there.
        precision: "float32", "bfloat16" or "float16", what the layers compute
            in. The weights are float32 all the same.
        card: str, Markdown to lie in the file, which is a zip archive, as
            README.md.

    Returns:
        float, the largest difference between the images of 8 seeds in [0, 1].

    Raises:
        UserError: for another ending, if something is there and may not be
            overwritten, if it cannot be written, or if the images differ.
            Then nothing is left of it, and what was there is as it was.
    """
    path = check_request("keras", path, precision, overwrite)
    model = in_precision(generator, precision)

    def write(file):
        model.save(file)
        append_card(file, card)

    return write_checked(path, write, _loaded, generator, precision)


def _loaded(file):
    """The written model, as a function of the named inputs."""
    model = keras.saving.load_model(file, compile=False)
    # As a graph, which takes less memory than layer by layer.
    forward = tf.function(model, autograph=False)

    def images_of(inputs):
        values = list(inputs.values())
        outputs = forward(values if len(values) > 1 else values[0])
        return ((np.asarray(outputs) + 1) / 2).clip(0, 1)

    return images_of
