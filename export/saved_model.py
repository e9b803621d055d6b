"""Writing a module: the SavedModel, its card and picture, whole or not."""

import contextlib
import os
import pathlib
import shutil
import tarfile
import tempfile

import tensorflow as tf

from progan_tf.export.checks import largest_difference
from progan_tf.export.formats import check_request, is_archive
from progan_tf.export.module import IMAGES, GeneratorModule
from progan_tf.export.precision import in_precision
from progan_tf.files import writing
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
    module = GeneratorModule(in_precision(generator, precision), trainable)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = pathlib.Path(
            tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent)
        )
    try:
        folder = temporary / "module"
        with writing(path):
            _save(module, folder)
            for name, data in (files or {}).items():
                (folder / name).write_bytes(data)
        difference = largest_difference(generator, _loaded(folder), precision)
        with writing(path):
            if is_archive(path):
                folder = _packed(folder, temporary / "module.tar.gz")
            # For all to read, as one made by hand would be.
            mode = 0o777 if folder.is_dir() else 0o666
            os.chmod(folder, mode & ~_umask())
            _move(folder, path, temporary / "old")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return difference


def _loaded(folder):
    """The written module's signature, as a function of the named inputs."""
    module = tf.saved_model.load(str(folder))

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
        # Of a full disk TensorFlow tells in errors of its own.
        raise OSError(first_line(error)) from error


def _packed(folder, archive):
    with tarfile.open(archive, "w:gz") as tar:
        for item in sorted(folder.iterdir()):
            tar.add(item, arcname=item.name)
    return archive


def _move(source, target, aside):
    """Put `source` in the place of `target`; on failure put it back."""
    if target.exists():
        target.rename(aside)
    try:
        source.rename(target)
    except BaseException:  # Ctrl-C, too: what is aside is removed in the end.
        if aside.exists():
            with contextlib.suppress(OSError):
                aside.rename(target)
        raise


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
