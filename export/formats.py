"""The formats of an export, and what each can do; read without TensorFlow."""

import dataclasses
import importlib.util
import pathlib

from progan_tf.errors import UserError
from progan_tf.precision import PRECISIONS


@dataclasses.dataclass(frozen=True)
class Format:
    """What one format is.

    Attributes:
        ending: str, of the file's name; empty where it may be any.
        precisions: tuple of the precisions that it can be written in.
        packages: tuple of what it needs beside TensorFlow, as imported; the
            extra that installs them has the format's name.
    """

    ending: str = ""
    precisions: tuple = PRECISIONS
    packages: tuple = ()


# ONNX's convolution takes bfloat16 from opset 22 on only, which is too new for
# many runtimes, and LiteRT's operations do not take it.
_NO_BFLOAT16 = ("float32", "float16")
FORMATS = {
    "hub": Format(),
    "keras": Format(".keras"),
    "onnx": Format(".onnx", _NO_BFLOAT16, ("onnx", "onnxruntime")),
    "litert": Format(".tflite", _NO_BFLOAT16, ("ai_edge_litert",)),
}


def check_request(name, path, precision="float32", overwrite=False):
    """Refuse at once what could not be written in the end.

    Args:
        name: str, one of `FORMATS`.
        path: the file or folder to write.
        precision: str, one of `PRECISIONS`.
        overwrite: bool, whether something may be there.

    Returns:
        `pathlib.Path` of `path`.

    Raises:
        UserError: for a precision that the format does not have, another
            ending than the format's, something that is there and may not be
            overwritten, or packages that are not installed.
    """
    path, form = pathlib.Path(path), FORMATS[name]
    if precision not in form.precisions:
        raise UserError(
            f"expected a precision of {', '.join(form.precisions)} for the "
            f"format {name}; received {precision!r}"
        )
    others = {other.ending: key for key, other in FORMATS.items()}
    if form.ending and path.suffix != form.ending:
        raise UserError(
            f"expected a file that ends with {form.ending}, not {path}"
        )
    if not form.ending and path.suffix in others.keys() - {""}:
        raise UserError(
            f"{path} has the ending of the format {others[path.suffix]}, not "
            f"of {name}"
        )
    if path.exists() and not overwrite:
        raise UserError(
            f"{path} exists; choose another place, or give --overwrite"
        )
    missing = [p for p in form.packages if not importlib.util.find_spec(p)]
    if missing:
        raise UserError(
            f"the format {name} needs {' and '.join(missing)}: "
            f'pip install "progan-tf[{name}]"'
        )
    return path
