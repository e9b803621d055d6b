"""Writing a generator in the format that is asked for."""

from progan_tf.errors import UserError
from progan_tf.export.card import card_files
from progan_tf.export.format import CARD_FILE
from progan_tf.export.formats import FORMATS, check_request
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
    """Write a generator with its card, in any format.

    Args:
        generator: `keras.Model` from latents (and one-hot labels) to images
            in [-1, 1], whose layers are those of `progan_tf.layers`; or an
            `AnyGenerator` that has one, whose origin the card tells.
        path: the file or folder.
        form: str, a key of `progan_tf.export.formats.FORMATS`.
        overwrite: bool, replace what is there.
        precision: "float32", "bfloat16" or "float16", to compute in.
        note: str, Markdown for the end of the card, such as a licence.
        metrics: dict from a metric's name to its value, for the card.
        options: dict from a name in `Format.options` to its value: for hub
            `trainable`, a bool, whether the weights stay variables; for litert
            `batch_size`, an int, the one batch that the file takes.

    Returns:
        float, the largest difference between what was written and the
        generator, of the images of 8 seeds in [0, 1].

    Raises:
        UserError: if it cannot be written: see `check_request`; if something is
            there and may not be overwritten, or if the images differ. Then
            nothing is left of it, and what was there is as it was.
    """
    generator, options = as_generator(generator), options or {}
    if generator.image_shape[-1] not in (1, 3):
        raise UserError(
            "expected a generator of grey pictures or of RGB, of 1 or 3 "
            f"channels; received one of {generator.image_shape[-1]}"
        )
    path = check_request(form, path, precision, overwrite, options)
    batch_size = options.get("batch_size")
    files = card_files(generator, form, precision, metrics, batch_size)
    files[CARD_FILE] += note.encode()
    write = FORMATS[form].write
    return write(generator.model, path, precision, files, options)


def export_keras_file(
    generator, path, overwrite=False, precision="float32", card=None
):
    """Write a generator as a `.keras` file: see `export_generator`.

    Args:
        generator, path, overwrite, precision: as there.
        card: str, Markdown to lie in the file as README.md.

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
    model = as_generator(generator).model
    return FORMATS[form].write(model, path, precision, files, {})
