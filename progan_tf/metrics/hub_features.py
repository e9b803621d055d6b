"""Features from any image module of TF-Hub, or SavedModel of that interface."""

import os

import tensorflow as tf

from progan_tf import addresses
from progan_tf.errors import UserError
from progan_tf.metrics.features import GRAPH_FILE, Features
from progan_tf.saved_models import load_saved_model

# Signatures by which modules are called, the first that there is.
_SIGNATURES = ("serving_default", "default", "image_feature_vector")
_ENOUGH = 299


class HubModule(Features):
    """A network from images float32 `[N, H, W, 3]` in [0, 1] to `[N, D]`.

    From a SavedModel's folder or an address for TF-Hub: see `load_features`. It
    is called by its signature `serving_default`, `default` or
    `image_feature_vector`, or like a function. Pictures are resized to the
    size that it asks for: bilinearly, and smoothed where they shrink. If it
    takes any size, smaller ones are enlarged to 299x299, the size of Inception:
    networks for photographs do not see what is tiny.
    """

    def __init__(self, source, trust=False):
        files = str(addresses.local(source, "module"))
        if not os.path.isdir(files):
            raise UserError(
                "expected the folder of a SavedModel, the address of a TF-Hub "
                f"module, or {GRAPH_FILE}; there is no folder {source}"
            )
        # Kept, because functions alone do not keep their variables.
        self._module = load_saved_model(files, source, trust)
        self._function, self._size = _image_function(self._module, source)
        super().__init__(source, files)

    def _vectors(self, images):
        own = images.shape[1]  # They are square.
        size = [asked or max(own, _ENOUGH) for asked in self._size]
        images = tf.cast(images, tf.float32) / 255
        if size != [own, own]:
            images = tf.image.resize(images, size, antialias=True)
        try:
            outputs = self._function(images)
        except tf.errors.OpError as error:
            # Before it, TensorFlow lists where, and after it in [[...]] nodes.
            lines = str(error).partition("[[")[0].strip().splitlines()
            raise _wrong_interface(self.name, lines[-1]) from error
        if isinstance(outputs, dict) and "default" in outputs:
            outputs = outputs["default"]
        outputs = tf.nest.flatten(outputs)
        good = [x for x in outputs if _is_features(x, len(images))]
        if not good or len(outputs) > 1:
            made = ", ".join(str(x.shape) for x in outputs)
            made = f"of {len(images)} images it makes {made}"
            raise _wrong_interface(self.name, made)
        return good[0].numpy().astype("float32")


def _image_function(module, source):
    """The function that takes images alone, and their (height, width)."""
    signatures = getattr(module, "signatures", {})
    functions = [signatures[n] for n in _SIGNATURES if n in signatures]
    if callable(module):
        functions += getattr(module.__call__, "concrete_functions", [])
    received = []
    for function in functions:
        inputs = tf.nest.flatten(function.structured_input_signature)
        specs = [x for x in inputs if isinstance(x, tf.TensorSpec)]
        training = any(x is True for x in inputs)
        if len(specs) == 1 and not training and _is_images(specs[0]):
            return function, specs[0].shape[1:3]
        received.append(", ".join(f"{x.dtype.name} {x.shape}" for x in specs))
    received = " or ".join(received) or "nothing"
    raise _wrong_interface(source, f"it takes {received}")


def _is_images(spec):
    """Whether a `tf.TensorSpec` admits images float32 `[any, H, W, 3]`."""
    images = tf.TensorSpec([None, None, None, 3], tf.float32)
    fits = images.is_compatible_with(spec) and spec.shape.rank == 4
    return fits and spec.shape[0] is None


def _is_features(tensor, count):
    """Whether an output is numbers `[count, 1 or more]`."""
    plain = tensor.dtype.is_floating or tensor.dtype.is_integer
    fits = tensor.shape.is_compatible_with([count, None])
    return plain and fits and tensor.shape[1] > 0


def _wrong_interface(source, received):
    return UserError(
        "expected a module from images float32 [N, H, W, 3] to features "
        f"[N, D]; received {source}: {received}"
    )
