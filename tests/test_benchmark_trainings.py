"""The benchmarks that train: resuming, measuring, user errors."""

import json
import sys

import pytest
from processes import ROOT, assert_mistake, run_benchmark

from progan_tf.config import resolve

sys.path.insert(0, str(ROOT / "benchmarks"))

import time_to_quality  # noqa: E402
import trainings  # noqa: E402

from progan_tf.errors import UserError  # noqa: E402


def point(kimg, minutes, distance):
    """A snapshot with a mean distance."""
    values = {"swd_16": distance, "swd_avg": distance, "ms_ssim": 0.3}
    return trainings.Point(kimg, minutes, values, {**values, "swd_avg": 1.0})


def test_table1_is_trained_once_and_printed(tmp_path):
    small = (
        "table1",
        "--rows=lazy4",
        "--kimg=0.1",
        "--resolution=16",
        "--fmap_base=32",
        "--num_images=16",
        f"--out={tmp_path}",
    )
    done = run_benchmark(*small)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "table1.md").read_text()
    assert text in done.stdout
    lines = [line.strip("| ").split(" | ") for line in text.splitlines()]
    assert [line[0] for line in lines[2:]] == ["lazy4", "reals"]
    assert lines[0][2:5] == ["swd_16", "swd_avg", "ms_ssim"]
    assert (tmp_path / "table1.png").read_bytes().startswith(b"\x89PNG")
    config = json.loads((tmp_path / "lazy4-0" / "config.json").read_text())
    assert config["penalty_every"] == 4 and config["total_kimg"] == 0.1
    assert config["seed"] == 1000 and config["pixelnorm"]
    # Five phases, of which the last is half again as long.
    assert config["fade_kimg"] == {"4": 0, "8": 0.0181818, "16": 0.0181818}
    assert config["stable_kimg"]["4"] == 0.0181818
    assert set(config["batch_size"].values()) == {16}
    before = (tmp_path / "lazy4-0" / "metrics.jsonl").read_bytes()
    # All that is left is to print.
    done = run_benchmark(*small, "--only_print")
    assert done.returncode == 0 and text in done.stdout
    assert run_benchmark(*small).stdout == done.stdout
    # Another network's numbers are not printed as this one's.
    other = run_benchmark(*small, "--fmap_base=64")
    assert other.returncode == 2 and other.stdout == ""
    assert "fmap_base is 32 there, not 64" in other.stderr
    assert (tmp_path / "lazy4-0" / "metrics.jsonl").read_bytes() == before


def test_minutes_add_up_over_the_lines_of_a_log(tmp_path):
    lines = [
        {"images_seen": 600, "images_per_second": 10.0},
        {"images_seen": 1800, "images_per_second": 5.0},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    # Of the last line a half is written.
    (tmp_path / "metrics.jsonl").write_text(text + text[:20])
    assert trainings.minutes(tmp_path) == {600: 1.0, 1800: 5.0}


def test_a_training_that_was_stopped_is_not_measured(tmp_path, monkeypatch):
    # Told to stop, the process ends well.
    monkeypatch.setattr(trainings, "process", lambda name, *given: None)
    resolve("laptop", {"total_kimg": 1}).save_config(tmp_path)
    log = tmp_path / "metrics.jsonl"
    line = '{"images_seen": %d, "images_per_second": 9.0}\n'
    log.write_text(line % 500)
    with pytest.raises(UserError, match="was stopped; run the same command"):
        trainings.train(tmp_path, [])
    log.write_text(line % 500 + line % 1000)
    trainings.train(tmp_path, [])


def test_time_to_a_distance_is_between_two_snapshots():
    run = [point(1, 10, 30.0), point(2, 20, 10.0), point(3, 30, 20.0)]
    assert time_to_quality.time_to(run, 15.0) == 17.5
    assert time_to_quality.time_to(run, 30.0) == 10
    assert time_to_quality.time_to(run, 9.0) is None


def test_default_settings_are_those_of_runs():
    resolved = []
    for given in time_to_quality.DEFAULT_SETTINGS:
        words = (word.removeprefix("--").split("=") for word in given.split())
        values = dict(words)
        preset = values.pop("preset")
        values = {name: int(value) for name, value in values.items()}
        resolved.append(resolve(preset, values))
    assert resolved[0] != resolved[1]


def test_settings_have_names():
    long = "half: --data=a:b --fmap_max=48"
    assert time_to_quality.named(long) == ("half", "--data=a:b --fmap_max=48")
    short = "--preset=laptop --fmap_max=4:64,8:48"
    name = "laptop-fmap_max-4-64-8-48"
    assert time_to_quality.named(short) == (name, short)


def test_shares_are_of_the_same_seed():
    found = {
        "old": [[point(1, 10, 8.0)], [point(1, 20, 4.0)]],
        "new": [[point(1, 5, 8.0)], [point(1, 5, 4.0)]],
        "bad": [[point(1, 5, 9.0)], [point(1, 5, 4.0)]],
    }
    lines = time_to_quality.table(found).splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines[2:]]
    assert rows[0] == [
        "old",
        "2",
        "15 ± 5",
        "6 ± 2",
        "0.3 ± 0",
        "15 ± 5",
        "1 ± 0",
    ]
    assert rows[1][-2:] == ["5 ± 0", "0.375 ± 0.12"]
    assert rows[2][-2:] == ["5 (1 of 2 reached it)", "0.25"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["table1", "--rows=a,z"], "expected --rows of a, b,"),
        (["table1", "--rows="], "expected --rows of a, b,"),
        (["time_to_quality", "--settings=--data='x"], "No closing quotation"),
        (["time_to_quality", f"--settings=--data={'x' * 99}"], "with a name"),
        (["table1", "--only_print", "--out=no"], "there is none: train"),
        (
            ["time_to_quality", "--only_print", "--out=no"],
            "an evaluated training of all --settings in no",
        ),
    ],
)
def test_mistakes_are_one_line(arguments, words):
    assert_mistake(run_benchmark(*arguments), words)
