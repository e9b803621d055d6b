"""Writing a generator in the format that is asked for."""

from progan_tf.errors import UserError
from progan_tf.export.card import CARD_FILE, card_files, model_card
from progan_tf.export.keras_file import export_keras_file
from progan_tf.export.litert_file import export_litert_file
from progan_tf.export.onnx_file import export_onnx_file
from progan_tf.export.saved_model import export_saved_model

_WRITERS = {
    "keras": export_keras_file,
    "onnx": export_onnx_file,
    "litert": export_litert_file,
}


def export_generator(
    generator,
    path,
    form="hub",
    trainable=False,
    overwrite=False,
    precision="float32",
    note="",
    origin=None,
    metrics=None,
):
    """Write a generator with its card, in any format.

    Args:
        generator: `keras.Model` from latents (and one-hot labels).
        path: the file or folder.
        form: str, a key of `progan_tf.export.formats.FORMATS`.
        trainable: bool, of a TF-Hub module: keep the weights as variables.
        overwrite: bool, replace what is there.
        precision: "float32", "bfloat16" or "float16", to compute in.
        note: str, Markdown for the end of the card, such as a licence.
        origin: (`TrainConfig`, int images seen) of the run, for the card.
        metrics: dict from a metric's name to its value, for the card.

    Returns:
        float, the largest difference between what was written and the
        generator, of the images of 8 seeds in [0, 1].

    Raises:
        UserError: if it cannot be written; see the function of the format.
    """
    if form == "hub":
        files = card_files(generator, origin, precision, metrics)
        files[CARD_FILE] += note.encode()
        return export_saved_model(
            generator, path, trainable, overwrite, files, precision
        )
    if trainable:
        raise UserError(f"the format {form} has no trainable weights; hub has")
    card = model_card(generator, origin, form, precision, metrics) + note
    return _WRITERS[form](generator, path, overwrite, precision, card)
