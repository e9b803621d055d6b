"""A TF-Hub module used as a generator."""

import hashlib
import pathlib

import tensorflow as tf

from progan_tf import addresses
from progan_tf.errors import UserError
from progan_tf.latents import one_hot, seeded_latents
from progan_tf.sampling import AnyGenerator
from progan_tf.saved_models import GRAPH, load_saved_model, unpacked
from progan_tf.text import first_line

_SIGNATURES = ("default", "serving_default")
_LABELS, _IMAGES = "labels", "default"
_EXPECTED = (
    "expected a signature `default` from latents [None, Z] (and `labels` "
    "[None, L]), float32, to images `default` [None, R, R, 1 or 3]"
)
# How far a network that does not clip may overshoot [0, 1].
_RANGE = (-0.5, 1.5)
# More than any generator takes, but few enough to fit in memory.
_MOST_NUMBERS = 100_000


class ModuleGenerator(AnyGenerator):
    """The module in a folder, whose own images are in [0, 1].

    The name, by default the path, is for messages. See `load_module`.
    """

    def __init__(self, folder, name=None, trust=False):
        name = name or str(folder)
        # Kept, because a function does not keep its variables alive.
        self._loaded = load_saved_model(folder, name, trust)
        self._signature, self._inputs = _signature_of(self._loaded, name)
        specs = self._signature.structured_input_signature[1]
        latent_size, *classes = [specs[key].shape[-1] for key in self._inputs]
        shape = self._image_shape(name, latent_size, *classes)
        super().__init__(name, latent_size, sum(classes), shape)
        digest = hashlib.sha256()  # Of the graph and the variables.
        folder = pathlib.Path(folder)
        for path in [*sorted(folder.glob("variables/*")), folder / GRAPH]:
            if path.is_file():
                digest.update(path.read_bytes())
        self.fingerprint = digest.hexdigest()[:16]

    def __call__(self, latents, labels=None):
        inputs = [latents] if labels is None else [latents, labels]
        inputs = [tf.convert_to_tensor(x, tf.float32) for x in inputs]
        named = dict(zip(self._inputs, inputs, strict=True))
        images = tf.cast(self._signature(**named)[_IMAGES], tf.float32)
        return 2.0 * images - 1.0

    def _image_shape(self, name, latent_size, classes=0):
        """The shape of the image of seed 0, which is generated to find out."""
        labels = one_hot([0], classes) if classes else None
        try:
            images = self(seeded_latents([0], latent_size), labels).numpy()
        except (tf.errors.OpError, ValueError, TypeError) as error:
            reason = first_line(error)
            raise UserError(f"{name} makes no image: {reason}") from error
        shape = images.shape
        right = len(shape) == 4 and shape[0] == 1 and shape[-1] in (1, 3)
        if not right or 0 in shape:
            raise UserError(
                f"{name} is no generator: {_EXPECTED}; its images are "
                f"{list(shape)}"
            )
        images = (images + 1) / 2
        low, high = images.min(), images.max()
        if not _RANGE[0] <= low <= high <= _RANGE[1]:
            raise UserError(
                f"{name} makes images from {low:.3g} to {high:.3g}; expected "
                "a module whose images are in [0, 1]"
            )
        return shape[1:]


def load_module(path, trust=False):
    """Load a TF-Hub module, such as `progan_tf.export` writes.

    It is in a folder, packed as `.tar.gz`, or on the net (see `addresses`);
    TensorFlow 1's format, such as google/progan-128, works, too. If trusted,
    it is loaded whatever its operations do. Raises UserError if it does not
    generate images from latents.
    """
    place = pathlib.Path(addresses.local(path, "module"))
    if place.is_dir():
        return ModuleGenerator(place, str(path), trust)
    if place.suffix == ".keras" and place.is_file():
        raise UserError(
            f"expected a TF-Hub module; {path} is a Keras model: give it to "
            "--run_dir"
        )
    if not place.is_file():
        raise UserError(
            "expected the folder of a module, or its .tar.gz; there is no "
            f"{path}"
        )
    with unpacked(place) as folder:
        return ModuleGenerator(folder, str(path), trust)


def _signature_of(loaded, name):
    """The signature to call and the names of its inputs, latents first."""
    signatures = getattr(loaded, "signatures", {})
    for signature in (signatures[k] for k in _SIGNATURES if k in signatures):
        inputs = signature.structured_input_signature[1]
        # A single input may have any name.
        names = sorted(inputs, key=lambda each: each == _LABELS)
        known = len(names) == 1 or names[1:] == [_LABELS]
        rows = all(map(_is_rows, inputs.values()))
        images = signature.structured_outputs.get(_IMAGES)
        if known and rows and images is not None:
            if images.dtype.is_floating or images.dtype.is_integer:
                return signature, names
    found = "; ".join(
        f"{key} from {_text(signature.structured_input_signature[1])} to "
        f"{_text(signature.structured_outputs)}"
        for key, signature in signatures.items()
    )
    raise UserError(
        f"{name} is no generator: {_EXPECTED}; its signatures: "
        f"{found or 'none'}"
    )


def _is_rows(spec):
    """Whether an input is float32 `[None, a plausible size]`."""
    if spec.dtype != tf.float32 or spec.shape.rank != 2:
        return False
    batch, size = spec.shape
    return batch is None and size is not None and 0 < size <= _MOST_NUMBERS


def _text(specs):
    """Names and shapes of a signature's inputs or outputs."""
    return ", ".join(f"{name} {spec.shape}" for name, spec in specs.items())
