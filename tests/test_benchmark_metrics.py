"""The benchmark of the metrics runs and prints what it promises."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(*arguments):
    """The finished process of the benchmark."""
    return subprocess.run(
        [sys.executable, "benchmarks/metrics.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_all_metrics_as_json_and_as_a_table():
    small = "--resolution=16", "--images=16", "--dimension=4", "--vectors=16"
    done = run(*small, "--json")
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["metric"] for result in results] == [
        "sliced_wasserstein",
        "ms_ssim",
        "nearest_neighbours",
        "frechet_distance",
        "kernel_distance",
        "precision_recall",
        "inception_score",
    ]
    for result in results:
        rate = result["images"] / result["seconds"]
        # Four digits are kept of each.
        assert result["images_per_second"] == pytest.approx(rate, rel=2e-3)
    done = run(*small)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == [
        "metric",
        "resolution",
        "images",
        "seconds",
        "images/s",
    ]
    assert len(lines) == 8
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(
    "mistake, words",
    [
        ("--resolution=24", "'24'"),
        ("--resolution=big", "'big'"),
        ("--images=1", "images"),
        ("--features=nowhere", "nowhere"),
    ],
)
def test_mistakes(mistake, words):
    done = run(mistake)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
