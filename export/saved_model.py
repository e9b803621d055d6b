"""Writing a module: the SavedModel, its card and picture, whole or not."""

import contextlib
import tarfile

import tensorflow as tf

from progan_tf.export.checks import largest_difference
from progan_tf.export.formats import check_request, is_archive
from progan_tf.export.module import IMAGES, GeneratorModule
from progan_tf.export.precision import in_precision
from progan_tf.files import (
    making,
    replacing,
    replacing_folder,
    scratch_folder,
    writing,
)
from progan_tf.sampling import as_generator
from progan_tf.saved_models import load_saved_model
from progan_tf.text import first_line


def export_saved_model(
    generator,
    path,
    trainable=False,
    overwrite=False,
    files=None,
    precision="float32",
):
    """Write a generator as a TF-Hub module.

    `hub.load(path)`, `hub.KerasLayer(path)` and
    `keras.layers.TFSMLayer(path, call_endpoint="serving_default")` take it;
    the signatures are `default` and `serving_default`.

    Args:
        generator: `keras.Model` from latents (and one-hot labels) to images
            in [-1, 1].
        path: the folder to write, or a file that ends with `.tar.gz`, which
            `hub.load` takes from a web server.
        trainable: bool, keep the weights as variables.
        overwrite: bool, replace what is there.
        files: dict from file name to bytes, to lie beside the model.
        precision: "float32", "bfloat16" or "float16", what the module
            computes in and keeps its constants in. Latents, images and, with
            `trainable`, the variables are float32 all the same.

    Returns:
        float, the largest difference between images of the written module
        and of the generator, of 8 seeds in [0, 1].

    Raises:
        UserError: if something is there and may not be overwritten or is no
            module, if it cannot be written, or if the written module's images
            differ. Then nothing is left of it, and what was there is as it
            was.
    """
    path = check_request("hub", path, precision, overwrite)
    model = as_generator(generator).model
    return write_module(model, path, trainable, files, precision)


def write_module(generator, path, trainable, files, precision):
    """`export_saved_model` where the place has been checked."""
    module = GeneratorModule(in_precision(generator, precision), trainable)
    # What comes there meanwhile is not replaced.
    with _place(path, overwrite=path.exists()) as folder:
        with writing(path):
            _save(module, folder)
            for name, data in (files or {}).items():
                (folder / name).write_bytes(data)
        return largest_difference(generator, _loaded(folder), precision)


@contextlib.contextmanager
def _place(path, overwrite):
    """Gives the folder to write; it, or an archive of it, takes the path."""
    if not is_archive(path):
        with replacing_folder(path, overwrite) as folder:
            yield folder
        return
    with making(path.parent), scratch_folder(path) as folder:
        yield folder
        with replacing(path) as archive, tarfile.open(archive, "w:gz") as tar:
            for item in sorted(folder.iterdir()):
                tar.add(item, arcname=item.name)


def _loaded(folder):
    """The written module's signature, as a function of the named inputs."""
    # Our own, in a folder of any name.
    module = load_saved_model(folder, str(folder), trust=True)

    def images_of(inputs):
        inputs = {name: tf.constant(array) for name, array in inputs.items()}
        return module.signatures["default"](**inputs)[IMAGES]

    return images_of


def _save(module, folder):
    signature = module.signature()
    try:
        tf.saved_model.save(
            module,
            str(folder),
            signatures={"default": signature, "serving_default": signature},
        )
    except tf.errors.OpError as error:
        # TensorFlow has errors of its own for a full disk.
        raise OSError(first_line(error)) from error
