"""The metrics benchmark runs and prints what it promises."""

import json

import pytest
from processes import assert_mistake, run_benchmark


def test_all_metrics_as_json_and_as_a_table():
    small = "--resolution=16", "--images=16", "--dimension=4", "--vectors=16"
    done = run_benchmark("metrics", *small, "--json")
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
    done = run_benchmark("metrics", *small)
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
    assert_mistake(run_benchmark("metrics", mistake), words)
