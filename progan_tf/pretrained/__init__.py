"""The included pretrained generators, each under a name.

The folder of that name holds

    generator.keras   the averaged generator
    training.npz      the other weights that training resumes from: the
                      discriminator's, and the toRGB layers of the generator's
                      lower resolutions, as float32 arrays such as
                      discriminator/conv0_64/kernel
    config.json       the settings of its training, as in a run directory
    evaluation/       the results of its evaluation, likewise
    README.md         its model card
"""

import dataclasses
import hashlib
import pathlib

from progan_tf import addresses
from progan_tf.errors import UserError

DEFAULT = "cats-128"
RUN_DIR_HELP = (
    f"a run directory, a .keras file or hf://USER/MODEL; by default {DEFAULT}, "
    "which is included"
)
GENERATOR_FILE, TRAINING_FILE = "generator.keras", "training.npz"


@dataclasses.dataclass(frozen=True)
class Shipped:
    """A generator that commands and `load_generator` take by its name.

    It was trained on `images_seen` real images; the licence, one line, applies
    to it and its images. Digests are a dict from file name to the first 16 hex
    digits of its SHA-256.
    """

    name: str
    images_seen: int
    class_names: tuple
    licence: str
    digests: dict

    @property
    def folder(self):
        """`pathlib.Path` of its files."""
        return pathlib.Path(__file__).parent / self.name

    def file(self, name):
        """The `pathlib.Path` of a file; UserError if its digest is wrong."""
        path, fault = self.folder / name, None
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            if digest != self.digests[name]:
                fault = f"{path} is damaged or of another version of progan_tf"
        except OSError as error:
            reason = error.strerror
            fault = f"cannot read {path}, a part of progan_tf: {reason}"
        if fault:
            raise UserError(f"{fault}; install progan_tf again")
        return path


_CATS = Shipped(
    "cats-128",
    images_seen=2_880_000,
    class_names=tuple(f"body{number}" for number in range(15)),
    licence="CC BY 4.0; credit David Revoy as the source of the cats",
    digests={
        GENERATOR_FILE: "7d4b7091c2657702",
        TRAINING_FILE: "9ad0315fb0fad7a2",
    },
)
SHIPPED = {_CATS.name: _CATS}


def named(text):
    """The `Shipped` generator that a text names, or None.

    The name takes precedence over a folder of that name; write ./cats-128 for
    the folder, or give a `pathlib.Path`.
    """
    return SHIPPED.get(text) if isinstance(text, str) else None


def check_no_name(run_dir):
    """Raise UserError for a generator's name instead of a run directory."""
    addresses.check_no_address(run_dir)
    if named(run_dir):
        raise UserError(
            f"{run_dir} is the generator that comes with progan_tf, and no "
            f"run; for a folder of that name write ./{run_dir}"
        )
