"""The benchmarks run, and print what they promise; no time is asserted."""

import json

import pytest
from processes import assert_mistake, run_benchmark

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


def test_train_step_as_json():
    done = run_benchmark(
        "train_step",
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
    assert_mistake(run_benchmark("train_step", mistake), words)


def test_generate_as_a_table_and_what_failed():
    done = run_benchmark(
        "generate",
        "--resolutions=4",
        # More than any machine can address.
        "--batch_sizes=3,1000000000000",
        "--fmap_max=8",
        "--seconds=0",
        "--rounds=1",
        "--targets=keras,hub,onnx,litert",
    )
    assert done.returncode == 0, done.stderr
    machine, empty, head, rule, *rows, end = done.stdout.splitlines()[:7]
    assert "tensorflow 2." in machine and empty == end == ""
    assert head.split(" | ")[2:4] == ["keras, images/s", "hub, images/s"]
    assert set(rule) == {"|", "-", " "}
    row, failed = (line.strip("| ").split(" | ") for line in rows)
    assert row[:2] == ["4", "3"]
    assert len(row) == head.count("|") - 1 == 2 + 2 * 4
    assert all(float(cell.replace(",", "")) > 0 for cell in row)
    assert failed == ["4", "1000000000000", *["failed"] * 8]
    case = "at 4x4, batch 1000000000000 ended with status 1"
    for line, target in zip(
        done.stdout.splitlines()[7:],
        ("keras", "hub", "onnx", "litert"),
        strict=True,
    ):
        assert line.startswith(f"{target} {case}")


@pytest.mark.parametrize(
    "mistake, words",
    [
        ("--resolutions=5", "not 5"),
        ("--resolutions=8,big", "'8,big'"),
        ("--batch_sizes=0", "--batch_sizes such as 4,16"),
        ("--targets=keras,jax", "'jax'"),
    ],
)
def test_generate_mistakes(mistake, words):
    assert_mistake(run_benchmark("generate", mistake), words)
