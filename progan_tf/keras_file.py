"""A generator as a `.keras` file."""

import zipfile

import keras

from progan_tf.errors import UserError
from progan_tf.files import replacing
from progan_tf.text import first_line


def save_keras(model, path):
    """Write a Keras model as a `.keras` file, whole or not at all.

    Raises:
        UserError: if it cannot be written.
    """
    with replacing(path) as temporary:
        model.save(temporary)


def load_keras(path, resolution=None):
    """A generator from a `.keras` file.

    Args:
        path: the file.
        resolution: int, which it must have; by default any.

    Returns:
        `keras.Model`.

    Raises:
        UserError: if it cannot be read, or holds another model.
    """
    if not zipfile.is_zipfile(path):
        raise UserError(
            f"expected a run directory or .keras file; {path} is neither, or "
            "damaged (some commands take a TF-Hub module as --module)"
        )
    try:
        generator = keras.saving.load_model(path, compile=False)
    except Exception as error:
        # Of any kind: Keras meets whatever a broken file holds.
        raise UserError(
            f"cannot read {path} as a Keras model: {first_line(error)}"
        ) from error
    if not _is_generator(generator):
        raise UserError(
            "expected a generator, from latents [batch, Z] (and labels "
            "[batch, L]) to square images [batch, R, R, 1 or 3]; the Keras "
            f"model in {path} is another one"
        )
    found = generator.output_shape[1]
    if resolution not in (None, found):
        raise UserError(
            f"{path} makes images of {found}x{found}, not of {resolution}"
        )
    return generator


def _is_generator(model):
    """Whether a Keras model maps latents (and labels) to square images."""
    inputs, image = model.input_shape, model.output_shape
    inputs = inputs if isinstance(inputs, list) else [inputs]
    return (
        len(inputs) in (1, 2)
        and all(len(shape) == 2 and shape[1] for shape in inputs)
        and isinstance(image, tuple)
        and len(image) == 4
        and image[1] == image[2] is not None
        and image[3] in (1, 3)
    )
