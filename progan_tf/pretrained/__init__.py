"""The generators that come with the program, each under a name.

The folder of that name holds

    generator.keras   the average of the generator's weights
    training.npz      what training goes on from besides: the discriminator's
                      weights, and the colours of the generator's lower
                      resolutions, as float32 arrays such as
                      discriminator/conv0_64/kernel
    config.json       the settings of its training, as in a run directory
    evaluation/       what was measured of it, likewise
    README.md         its model card
"""

import dataclasses
import hashlib
import pathlib

from progan_tf.errors import UserError

DEFAULT = "cats-128"
RUN_DIR_HELP = (
    f"a run directory or a .keras file; by default {DEFAULT}, which comes with "
    "the program"
)
GENERATOR_FILE, TRAINING_FILE = "generator.keras", "training.npz"


@dataclasses.dataclass(frozen=True)
class Shipped:
    """A generator that comes with the program.

    Attributes:
        name: str, by which commands and `load_generator` take it.
        images_seen: int, real images that it was trained on.
        class_names: tuple of str, one a class.
        licence: str, of one line: what may be done with it and its images.
        digests: dict from file name to how the SHA-256 of its bytes
            begins.
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
        """The `pathlib.Path` of a file, which is the one it should be.

        Raises:
            UserError: if it is not there, of another version, or damaged.
        """
        path = self.folder / name
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        except OSError as error:
            raise UserError(
                f"cannot read {path}, a part of progan_tf: {error.strerror}; "
                "install progan_tf again"
            ) from error
        if digest != self.digests[name]:
            raise UserError(
                f"{path} is damaged or of another version of progan_tf; "
                "install progan_tf again"
            )
        return path


SHIPPED = {
    shipped.name: shipped
    for shipped in (
        Shipped(
            "cats-128",
            images_seen=1_000_000,
            class_names=tuple(f"body{number}" for number in range(15)),
            licence="CC BY 4.0; name David Revoy as the source of the cats",
            digests={
                GENERATOR_FILE: "bac4e808594b0527",
                TRAINING_FILE: "5d2e70a2e336feda",
            },
        ),
    )
}


def named(text):
    """The `Shipped` generator that a text names, or None.

    A name comes before a folder of that name, which is written ./cats-128, or
    given as a `pathlib.Path`.
    """
    return SHIPPED.get(text) if isinstance(text, str) else None


def check_no_name(run_dir):
    """Refuse the name of a generator where the folder of a run is wanted.

    Raises:
        UserError: if it is one.
    """
    if named(run_dir):
        raise UserError(
            f"{run_dir} is the generator that comes with progan_tf, and no "
            f"run; for a folder of that name write ./{run_dir}"
        )
