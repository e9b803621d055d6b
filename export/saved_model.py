"""Writing a module: the SavedModel, its card and picture, whole or not."""

import contextlib
import os
import pathlib
import shutil
import tarfile
import tempfile

import numpy as np
import tensorflow as tf

from progan_tf.errors import UserError
from progan_tf.export.module import GeneratorModule
from progan_tf.files import writing
from progan_tf.sampling import input_sizes
from progan_tf.sampling import one_hot
from progan_tf.sampling import seeded_latents

_CHECKED_SEEDS = 8
_TOLERANCE = 1e-4  # Of images in [0, 1], in float32.


def export_saved_model(
    generator, path, trainable=False, overwrite=False, files=None
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

    Returns:
        float, the largest difference between images of the written module
        and of the generator, of 8 seeds in [0, 1].

    Raises:
        UserError: if something is there and may not be overwritten, if it
            cannot be written, or if the written module's images differ.
            Then nothing is left of it, and what was there is as it was.
    """
    path = pathlib.Path(path)
    if path.exists() and not overwrite:
        raise UserError(
            f"{path} exists; choose another place, or give --overwrite"
        )
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = pathlib.Path(
            tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent)
        )
    try:
        folder = temporary / "module"
        with writing(path):
            _save(GeneratorModule(generator, trainable), folder)
            for name, data in (files or {}).items():
                (folder / name).write_bytes(data)
        difference = largest_difference(generator, folder)
        with writing(path):
            if path.name.endswith(".tar.gz"):
                folder = _packed(folder, temporary / "module.tar.gz")
            # For all to read, as one made by hand would be.
            mode = 0o777 if folder.is_dir() else 0o666
            os.chmod(folder, mode & ~_umask())
            _move(folder, path, temporary / "old")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return difference


def largest_difference(generator, folder):
    """Compare a written module with its generator, on 8 seeds.

    Raises:
        UserError: if their images differ by more than rounding.
    """
    latent_size, classes = input_sizes(generator)
    seeds = np.arange(_CHECKED_SEEDS)
    inputs = seeded_latents(seeds, latent_size)
    named = {"latent_vector": tf.constant(inputs)}
    if classes:
        labels = one_hot(seeds % classes, classes)
        named["labels"] = tf.constant(labels)
        inputs = [inputs, labels]
    expected = (np.asarray(generator(inputs, training=False)) + 1) / 2
    loaded = tf.saved_model.load(str(folder))
    images = loaded.signatures["default"](**named)["default"].numpy()
    difference = float(np.abs(images - expected.clip(0, 1)).max())
    if not difference <= _TOLERANCE:
        raise UserError(
            f"the written module's images differ by {difference:.2g} from "
            f"the generator's, expected {_TOLERANCE:.2g} at most; it was "
            "removed"
        )
    return difference


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
        raise OSError(str(error).splitlines()[0]) from error


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
    except OSError:
        if aside.exists():
            with contextlib.suppress(OSError):
                aside.rename(target)
        raise


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
