"""A TF-Hub module in the place of a generator."""

import hashlib
import pathlib
import tarfile
import tempfile
import zlib

import tensorflow as tf

from progan_tf.errors import UserError
from progan_tf.sampling import AnyGenerator, one_hot, seeded_latents
from progan_tf.text import first_line

_SIGNATURES = ("default", "serving_default")
_LABELS, _IMAGES = "labels", "default"
_EXPECTED = (
    "expected a signature `default` from latents [None, Z] (and `labels` "
    "[None, L]), float32, to images `default` [None, R, R, 1 or 3]"
)
# How far a network that does not clip may overshoot [0, 1].
_RANGE = (-0.5, 1.5)


class ModuleGenerator(AnyGenerator):
    """A loaded module; its own images are in [0, 1].

    Args:
        folder: path of the module's SavedModel.
        name: str, what errors call it; by default the path.

    Raises:
        UserError: if it is no such SavedModel.
    """

    def __init__(self, folder, name=None):
        name = name or str(folder)
        # Kept, because a function does not keep the variables that it uses.
        self._loaded = _load(pathlib.Path(folder), name)
        self._signature, self._inputs = _signature_of(self._loaded, name)
        specs = self._signature.structured_input_signature[1]
        latent_size, *classes = [specs[key].shape[-1] for key in self._inputs]
        shape = self._checked_image(latent_size, *classes, name=name).shape
        super().__init__(name, latent_size, sum(classes), shape)
        self._fingerprint = _digest(pathlib.Path(folder))

    def __call__(self, latents, labels=None):
        inputs = [latents] if labels is None else [latents, labels]
        named = {
            name: tf.convert_to_tensor(value, tf.float32)
            for name, value in zip(self._inputs, inputs, strict=True)
        }
        images = tf.cast(self._signature(**named)[_IMAGES], tf.float32)
        return 2.0 * images - 1.0

    @property
    def fingerprint(self):
        return self._fingerprint

    def _checked_image(self, latent_size, classes=0, name=""):
        """The image of seed 0, to see what comes."""
        inputs = [seeded_latents([0], latent_size)]
        if classes:
            inputs.append(one_hot([0], classes))
        try:
            images = (self(*inputs).numpy() + 1) / 2
        except (tf.errors.OpError, ValueError, TypeError) as error:
            raise UserError(
                f"{name} makes no image: {first_line(error)}"
            ) from error
        shape = images.shape
        if len(shape) != 4 or shape[0] != 1 or shape[-1] not in (1, 3):
            raise UserError(
                f"{name} is no generator: {_EXPECTED}; its images are "
                f"{list(shape)}"
            )
        low, high = images.min(), images.max()
        if not _RANGE[0] <= low <= high <= _RANGE[1]:
            raise UserError(
                f"{name} makes images from {low:.3g} to {high:.3g}; expected "
                "a module whose images are in [0, 1]"
            )
        return images[0]


def load_module(path):
    """Load a TF-Hub module, such as `progan_tf.export` writes.

    Modules of TensorFlow 1's format, such as google/progan-128, will do, too.

    Args:
        path: its folder, or the same packed as `.tar.gz`.

    Returns:
        `ModuleGenerator`.

    Raises:
        UserError: if there is no such module that makes images from latents.
    """
    place = pathlib.Path(path)
    if place.is_dir():
        return ModuleGenerator(place)
    if not place.is_file():
        raise UserError(
            f"expected the folder of a module, or its .tar.gz; no {path}"
        )
    if place.suffix == ".keras":
        raise UserError(f"{path} is no module; give it to --run_dir")
    with tempfile.TemporaryDirectory() as folder:
        try:
            with tarfile.open(place) as archive:
                archive.extractall(folder, filter="data")
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise UserError(
                f"cannot unpack {path}: {error}; expected the folder of a "
                "module, or its .tar.gz"
            ) from error
        return ModuleGenerator(folder, str(path))


def _load(folder, name):
    # TensorFlow 1's modules hold several graphs; this is the one for use.
    tags = [] if (folder / "tfhub_module.pb").exists() else None
    try:
        return tf.saved_model.load(str(folder), tags)
    except Exception as error:
        # Of any kind: it meets whatever a broken module holds.
        raise UserError(
            f"cannot read {name} as a TF-Hub module or SavedModel: "
            f"{first_line(error)}"
        ) from error


def _signature_of(loaded, name):
    """The signature to call and the names of its inputs, latents first."""
    signatures = getattr(loaded, "signatures", {})
    for key in _SIGNATURES:
        if key in signatures:
            signature = signatures[key]
            inputs = signature.structured_input_signature[1]
            # One input may have any name.
            names = sorted(inputs, key=lambda each: each == _LABELS)
            known = len(names) == 1 or names[1:] == [_LABELS]
            rows = all(map(_is_rows, inputs.values()))
            if known and rows and _IMAGES in signature.structured_outputs:
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
    """Whether an input is float32 `[None, a known number]`."""
    shape = spec.shape
    return (
        spec.dtype == tf.float32
        and shape.rank == 2
        and shape[0] is None
        and shape[1] is not None
    )


def _text(specs):
    """Names and shapes of a signature's inputs or outputs."""
    return ", ".join(f"{name} {spec.shape}" for name, spec in specs.items())


def _digest(folder):
    """A text that differs where the graph or the variables do."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("variables/*")):
        digest.update(path.read_bytes())
    digest.update(next(folder.glob("saved_model.pb*")).read_bytes())
    return digest.hexdigest()[:16]
