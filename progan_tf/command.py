"""Running a command: its flags, its errors and a quiet TensorFlow.

A command module calls `run(main, define_flags)` under
`if __name__ == "__main__":`, so that importing it defines no flags.
"""

import contextlib
import os
import shutil
import sys
import tempfile
import traceback

from absl import app, flags

from progan_tf import faults, flag_values, signals
from progan_tf.errors import UserError

# For the libraries that commands import: Keras uses TensorFlow whatever its own
# settings say, and Matplotlib draws to files, also when run from a notebook.
_ENVIRONMENT = {"KERAS_BACKEND": "tensorflow", "MPLBACKEND": "Agg"}


def run(main, define_flags):
    """Run a command and exit.

    `--help` prints the docstring of the command's module and its flags. A
    user error, in a flag or found later, is printed as one line and the exit
    status is 2; `--debug` shows where it came from. If the command does not
    handle them, Ctrl-C, SIGTERM and a closed terminal end it quietly with
    status 130, 143 and 129, after its temporary files are removed; so does a
    broken pipe on its output, with 141. Any other exception is a bug: status
    70, and one line that names a file with the details.

    Both arguments are functions without parameters. `main` is called when
    `absl.flags.FLAGS` is parsed, and returns the exit status or None for 0.
    """
    _mend_streams()
    os.environ.update(_ENVIRONMENT)
    signals.end_when_told()
    try:
        define_flags()
        _parse_flags(sys.argv)
        status = main()
        _flush_output()
    except SystemExit as error:
        status = error.code
    except BaseException as error:
        status = _report(error)
    # A library may have swallowed the exception that a signal raised.
    _leave(signals.told() or status)


def _flush_output():
    """Flush here, where errors are reported, before Python does at exit."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UserError(f"cannot write the output: {error.strerror}") from error


def _report(error):
    """Print an error's message; returns the exit status."""
    status, line = faults.explain(error)
    # If nobody reads stderr either, only the status is left.
    with contextlib.suppress(OSError):
        if "--debug" in sys.argv:
            traceback.print_exception(error)
        if line:
            print(f"{_program()}: error: {line}", file=sys.stderr, flush=True)
    return status


def _leave(status):
    """Exit without messages about interrupts or closed streams."""
    signals.leave_at_once()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # Python flushes once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(status)


def _mend_streams():
    """Makes sure that the standard streams are open and accept any text.

    Otherwise the next opened file would get the descriptor of a closed stream,
    and receive what libraries print; and names with characters that the console
    cannot encode, or that are not UTF-8, could not be printed.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # Gets the lowest free number.
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            stream = open(number, "w", encoding="utf-8", closefd=False)
            setattr(sys, name, stream)
        getattr(sys, name).reconfigure(errors="backslashreplace")


def import_tensorflow():
    """Import TensorFlow; what it prints is shown only if this fails.

    Set the environment variable TF_CPP_MIN_LOG_LEVEL to 0 to see it all.
    """
    # Measured on TensorFlow 2.21 without a GPU: at level 2 the variable
    # silences later messages (cpu_feature_guard), but neither "oneDNN custom
    # operations are on" and "Could not find cuda drivers", which are printed
    # at import before the level is read, nor "failed call to cuInit", an error
    # of the first search for devices. Level 3 would hide that, but also errors
    # that matter. So stderr is held back during import and search.
    level = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with contextlib.ExitStack() as stack:
        if level != "0":
            stack.enter_context(stderr_held_back())
        import tensorflow as tf

        # By default TensorFlow allocates all memory of every GPU, so that no
        # pictures could be generated while a run trains.
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)


def _parse_flags(arguments):
    app.define_help_flags()
    # Makes --debug a flag of the command itself, so that --help lists it.
    flags.disclaim_key_flags()
    flags.DEFINE_boolean("debug", False, "show where an error came from")
    if {"--help", "-help", "-h"} & set(arguments[1:]):
        app.usage(shorthelp=True, writeto_stdout=True, exitcode=0)
    try:
        positional = flags.FLAGS(arguments)[1:]
    except SystemExit:
        # After --helpfull and the like, absl exits with an error's status.
        sys.exit(0)
    except UnicodeError as error:
        raise UserError(
            "expected a text file in UTF-8 as --flagfile"
        ) from error
    if positional:
        raise UserError(
            f"unexpected argument {positional[0]!r}; flags are written "
            "--name=value"
        )
    flag_values.check(flags.FLAGS)


def _program():
    """The command as it is started, such as progan_tf.train."""
    spec = sys.modules["__main__"].__spec__
    if not spec:
        return os.path.basename(sys.argv[0])
    return spec.name.removesuffix(".__main__")  # For export/.


@contextlib.contextmanager
def stderr_held_back(shown=True):
    """Hold back what C++ writes to descriptor 2.

    After an error it is written there, unless `shown` is False.
    """
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            held.seek(0)
            with open(original, "wb", closefd=False) as stderr:
                if shown:
                    shutil.copyfileobj(held, stderr)
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
