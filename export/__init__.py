"""Export of trained generators; installed as progan_tf.export.

`python -m progan_tf.export` is the command. The public names below are
imported when they are first used, so that user errors do not wait for
TensorFlow.
"""

import importlib

_HOMES = {
    "GeneratorModule": "module",
    "export_keras_file": "exporting",
    "export_litert_file": "exporting",
    "export_onnx_file": "exporting",
    "export_saved_model": "exporting",
    "of_one_class": "one_class",
}

__all__ = list(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    return getattr(module, name)
