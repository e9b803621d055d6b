"""Commands and benchmarks as processes of their own, run from this checkout."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def started(*words, folder=ROOT, **environment):
    """A Python process whose output is captured as text."""
    return subprocess.Popen(
        [sys.executable, *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process):
    """Wait for a process; its output and status."""
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
    """Check for status 2 and a one-line error with these words."""
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
