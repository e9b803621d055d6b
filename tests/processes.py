"""Commands and benchmarks as processes of their own, run from this checkout."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def started(*words, folder=ROOT, **environment):
    """A process of Python whose output is kept, as text."""
    return subprocess.Popen(
        [sys.executable, *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process):
    """What a process has said and its status."""
    output, errors = process.communicate()
    return subprocess.CompletedProcess(
        process.args, process.returncode, output, errors
    )


def started_command(name, *flags, **options):
    """The process of a command."""
    return started("-m", f"progan_tf.{name}", *flags, **options)


def run_command(name, *flags, **options):
    """The finished process of a command."""
    return finished(started_command(name, *flags, **options))


def run_benchmark(name, *flags):
    """The finished process of a benchmark."""
    return finished(started(f"benchmarks/{name}.py", *flags))


def assert_mistake(done, words):
    """It ended with status 2 and one line that has the words."""
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
