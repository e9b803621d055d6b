"""Writing a generator in any of the formats."""

import contextlib
import tarfile

from progan_tf.data import check_apart
from progan_tf.errors import UserError
from progan_tf.export.card import card_files
from progan_tf.export.checks import largest_difference
from progan_tf.export.format import CARD_FILE
from progan_tf.export.formats import FORMATS, check_request, is_archive
from progan_tf.files import (
    making,
    replacing,
    replacing_folder,
    scratch_folder,
    writing,
)
from progan_tf.sampling import as_generator


def export_generator(
    generator,
    path,
    form="hub",
    overwrite=False,
    precision="float32",
    note="",
    metrics=None,
    options=None,
):
    """Write a generator with its card, in a format of `FORMATS`.

    Args:
        generator: `keras.Model` from latents (and one-hot labels) to images
            in [-1, 1], whose layers are those of `progan_tf.layers`; or an
            `AnyGenerator` that has one, whose origin the card states.
        path: the file or folder; with `overwrite` it may exist.
        form: str, the format's name.
        precision: "float32", "bfloat16" or "float16", to compute in.
        note: str, Markdown for the end of the card, such as a licence.
        metrics: dict from a metric's name to its value, for the card.
        options: dict of options of the format, see `Format.options`.

    Returns:
        float, the largest difference of a pixel value between the export and
        the generator, over the images of 8 seeds in [0, 1].

    Raises:
        UserError: if it cannot be written, see `check_request`, has a picture
            and would lie among those of the training, or if the images differ.
            The export is then removed, and an existing one is unchanged.
    """
    generator, options = as_generator(generator), options or {}
    if generator.image_shape[-1] not in (1, 3):
        raise UserError(
            "expected a generator of images with 1 (grey) or 3 (RGB) channels; "
            f"this one has {generator.image_shape[-1]}"
        )
    path = check_request(form, path, precision, overwrite, options)
    if FORMATS[form].has_picture and generator.origin:
        check_apart(generator.origin[0].data, path, "--out")
    batch_size = options.get("batch_size")
    files = card_files(generator, form, precision, metrics, batch_size)
    files[CARD_FILE] += note.encode()
    return _write(form, generator, path, precision, files, options)


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
        generator, overwrite: as of `export_generator`.
        path: the folder to write, or a file that ends with `.tar.gz`, which
            `hub.load` can load from a web server.
        trainable: bool, keep the weights as variables.
        files: dict from file name to bytes, to be put beside the model.
        precision: "float32", "bfloat16" or "float16", in which the module
            computes and stores its constants. Latents, images and, with
            `trainable`, the variables are always float32.

    Returns:
        float, the largest difference, as there.

    Raises:
        UserError: as there, and if `overwrite` would replace a non-module.
    """
    path = check_request("hub", path, precision, overwrite)
    generator, options = as_generator(generator), {"trainable": trainable}
    return _write("hub", generator, path, precision, files or {}, options)


def export_keras_file(
    generator, path, overwrite=False, precision="float32", card=None
):
    """Write a generator as a `.keras` file: see `export_generator`.

    Args:
        generator, path, overwrite, precision: as there.
        card: str, Markdown to be put in the file as README.md.

    Returns:
        float, the largest difference, as there.
    """
    return _export("keras", generator, path, overwrite, precision, card)


def export_onnx_file(
    generator, path, overwrite=False, precision="float32", card=None
):
    """Write a generator as an ONNX file: see `export_keras_file`."""
    return _export("onnx", generator, path, overwrite, precision, card)


def export_litert_file(
    generator, path, overwrite=False, precision="float32", card=None
):
    """Write a generator for LiteRT: see `export_keras_file`."""
    return _export("litert", generator, path, overwrite, precision, card)


def _export(form, generator, path, overwrite, precision, card):
    path = check_request(form, path, precision, overwrite)
    files = {} if card is None else {CARD_FILE: card.encode()}
    generator = as_generator(generator)
    return _write(form, generator, path, precision, files, {})


def _write(form, generator, path, precision, files, options):
    """Write to a path that has been checked, and compare the images."""
    form = FORMATS[form]
    with _place(form, path) as place:
        with writing(path):
            form.write(generator, place, precision, files, options)
        batch_size = options.get("batch_size", form.batch_size)
        return largest_difference(
            generator.model, form.load(place), precision, batch_size
        )


@contextlib.contextmanager
def _place(form, path):
    """Yields a temporary place, which is moved or packed to the path."""
    if form.ending:
        with making(path.parent), replacing(path) as file:
            yield file
    elif not is_archive(path):
        # A folder that is created there meanwhile is not replaced.
        with replacing_folder(path, overwrite=path.exists()) as folder:
            yield folder
    else:
        with making(path.parent), scratch_folder(path) as folder:
            yield folder
            with replacing(path) as file, tarfile.open(file, "w:gz") as tar:
                for item in sorted(folder.iterdir()):
                    tar.add(item, arcname=item.name)
