"""Opening a generator of any kind, and the flags that select it."""

import os

from absl import flags

from progan_tf import addresses, command, pretrained
from progan_tf.errors import UserError
from progan_tf.sampling import KerasGenerator

MODULE_HELP = "a TF-Hub module instead: its folder, .tar.gz or address"


def define_flags():
    """Define --run_dir, --module, --resolution and --trust for a command."""
    define_trust()
    text = flags.DEFINE_string
    text("run_dir", None, pretrained.RUN_DIR_HELP)
    text("module", None, MODULE_HELP)
    highest = "of the images; by default the highest"
    flags.DEFINE_integer("resolution", None, highest, 4)


def define_trust():
    """Define --trust, for modules of other people."""
    # So that --help lists the flags of this module with those of the command.
    flags.disclaim_key_flags()
    whatever = "run a module even if it does more than compute"
    flags.DEFINE_boolean("trust", False, whatever)


def open_flagged(flags, latest=False):
    """`open_generator` with the values of the flags of `define_flags`.

    Raises UserError, too, for an --out among the pictures that the generator
    was trained on, or among --samples.
    """
    which = flags.run_dir, flags.module, flags.resolution
    generator = open_generator(*which, latest, flags.trust)
    data = [generator.origin[0].data] if generator.origin else []
    if "samples" in flags and flags.samples is not None:
        data.append(os.path.abspath(flags.samples))
    if "out" in flags:
        # Here, because it imports NumPy, which --help need not wait for.
        from progan_tf.data import check_apart

        for pictures in data:
            check_apart(pictures, flags.out, "--out")
    return generator


def open_generator(
    run_dir=None, module=None, resolution=None, latest=False, trust=False
):
    """Load a generator, an `AnyGenerator`, by the values of these flags.

    The flags are checked before TensorFlow, which is slow, is imported. If
    neither a run directory, `.keras` file or name nor a module is given, it is
    the default of `pretrained`, and a line says so. Raises UserError for flags
    that do not go together, or if the generator cannot be loaded.
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
    named = shipped or addresses.is_address(run_dir)
    if latest and (named or os.path.isfile(run_dir)):
        raise UserError(
            "--latest needs a run directory; a .keras file, the included "
            "generator and a model from the net each hold one generator only"
        )
    if module is None and not (named or os.path.exists(run_dir)):
        raise UserError(
            f"expected a run directory or .keras file; there is no {run_dir}"
        )
    addresses.check(run_dir, "generator")
    addresses.check(module, "module")
    if by_default:
        kind = f"which comes with progan_tf ({shipped.licence})"
        print(f"Generator: {shipped.name}, {kind}.", flush=True)
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
    elif origin:
        generator.class_names = origin[0].names_of_classes()
    return generator
