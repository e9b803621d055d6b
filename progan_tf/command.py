"""Running a command: its flags, its errors and a quiet TensorFlow.

A command module calls `run(main, define_flags)` under
`if __name__ == "__main__":`, so that importing it defines no flags.
"""

import contextlib
import os
import shutil
import signal
import sys
import tempfile

from absl import app, flags

from progan_tf.errors import UserError

USER_ERROR_STATUS = 2
# 128 plus the number of the signal, as shells count; here SIGINT and SIGPIPE.
_SIGNAL_STATUS = 128
INTERRUPTED_STATUS = 130
BROKEN_PIPE_STATUS = 141


def run(main, define_flags):
    """Run a command and exit.

    `--help` prints the docstring of the command's module and its flags. A
    mistake of the user's, in a flag or found later as a `UserError`, is
    printed as one line without a traceback, and the exit status is 2. Ctrl-C,
    SIGTERM and a terminal that is closed, where the command does not handle
    them, end it quietly with status 130, 143 and 129, once its temporary files
    are removed; and so does a reader of its output that goes away, with 141.

    Args:
        main: function without arguments; `absl.flags.FLAGS` is parsed when
            it is called. Its result is the exit status, None for success.
        define_flags: function without arguments that defines the flags.
    """
    # Keras reads it when it is imported; a user's own choice, there or in
    # keras.json, is for other programs.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    signal.signal(signal.SIGTERM, _terminate)
    # A terminal that is closed; unless that is ignored, as under nohup.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _terminate)
    try:
        define_flags()
        _parse_flags(sys.argv)
        status = main()
        # Here, so that a reader that is gone is noticed within the try.
        sys.stdout.flush()
        sys.exit(status)
    except (UserError, flags.Error) as error:
        message = " ".join(str(error).split())
        print(f"{_program()}: error: {message}", file=sys.stderr)
        sys.exit(USER_ERROR_STATUS)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED_STATUS)
    except BrokenPipeError:
        # The reader, such as head, has seen enough. Python flushes stdout
        # once more at exit, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN_PIPE_STATUS)


@contextlib.contextmanager
def told_to_stop():
    """Notes Ctrl-C, SIGTERM and a closed terminal; the process goes on.

    Yields:
        list of the signals that came; work looks at it and ends early.
    """
    told = []
    handlers = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        handler = signal.getsignal(number)
        if handler is not signal.SIG_IGN:
            signal.signal(number, lambda number, frame: told.append(number))
            handlers[number] = handler
    try:
        yield told
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def import_tensorflow():
    """Import TensorFlow, holding back what it prints while it starts.

    Where the import fails everything that it printed is shown. Set the
    environment variable TF_CPP_MIN_LOG_LEVEL to 0 to see it all.
    """
    # Measured on TensorFlow 2.21 without a GPU: at level 2 the variable
    # silences what comes later (cpu_feature_guard), but neither "oneDNN custom
    # operations are on" and "Could not find cuda drivers", which are printed
    # at import before the level is read, nor "failed call to cuInit", an error
    # of the first look for devices, which level 3 would hide along with
    # errors that matter. So stderr is held back over the import and that look.
    level = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with contextlib.ExitStack() as stack:
        if level != "0":
            stack.enter_context(_stderr_held_back())
        import tensorflow as tf

        # By default TensorFlow takes all memory of every GPU at once, so that
        # pictures could not be made beside a training.
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)


def _terminate(number, frame):
    """Leave as after Ctrl-C, through everything that cleans up behind it."""
    # A second signal must not interrupt the cleaning.
    signal.signal(number, signal.SIG_IGN)
    sys.exit(_SIGNAL_STATUS + number)


def _parse_flags(arguments):
    app.define_help_flags()
    if {"--help", "-help", "-h"} & set(arguments[1:]):
        # absl would exit with status 1, as though asking were a mistake.
        app.usage(shorthelp=True, writeto_stdout=True, exitcode=0)
    positional = flags.FLAGS([_expanded(a) for a in arguments])[1:]
    if positional:
        raise UserError(
            f"unexpected argument {positional[0]!r}; flags are written "
            "--name=value"
        )


def _expanded(argument):
    """`--name=~/x` with the home folder: shells leave it as it is there."""
    name, sign, value = argument.partition("=")
    return name + sign + os.path.expanduser(value)


def _program():
    """The command as it is started, such as progan_tf.train."""
    spec = sys.modules["__main__"].__spec__
    if not spec:
        return os.path.basename(sys.argv[0])
    return spec.name.removesuffix(".__main__")  # Of a package, such as export.


@contextlib.contextmanager
def _stderr_held_back():
    """Keep file descriptor 2 silent; show what it got if an error comes.

    The descriptor and not `sys.stderr`, because TensorFlow's C++ writes to it.
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
                shutil.copyfileobj(held, stderr)
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
