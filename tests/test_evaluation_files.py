"""The files that evaluations write."""

import concurrent.futures
import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from progan_tf.config import resolve
from progan_tf.data import Cats
from progan_tf.errors import UserError
from progan_tf.evaluation.comparison import Result
from progan_tf.evaluation.evaluation import Table
from progan_tf.evaluation.lines import lines_of, newest_metrics, read_lines
from progan_tf.evaluation.log import EvaluationLog
from progan_tf.evaluation.plot import save_plot, save_score_plot
from progan_tf.evaluation.reals import Reals
from progan_tf.evaluation.subjects import Subject


def lines_at(
    images_seen,
    swd=1.0,
    images=32,
    resolution=16,
    seed=0,
    network="network.pb",
):
    """The lines of two metrics, one of them in features."""
    values = {"swd_16": 3.0, "swd_avg": swd}
    results = [
        Result("swd", False, images, values, {"swd_16": 0, "swd_avg": 0}, 32),
        Result("kid", True, images, {"kid": -swd}, {"kid": 0.0}, 32),
    ]
    reals = Reals(Cats(), "cats", resolution)
    subject = Subject("name", images_seen, None)
    return lines_of(results, subject, reals, seed, network)


def tags_in(board):
    """The names of all scalars that TensorBoard would show."""
    return [
        value.tag
        for path in board.iterdir()
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
    ]


def test_a_line():
    first, second = lines_at(5000)
    assert first == {
        "images_seen": 5000,
        "metric": "swd",
        "resolution": 16,
        "images": 32,
        "data": "cats",
        "mirror": False,
        "seed": 0,
        "values": {"swd_16": 3.0, "swd_avg": 1.0},
        "reals": {"swd_16": 0, "swd_avg": 0},
        "reals_images": 32,
    }
    assert second["features"] == "network.pb"
    first, _ = lines_at(None)
    assert first["pictures"] == "name"
    assert "images_seen" not in first


def test_scores_that_are_no_numbers_are_not_drawn(tmp_path):
    schedule = resolve("laptop-wgan", {}).schedule()
    good = [{"images_seen": n, "fake_score": float(n)} for n in (1, 2000)]
    bad = ["x", [1], {}, 10**400, True, None]
    bad = [{"images_seen": 5, "fake_score": each} for each in bad]
    pictures = []
    for lines in (good, good + bad):
        save_score_plot(tmp_path / "scores.png", lines, schedule)
        pictures.append((tmp_path / "scores.png").read_bytes())
    assert pictures[0] == pictures[1]


def test_numbers_of_two_networks_are_apart(tmp_path):
    config = resolve("laptop-wgan", {})
    lines = [
        line
        for network in ("path/of/one", "path/of/other/")
        for line in lines_at(20_000, network=network)
    ]
    with EvaluationLog(tmp_path / "new", config, tmp_path / "board") as log:
        log.write(lines)
    assert sorted(set(tags_in(tmp_path / "board"))) == [
        "evaluation/kid_16x16_32_one",
        "evaluation/kid_16x16_32_other",
        "evaluation/swd_16_16x16_32",
        "evaluation/swd_avg_16x16_32",
    ]


def test_newer_lines_replace_older_ones_about_the_same(tmp_path):
    with EvaluationLog(tmp_path / "new") as log:
        log.write(lines_at(2000, swd=1.0))
        log.write(lines_at(1000, swd=2.0))
        log.write(lines_at(2000, swd=3.0)[:1])
        log.write(lines_at(1000, swd=4.0, images=64))
        log.write(lines_at(1000, swd=5.0, seed=9))
        log.write(lines_at(1000, swd=6.0, resolution=32))
    found = [
        (x["images_seen"], x["images"], x["resolution"], x["seed"], value)
        for x in read_lines(tmp_path / "new")
        for name, value in x["values"].items()
        if name in ("swd_avg", "kid")
    ]
    assert sorted(found) == [
        (1000, 32, 16, 0, -2.0),
        (1000, 32, 16, 0, 2.0),
        (1000, 32, 16, 9, -5.0),
        (1000, 32, 16, 9, 5.0),
        (1000, 32, 32, 0, -6.0),
        (1000, 32, 32, 0, 6.0),
        (1000, 64, 16, 0, -4.0),
        (1000, 64, 16, 0, 4.0),
        (2000, 32, 16, 0, -1.0),
        (2000, 32, 16, 0, 3.0),
    ]
    seen = [line["images_seen"] for line in read_lines(tmp_path / "new")]
    assert seen == sorted(seen)


def test_what_is_known_of_a_snapshot(tmp_path):
    config = resolve("laptop-wgan", {"run_dir": str(tmp_path)})
    assert newest_metrics(config, 1000, 16) == {}
    with EvaluationLog(tmp_path / "evaluation") as log:
        log.write(lines_at(1000, swd=2.0, images=64))
        log.write(lines_at(1000, swd=4.0, images=32))
        log.write(lines_at(1000, swd=5.0, images=128, seed=3))
        log.write(lines_at(2000, swd=6.0))
        log.write(lines_at(1000, images=32, network="path/of/one"))
        other = lines_at(1000, swd=7.0, images=256)
        log.write([{**line, "data": "other"} for line in other])
    assert newest_metrics(config, 1000, 16) == {
        "swd_16, 64 images": 3.0,
        "swd_avg, 64 images": 2.0,
        "kid, 64 images, network.pb": -2.0,
        "kid, 32 images, one": -1.0,
    }
    assert newest_metrics(config, 1000, 32) == {}
    assert newest_metrics(config, 1500, 16) == {}
    mirrored = dataclasses.replace(config, mirror=True)
    assert newest_metrics(mirrored, 1000, 16) == {}


