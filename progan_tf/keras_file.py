"""A generator as a `.keras` file."""

import zipfile

import keras

from progan_tf.addresses import is_unpacked_keras
from progan_tf.errors import UserError
from progan_tf.files import replacing
from progan_tf.reading import refusing


def save_keras(model, path):
    """Write a Keras model atomically; UserError if it cannot be written."""
    with replacing(path) as temporary:
        model.save(temporary)


def load_keras(path, resolution=None):
    """The generator in a `.keras` file, or in the folder of an unpacked one.

    Returns a `keras.Model`. Raises UserError if it cannot be read, is not a
    generator, or has another resolution than the given one.
    """
    if not (is_unpacked_keras(path) or zipfile.is_zipfile(path)):
        raise UserError(
            f"expected a run directory or .keras file; {path} is neither, or "
            "damaged (some commands take a TF-Hub module as --module)"
        )
    with refusing(path, "as a Keras model"):
        generator = keras.saving.load_model(path, compile=False)
        if isinstance(generator, keras.Sequential) and generator.built:
            # Exports need a functional model, which it can be converted to.
            generator = keras.Model(generator.inputs[0], generator.outputs[0])
    if not _is_generator(generator):
        raise UserError(
            "expected a generator, from latents [batch, Z] (and labels [batch, "
            "L]) to square images [batch, R, R, 1 or 3]; the Keras model in "
            f"{path} has other inputs or outputs"
        )
    found = generator.output_shape[1]
    if resolution not in (None, found):
        raise UserError(
            f"{path} makes images of {found}x{found}, not of {resolution}"
        )
    return generator


def _is_generator(model):
    """Whether a Keras model maps latents (and labels) to square images."""
    try:
        inputs, image = model.input, model.output
    except (AttributeError, ValueError):
        return False  # It is a layer, or a model that was never called.
    inputs = inputs if isinstance(inputs, list) else [inputs]
    # Neither a dict of tensors nor a nested list.
    tensors = all(isinstance(x, keras.KerasTensor) for x in [*inputs, image])
    if not (isinstance(model, keras.Model) and tensors):
        return False
    rows = all(len(x.shape) == 2 and x.shape[0] is None for x in inputs)
    if not rows or len(inputs) > 2 or len(image.shape) != 4:
        return False
    batch, height, width, channels = image.shape
    sizes = [*(x.shape[1] for x in inputs), height]
    return (
        all(sizes) and batch is None and height == width and channels in (1, 3)
    )
