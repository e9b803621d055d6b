"""A generator as a `.keras` file."""

import io
import json
import re
import zipfile

import h5py
import keras

from progan_tf.errors import UserError
from progan_tf.files import replacing
from progan_tf.reading import open_file, parse_json
from progan_tf.text import first_line

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
# What a file may ask for: not Keras' utilities, which download and unpack, nor
# anything outside of Keras. Versions of it differ in what they refuse.
_MODULES = re.compile(
    r"keras(\.src)?(\.(layers|models|initializers|activations|regularizers|"
    r"constraints|dtype_policies|quantizers)(\.\w+)*)?|progan_tf\.layers(\.\w+)?"
)
# Layers that run code or read files which their settings name.
_LAYERS = re.compile(
    "Lambda|TFSMLayer|TorchModuleWrapper|JaxLayer|FlaxLayer|TextVectorization|"
    r"\w*Lookup|__lambda__"
)
# Weights hardly get smaller by compression.
_MOST_GROWTH = 20


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
        with open_file(path) as file, zipfile.ZipFile(file) as archive:
            _check_archive(archive)
        generator = keras.saving.load_model(path, compile=False)
        if isinstance(generator, keras.Sequential) and generator.built:
            # Exports take functional models apart, which it is, too.
            generator = keras.Model(generator.inputs, generator.outputs)
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


def _check_archive(archive):
    """Raise ValueError for what would do more than to make a model."""
    members = archive.infolist()
    size = sum(member.compress_size for member in members)
    unpacked = sum(member.file_size for member in members)
    if unpacked > _MOST_GROWTH * (size + 2**20):
        raise ValueError(f"it would unpack to {unpacked:,} bytes")
    waiting = [parse_json(archive.read(_CONFIG).decode())]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            _check_class(value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    data = archive.read(_WEIGHTS)
    with h5py.File(io.BytesIO(data), "r") as weights:
        _check_weights(weights, _MOST_GROWTH * (len(data) + 2**20))


def _check_class(value):
    """Raise ValueError for a dict that names what is refused."""
    module, name = value.get("module"), value.get("class_name")
    refused = isinstance(name, str) and _LAYERS.fullmatch(name)
    if isinstance(module, str) and not _MODULES.fullmatch(module):
        # As which functions are written, of which an activation may be one.
        refused = module != "builtins" or name != "function"
        function = value.get("config")
        refused = refused or not hasattr(keras.activations, str(function))
    if refused:
        name, module = (json.dumps(text)[:80] for text in (name, module))
        raise ValueError(
            f"it asks for {name} of {module}, which no generator needs. "
            "Nothing of it was run"
        )


def _check_weights(group, most):
    """Raise ValueError for weights in other files, or of too many bytes."""
    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise ValueError("its weights lead elsewhere")
        value = group[name]
        if isinstance(value, h5py.Group):
            most = _check_weights(value, most)
            continue
        most -= value.nbytes
        if value.external or value.is_virtual or most < 0:
            raise ValueError("its weights lie elsewhere or are too large")
    return most


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
