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
        if isinstance(generator, keras.Sequential) and generator.built:
            # Exports take functional models apart, which it is, too.
            generator = keras.Model(generator.inputs[0], generator.outputs[0])
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
    try:
        inputs, shapes, image = (
            model.input,
            model.input_shape,
            model.output_shape,
        )
    except (AttributeError, ValueError):
        return False  # It is a layer, or a model that was never called.
    inputs = inputs if isinstance(inputs, list) else [inputs]
    shapes = shapes if isinstance(shapes, list) else [shapes]
    return (
        isinstance(model, keras.Model)
        and len(inputs) in (1, 2)
        # Neither a dict of them nor a list of lists.
        and all(isinstance(each, keras.KerasTensor) for each in inputs)
        and all(
            isinstance(shape, tuple)
            and len(shape) == 2
            and shape[0] is None
            and shape[1]
            for shape in shapes
        )
        and isinstance(model.output, keras.KerasTensor)
        and isinstance(image, tuple)
        and len(image) == 4
        and image[0] is None
        and image[1] == image[2] is not None
        and image[1] > 0
        and image[3] in (1, 3)
    )
