"""Opening a generator, whatever it is, and the flags that tell which."""

import os

from absl import flags

from progan_tf import command, pretrained
from progan_tf.errors import UserError
from progan_tf.sampling import KerasGenerator


def define_flags():
    """Define --run_dir, --module and --resolution, as the caller's own."""
    # So that --help lists them with the flags of the command.
    flags.disclaim_key_flags()
    text = flags.DEFINE_string
    text("run_dir", None, pretrained.RUN_DIR_HELP)
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
        run_dir: str, a run directory, a `.keras` file, or the name of a
            generator that comes with the program.
        module: str, a TF-Hub module's folder or `.tar.gz`, instead. Without
            either it is the default of `pretrained`, as a line says.
        resolution: int, of a run; by default the highest that is finished.
        latest: bool, a run's weights of the last step, not their average.
        trust: bool, load a module whatever its operations do: see
            `saved_models`.

    Returns:
        `AnyGenerator`.

    Raises:
        UserError: if both are given, if the others do not go with them, or
            if it cannot be loaded.
    """
    if run_dir is not None and module is not None:
        raise UserError("expected one of --run_dir and --module")
    if module is not None and (resolution or latest):
        raise UserError(
            "--resolution and --latest need --run_dir; a module holds one "
            "generator"
        )
    by_default = run_dir is None and module is None
    run_dir = pretrained.DEFAULT if by_default else run_dir
    shipped = pretrained.named(run_dir)
    if latest and (shipped or os.path.isfile(run_dir)):
        raise UserError(
            "--latest needs a run directory; a .keras file holds one "
            "generator, and so does what comes with the program"
        )
    if by_default:
        print(
            f"Generator: {shipped.name}, which comes with progan_tf "
            f"({shipped.licence}).",
            flush=True,
        )
    # Only now, because TensorFlow takes seconds to import.
    command.import_tensorflow()
    if module is not None:
        from progan_tf.generation.hub_module import load_module

        return load_module(module, trust)
    from progan_tf.checkpoint import load_with_origin

    model, origin = load_with_origin(run_dir, resolution, not latest)
    generator = KerasGenerator(model, run_dir, origin)
    if shipped:
        generator.class_names = shipped.class_names
    return generator
