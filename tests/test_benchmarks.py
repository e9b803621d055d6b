"""The benchmarks run, and print what they promise; no time is asserted."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEYS = [
    "resolution",
    "precision",
    "batch_size",
    "images_per_second",
    "gflops",
    "peak_gflops",
    "ratio",
    "peak_memory_mb",
]


def run_train_step(*arguments):
    """The finished process of the benchmark of the training step."""
    return subprocess.run(
        [sys.executable, "benchmarks/train_step.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_train_step_as_json():
    done = run_train_step(
        "--resolution=8",
        "--fmap_max=8",
        "--batch_size=4",
        "--steps=2",
        "--precision=float32",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    (result,) = map(json.loads, done.stdout.splitlines())
    assert list(result) == KEYS
    assert result.pop("precision") == "float32"
    assert (result["resolution"], result["batch_size"]) == (8, 4)
    assert all(number > 0 for number in result.values())
    # Four digits are kept of each.
    ratio = result["gflops"] / result["peak_gflops"]
    assert result["ratio"] == pytest.approx(ratio, rel=2e-3)


@pytest.mark.parametrize(
    "mistake, words",
    [
        ("--resolution=5", "not 5"),
        ("--resolution=8,big", "'big'"),
        ("--precision=float8", "'float8'"),
        ("--fmap_base=1", "fmap_base must be"),
        ("--batch_size=0", "batch_size"),
    ],
)
def test_train_step_mistakes(mistake, words):
    done = run_train_step(mistake)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
