"""Opening a generator, whatever it is, and the flags that tell which."""

import os

from absl import flags

from progan_tf import command
from progan_tf.errors import UserError
from progan_tf.sampling import KerasGenerator


def define_flags():
    """Define --run_dir, --module and --resolution, as the caller's own."""
    # So that --help lists them with the flags of the command.
    flags.disclaim_key_flags()
    text = flags.DEFINE_string
    text("run_dir", None, "a run directory or a .keras file")
    text("module", None, "a TF-Hub module instead: its folder or .tar.gz")
    flags.DEFINE_integer(
        "resolution", None, "any finished; by default the highest", 4
    )
    define_trust(flags)


def define_trust(flags):
    """Define --trust, for what is of other people; flags is `absl.flags`."""
    flags.DEFINE_boolean(
        "trust", False, "run whatever a module does, touching files included"
    )


def open_generator(
    run_dir=None, module=None, resolution=None, latest=False, trust=False
):
    """Load a generator, importing TensorFlow first.

    Mistakes that show without TensorFlow do not wait for it.

    Args:
        run_dir: str, a run directory or a `.keras` file; or None.
        module: str, a TF-Hub module's folder or `.tar.gz`; or None.
        resolution: int, of a run; by default the highest that is finished.
        latest: bool, a run's weights of the last step, not their average.
        trust: bool, load a module whatever its operations do: see
            `saved_models`.

    Returns:
        `AnyGenerator`.

    Raises:
        UserError: if not exactly one of the two is given, if the others do
            not go with it, or if it cannot be loaded.
    """
    if (run_dir is None) == (module is None):
        raise UserError("expected one of --run_dir and --module")
    if module is not None and (resolution or latest):
        raise UserError(
            "--resolution and --latest need --run_dir; a module holds one "
            "generator"
        )
    if latest and os.path.isfile(run_dir):
        raise UserError(
            "--latest needs a run directory; a .keras file holds one generator"
        )
    # Only now, because TensorFlow takes seconds to import.
    command.import_tensorflow()
    if module is not None:
        from progan_tf.generation.hub_module import load_module

        return load_module(module, trust)
    from progan_tf.checkpoint import load_with_origin

    model, origin = load_with_origin(run_dir, resolution, not latest)
    return KerasGenerator(model, run_dir, origin)
