"""A process that imports TensorFlow once and forks a child for each command.

It reads a JSON object per line, {"command", "arguments", "folder", "seconds"},
and answers with {"status", "output", "errors"}. A command still running after
its seconds gets SIGTERM; "status" is None if it does not stop then.
TensorFlow creates its threads when it first computes or looks for devices,
which only the children do, so forking is safe; this is checked at the start.
"""

import json
import os
import pathlib
import resource
import runpy
import signal
import sys
import time

# Before NumPy is imported: threads do not survive a fork.
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}

_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_MEMORY, _FILE = 24 << 30, 300 << 20  # Bytes that a child may take and write.


def import_all():
    """Import all modules but the commands, which are run."""
    import importlib

    import matplotlib.figure  # noqa: F401
    import tensorflow  # noqa: F401

    root = pathlib.Path(__file__).resolve().parent.parent
    for path in [*root.glob("progan_tf/**/*.py"), *root.glob("export/*.py")]:
        if "command.run(" in path.read_text() or path.stem == "__main__":
            continue
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        if parts[0] == "export":
            name = f"progan_tf.{name}"
        importlib.import_module(name)
    threads = len(os.listdir("/proc/self/task"))
    assert threads == 1, f"{threads} threads: no child would be reliable"


def run(command, arguments, folder, seconds):
    """The answer for one command line."""
    names = [f"{folder}.{name}" for name in ("out", "err")]
    child = os.fork()
    if not child:
        _be(command, arguments, folder, names)
    status = _status_within(child, seconds)
    if status is None:
        os.kill(child, signal.SIGTERM)
        status = _status_within(child, 20)
    if status is None:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    texts = [pathlib.Path(name).read_text(errors="replace") for name in names]
    for name in names:
        os.unlink(name)
    return {"status": status, "output": texts[0], "errors": texts[1]}


def _status_within(child, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, code = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(code)
        time.sleep(0.005)
    return None


def _be(command, arguments, folder, names):
    """Run the command; does not return."""
    status = 1
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE, _FILE))
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, name in enumerate(names, 1):
            os.dup2(os.open(name, _NEW), number)
        # Arguments from a shell may not be UTF-8.
        given = [text.encode("utf-8", "surrogateescape") for text in arguments]
        sys.argv = ["", *map(os.fsdecode, given)]
        try:
            runpy.run_module(f"progan_tf.{command}", None, "__main__", True)
            status = 0
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
            status = 0 if error.code is None else status
        except BaseException:
            import traceback

            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


if __name__ == "__main__":
    import_all()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(run(**json.loads(line))), flush=True)
