"""The messages and exit statuses of commands when something goes wrong."""

import errno
import os
import sys

from absl import flags

from progan_tf.errors import UserError
from progan_tf.signals import status
from progan_tf.text import first_line, not_utf8, shortened

USER_ERROR_STATUS = 2
FAULT_STATUS = 70  # EX_SOFTWARE of BSD's sysexits.
_SIGINT, _SIGPIPE = 2, 13
# An OSError with one of these codes is a bug of the program.
_BUG_CODES = {None, errno.EBADF, errno.EINVAL, errno.EPIPE}
# TensorFlow's errors when another worker of a run is gone.
_WORKER_ERRORS = ("UnavailableError", "AbortedError", "DeadlineExceededError")
# TensorFlow's errors when the operating system refuses to read or write.
_SYSTEM_ERRORS = (
    "FailedPreconditionError NotFoundError OutOfRangeError "
    "PermissionDeniedError UnimplementedError"
).split()
# Longer words, such as the value of a flag, are shortened.
_LONGEST_WORD = 300
_PACKAGES = ("progan-tf", "tensorflow", "keras", "numpy", "pillow", "absl-py")


def explain(error: BaseException) -> tuple[int, str]:
    """The exit status for an error, and the line to print; "" for none."""
    if isinstance(error, KeyboardInterrupt):
        return status(_SIGINT), ""
    if isinstance(error, BrokenPipeError):
        # The reader, such as head, has closed the pipe.
        return status(_SIGPIPE), ""
    line = _line(error)
    if line:
        words = (shortened(word, _LONGEST_WORD) for word in line.split())
        return USER_ERROR_STATUS, " ".join(words)
    return FAULT_STATUS, (
        f"an internal error of the program, not yours: {type(error).__name__}: "
        f"{shortened(first_line(error), 200)}; {_details(error)}"
    )


def _line(error):
    """The message of an error that the user can correct; "" for others."""
    if isinstance(error, (UserError, flags.Error)):
        return str(error)
    if isinstance(error, OSError) and error.errno not in _BUG_CODES:
        about = f" {error.filename}" if error.filename is not None else ""
        return f"cannot read or write{about}: {first_line(error)}"
    if isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason:
        return not_utf8(error.object)
    name, home = type(error).__name__, type(error).__module__
    of_tensorflow = home.startswith("tensorflow.")
    said = shortened(first_line(error), 200)
    if isinstance(error, MemoryError) or (
        of_tensorflow and name == "ResourceExhaustedError"
    ):
        return f"there is not enough memory ({said}); ask for less at a time"
    if of_tensorflow and name in _WORKER_ERRORS and os.environ.get("TF_CONFIG"):
        return (
            f"another worker is gone ({said}); start all of them again: they "
            "go on from the last checkpoint"
        )
    if of_tensorflow and name in _SYSTEM_ERRORS and "; " in said:
        # Such as "runs/x/events.v2; No space left on device".
        return f"cannot read or write {said}"
    return ""


def _details(error):
    """Writes a file for a bug report; returns a phrase that names it."""
    # Imported here, so that commands without errors need not wait for them.
    import datetime
    import importlib.metadata
    import platform
    import shlex
    import tempfile
    import traceback

    def version(package):
        try:
            return f"{package} {importlib.metadata.version(package)}"
        except importlib.metadata.PackageNotFoundError:
            return f"{package} not installed"

    text = (
        f"time      {datetime.datetime.now().astimezone().isoformat()}\n"
        f"command   {shlex.join(sys.orig_argv)}\n"
        f"system    {platform.platform()}, Python {platform.python_version()}\n"
        f"packages  {', '.join(map(version, _PACKAGES))}\n\n"
        + "".join(traceback.format_exception(error))
    ).encode("utf-8", "backslashreplace")
    try:
        number, path = tempfile.mkstemp(".txt", "progan_tf-fault-")
        with open(number, "wb") as file:
            file.write(text)
    except OSError:
        return "--debug shows the details"
    return f"the details for a bug report are in {path}"