def test_what_is_found_once_more_is_not_shown_twice(tmp_path):
    config = resolve("laptop-wgan", {})
    for _ in range(2):
        for line in (lines_at(1000)[:1], lines_at(1000, seed=3)[:1]):
            with EvaluationLog(tmp_path, config, tmp_path / "board") as log:
                log.write(line)
    assert sorted(tags_in(tmp_path / "board")) == [
        "evaluation/swd_16_16x16_32",
        "evaluation/swd_16_16x16_32_seed-3",
        "evaluation/swd_avg_16x16_32",
        "evaluation/swd_avg_16x16_32_seed-3",
    ]


@pytest.mark.parametrize("text", ["[1, 2]", '{"images_seen": 5}', "{half"])
def test_lines_of_something_else_are_refused(text, tmp_path):
    (tmp_path / "metrics.jsonl").write_text(text + "\n")
    with pytest.raises(UserError, match="cannot read .*repair it or move it"):
        read_lines(tmp_path)


def test_a_file_that_cannot_be_read_is_kept(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("{half a line")
    with pytest.raises(UserError, match="cannot read .*metrics.jsonl"):
        EvaluationLog(tmp_path).write(lines_at(1000))
    assert path.read_text() == "{half a line"


def test_a_place_that_cannot_be_written_is_told_at_once(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "metrics.jsonl").write_text("{half a line")
    for folder in (tmp_path / "file", tmp_path):
        with (
            pytest.raises(UserError, match="cannot (write|read)"),
            EvaluationLog(folder),
        ):
            pytest.fail("the measuring would begin")
    (tmp_path / "metrics.jsonl").unlink()
    log = EvaluationLog(tmp_path, None, tmp_path / "file" / "tensorboard")
    with pytest.raises(UserError, match="cannot write .*tensorboard"):
        log.write(lines_at(1000))


def test_two_processes_keep_each_others_lines(tmp_path):
    # Threads stand for them: the lock is one of open files.
    def write(seed):
        for seen in range(20):
            with EvaluationLog(tmp_path) as log:
                log.write(lines_at(seen, seed=seed))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert len(read_lines(tmp_path)) == 4 * 20 * 2


def test_the_table_fits_on_a_narrow_terminal(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    values = {f"swd_{2**i}": float(i) for i in range(10, 3, -1)}
    result = Result("swd", False, 32, values, dict.fromkeys(values, 0.0), 32)
    table = Table()
    table.show("short", [result])
    table.show("a name that is longer than thirty columns", [result])
    _, *rows = capsys.readouterr().out.splitlines()
    assert max(map(len, rows)) <= 80
    indent = " " * 30
    assert rows[0].split() == ["swd_1024", "swd_512", "swd_256", "swd_128"] + [
        "swd_64"
    ]
    assert rows[1] == f"{indent}    swd_32    swd_16"
    assert rows[4] == f"{'short':<30}        10         9         8" + (
        "         7         6"
    )
    assert rows[6:] == [
        "a name that is longer than thirty columns",
        indent + rows[4][30:],
        rows[5],
    ]


def test_a_plot_of_several_metrics(tmp_path):
    lines = [
        line
        for seen in (48_000, 60_000, 92_000)
        for line in lines_at(seen, swd=100_000 / seen)
    ]
    lines += lines_at(92_000, images=64) + lines_at(None)
    schedule = resolve(
        "laptop-wgan", {"resolution": 16, "precision": "float32"}
    )
    save_plot(tmp_path / "plot.png", lines, schedule.schedule())
    with Image.open(tmp_path / "plot.png") as image:
        # Two metrics of 8 x 3.2 inches with 120 dots each.
        assert image.size == (960, 768)
        pixels = np.asarray(image.convert("RGB"))
    # Curves, which are coloured, lie in both halves.
    for half in np.split(pixels.astype(int), 2):
        assert np.count_nonzero(np.ptp(half, axis=-1) > 100) > 500


def test_a_plot_leaves_out_what_is_null(tmp_path):
    line = lines_at(48_000)[1]
    line |= {"values": {"kid": None, "kid_deviation": 0.5}}
    line |= {"reals": {"kid": None, "kid_deviation": None}}
    path = tmp_path / "plot.png"
    save_plot(path, [line], resolve("laptop-wgan", {}).schedule())
    assert path.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"images_seen": "many"},
        {"images_seen": -3},
        {"images": None},
        {"images": True},
        {"images": 10**40},
        {"resolution": [16]},
        {"metric": 5},
        {"features": {}},
        {"data": ["cats"]},
        {"seed": {}},
        {"values": [1.0]},
        {"values": {"swd_avg": "low"}},
        {"values": {"swd_avg": 10**400}},
        {"values": {"swd_avg": float("nan")}},
        {"reals": {}},
    ],
)
def test_lines_of_other_types_are_refused(change, tmp_path):
    line = {**lines_at(1000)[0], **change}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(UserError, match="cannot read .*repair it or move it"):
        read_lines(tmp_path)


def test_a_field_with_texts_and_numbers(tmp_path):
    config = resolve("laptop-wgan", {})
    lines = [{**lines_at(1000)[0], "seed": x} for x in (1, "a", None, 2.5)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "metrics.jsonl").write_text(text)
    with EvaluationLog(tmp_path, config) as log:
        log.write(lines_at(2000))
    assert len(read_lines(tmp_path)) == 6


@pytest.mark.parametrize("text", ["[" * 100_000, "\0", "9" * 10_000])
def test_what_is_no_line(text, tmp_path):
    (tmp_path / "metrics.jsonl").write_text(text)
    with pytest.raises(UserError, match="cannot read"):
        read_lines(tmp_path)
