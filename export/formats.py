"""The formats of an export, and what each can do; read without TensorFlow."""

import dataclasses
import importlib.util
import os
import pathlib

from progan_tf.config.precision import PRECISIONS
from progan_tf.errors import UserError
from progan_tf.files import check_folder, put_back


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
# A folder of such a name would be taken for an archive.
_ARCHIVES = (".zip", ".tgz", ".tar", ".gz")
_MODEL_FILE = "saved_model.pb"
# What lies in a module that this program wrote.
_MODULE_FILES = frozenset(
    (_MODEL_FILE, "fingerprint.pb", "variables", "assets")
    + ("README.md", "sample.png")
)
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
            overwritten or is not of the format's kind, a place that cannot be
            written, or packages that are not installed.
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
    if not (form.ending or is_archive(path)) and path.suffix in _ARCHIVES:
        raise UserError(
            f"expected a folder, or a file that ends with .tar.gz, not {path}"
        )
    put_back(path)
    if path.exists() and not overwrite:
        raise UserError(
            f"{path} exists; choose another place, or give --overwrite"
        )
    _check_replaced(name, path)
    check_folder(path.parent)
    missing = [p for p in form.packages if not importlib.util.find_spec(p)]
    if missing:
        raise UserError(
            f"the format {name} needs {' and '.join(missing)}: "
            f'pip install "progan-tf[{name}]"'
        )
    return path


def is_archive(path):
    """Whether a module at that `pathlib.Path` is packed: FILE.tar.gz."""
    return path.name.endswith(".tar.gz")


def _check_replaced(name, path):
    """Raise UserError where more would be lost than an older export.

    A run or a folder of pictures is given away by one wrong --out.
    """
    is_file = bool(FORMATS[name].ending) or is_archive(path)
    if not path.exists() or (is_file and path.is_file()):
        return
    there = set(os.listdir(path)) if path.is_dir() else {path.name}
    is_module = _MODEL_FILE in there and there <= _MODULE_FILES
    if is_file or (there and not is_module):
        kind = "file" if is_file else "module, or more than that"
        raise UserError(
            f"{path} is no {kind}, so it is not replaced; choose another --out"
        )
