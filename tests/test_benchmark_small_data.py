"""The small-data benchmark: its summary of runs, and its user errors."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

import small_data  # noqa: E402


def make_run(out, name, swd, memorised):
    """What evaluations of a run left, at 10, 20, ... kimg."""
    folder = out / name / "evaluation"
    folder.mkdir(parents=True)
    lines = []
    for i, (distance, share) in enumerate(zip(swd, memorised, strict=True)):
        about = {"images_seen": 10_000 * (i + 1), "resolution": 32, "images": 8}
        against = {"data": str((out / "unseen").resolve())}
        values = {"values": {"swd_avg": distance}, "reals": {"swd_avg": 6.0}}
        lines.append(about | {"metric": "swd"} | against | values)
        # Against the pictures that were trained on, which do not count.
        lines.append(lines[-1] | {"data": "elsewhere", "values": {}})
        values = {"values": {"memorised": share}, "reals": {"memorised": 0.05}}
        data = {"metric": "memorised", "data": "elsewhere"}
        lines.append(about | data | values)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text)


def test_seeds_are_brought_together(tmp_path):
    make_run(tmp_path, "all-none-s1", [40, 20], [0, 0])
    make_run(tmp_path, "100-none-s1", [30, 20, 25], [0, 0.5, 0.75])
    make_run(tmp_path, "100-none-s2", [31, 24, 22], [0, 0.5, 0.25])
    make_run(tmp_path, "100-color+cutout@0.5-s1", [33, 30, 18], [0, 0, 0.125])
    results = small_data.collected(tmp_path)
    head, line, *rows = small_data.table(results)
    assert head.count("|") == line.count("|") == rows[0].count("|") == 9
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    shared = ["5.0%"]
    assert cells == [
        ["100", "color+cutout@0.5", "1", "18.0", "30 kimg", "18.0", "12.5%"]
        + shared,
        [
            *("100", "none", "2", "21.0 (20.0 to 22.0)", "25 kimg"),
            *("23.5 (22.0 to 25.0)", "50.0% (25.0% to 75.0%)"),
            "5.0% (5.0% to 5.0%)",
        ],
        ["all", "none", "1", "20.0", "20 kimg", "20.0", "0.0%", *shared],
    ]
    small_data.draw(tmp_path / "curves.png", results)
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size[0] > picture.size[1] > 300


def test_few_cats_are_the_first_and_unseen_ones_others(tmp_path):
    def cats(folder, first, count):
        small_data.write_pictures(tmp_path / folder, first, count)
        return [
            np.asarray(Image.open(path)).tobytes()
            for path in sorted((tmp_path / folder).iterdir())
        ]

    few, more = cats("few", 0, 3), cats("more", 0, 5)
    assert more[:3] == few
    assert not {*more} & {*cats("unseen", 1000, 4)}


@pytest.mark.parametrize("size", ["1", "15", "1001", "x"])
def test_a_mistake_is_one_line(tmp_path, size):
    done = subprocess.run(
        [
            sys.executable,
            small_data.__file__,
            f"--out={tmp_path / 'out'}",
            f"--sizes={size}",
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "expected --sizes from 16 to 1000 or all" in line
    assert not (tmp_path / "out").exists()
