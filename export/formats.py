"""The table of formats and its checks; read without TensorFlow."""

import importlib.util
import os
import pathlib

from progan_tf.errors import UserError
from progan_tf.export.hub import HUB
from progan_tf.export.keras_file import KERAS
from progan_tf.export.litert_file import LITERT
from progan_tf.export.onnx_file import ONNX
from progan_tf.export.web import WEB
from progan_tf.files import check_folder, put_back

# The table of formats. To add a format, write its record in a new file, and
# enter it here.
FORMATS = {form.name: form for form in (HUB, KERAS, ONNX, LITERT, WEB)}

# A folder of such a name would be taken for an archive.
_ARCHIVES = (".zip", ".tgz", ".tar", ".gz")


def check_request(name, path, precision="float32", overwrite=False, options=()):
    """Check at the start that an export can be written; returns the path.

    Raises UserError for an option or a precision that the format does not
    support, a wrong ending, an existing path that may not be overwritten or is
    not an export of this format, a place that cannot be written, or packages
    that are not installed. The path is a `pathlib.Path`.
    """
    path, form = pathlib.Path(path), FORMATS[name]
    for option in options:
        if option not in form.options:
            having = [f.name for f in FORMATS.values() if option in f.options]
            raise UserError(f"--{option} needs --format={' or '.join(having)}")
    if precision not in form.precisions:
        raise UserError(
            f"expected a precision of {', '.join(form.precisions)} for the "
            f"format {name}; received {precision!r}"
        )
    others = {f.ending: f.name for f in FORMATS.values() if f.ending}
    expected = None
    if form.ending and path.suffix != form.ending:
        expected = f"a file that ends with {form.ending}"
    elif not form.ending and path.suffix in others:
        raise UserError(
            f"{path} has the ending of the format {others[path.suffix]}; give "
            f"--format={others[path.suffix]}, or another --out for {name}"
        )
    elif form.folder and path.suffix in _ARCHIVES:
        archive = form.folder.archive
        if not archive:
            expected = "a folder"
        elif not path.name.endswith(archive):
            expected = f"a folder, or a file that ends with {archive}"
    if expected:
        raise UserError(f"expected {expected}, not {path}")
    put_back(path)
    if path.exists() and not overwrite:
        choice = "choose another place, or give --overwrite"
        raise UserError(f"{path} exists; {choice}")
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
    """Raise UserError if anything but an older export would be replaced.

    Otherwise a wrong --out could delete a run or a folder of pictures.
    """
    folder = FORMATS[name].folder
    is_file = folder is None or is_archive(path)
    if not path.exists() or (is_file and path.is_file()):
        return
    there = set(os.listdir(path)) if path.is_dir() else {path.name}
    if is_file or (there and not folder.mark in there <= folder.parts):
        what = "is not a file"
        if not is_file:
            what = f"is not a {folder.kind}, or holds other files as well"
        raise UserError(
            f"{path} {what}, so it is not replaced; choose another --out"
        )
