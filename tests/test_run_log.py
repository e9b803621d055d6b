"""Metrics, grids, averages and progress, without any training."""

import io
import json
import math
import sys

import numpy as np
import pytest
from PIL import Image
from tiny import tiny_config

from progan_tf.data import Steps
from progan_tf.errors import UserError
from progan_tf.training.console import Progress
from progan_tf.training.recorder import (
    Averages,
    Compilation,
    SilentRecorder,
)
from progan_tf.training.run_log import RunLog

VALUES = {
    "images_seen": 2500,
    "resolution": 8,
    "alpha": 0.25,
    "discriminator_loss": -1.5,
    "generator_loss": 2.0,
    "images_per_second": 1234.5,
}


def test_lines_beyond_the_checkpoint_are_dropped(tmp_path):
    lines = [json.dumps({"images_seen": seen}) for seen in (10, 20, 30)]
    path = tmp_path / "metrics.jsonl"
    path.write_text("\n".join(lines) + '\n{"images_se')
    log = RunLog(tmp_path, 8, images_seen=20)
    log.write_metrics(VALUES)
    log.close()
    seen = [json.loads(x)["images_seen"] for x in path.read_text().splitlines()]
    assert seen == [10, 20, 2500]


def test_losses_that_are_not_finite_are_null(tmp_path):
    log = RunLog(tmp_path, 8)
    log.write_metrics({**VALUES, "generator_loss": float("nan")})
    log.close()
    text = (tmp_path / "metrics.jsonl").read_text()
    assert '"generator_loss": null' in text
    assert "NaN" not in text


def test_grid_cells_are_enlarged(tmp_path):
    log = RunLog(tmp_path, 8)
    images = np.zeros([log.cells, 8, 8, 3], np.uint8)
    images[1, 0, 0] = [255, 0, 0]
    log.write_grid("fakes", "fakes-000001", images, 1000)
    log.close()
    with Image.open(tmp_path / "samples" / "fakes-000001.png") as picture:
        grid = np.asarray(picture)
    assert grid.shape == (9 * 64, 16 * 64, 3)
    # One red pixel of the second picture, eight times as large.
    red = np.argwhere((grid == [255, 0, 0]).all(-1))
    assert red.min(0).tolist() == [0, 64]
    assert red.max(0).tolist() == [7, 71]


def test_unwritable_metrics(tmp_path):
    log = RunLog(tmp_path, 8)
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(UserError, match="cannot write .*metrics.jsonl"):
        log.write_metrics(VALUES)
    log.close()


def test_averages_weigh_by_steps_and_leave_compilation_out():
    averages = Averages()
    averages.add(Steps(0, 1, 8, 4), {"loss": 4.0}, 10.0, compiled=False)
    first = averages.values()
    assert first == {"loss": 4.0, "images_per_second": 0.8}
    averages.add(Steps(8, 3, 8, 4), {"loss": 2.0}, 2.0, compiled=True)
    assert averages.values() == {"loss": 2.5, "images_per_second": 12.0}


def test_averages_leave_out_what_was_not_measured():
    averages = Averages()
    averages.add(Steps(0, 3, 8, 4), {"loss": 4.0}, 1.0, compiled=True)
    assert averages.values() == {"loss": 4.0, "images_per_second": 24.0}
    both = {"loss": 2.0, "generator_loss": 7.0}
    averages.add(Steps(24, 1, 8, 4), both, 1.0, compiled=True)
    # Also where the run is interrupted here.
    saved = json.loads(json.dumps(averages.saved()))
    again = Averages.restored(saved, ["loss", "generator_loss"])
    again.add(Steps(32, 1, 8, 4), {"loss": 6.0}, 1.0, compiled=True)
    values = again.values()
    assert values["loss"] == pytest.approx((3 * 4 + 2 + 6) / 5)
    assert values["generator_loss"] == 7.0


def test_averages_that_an_older_version_saved():
    saved = {"sums": {"loss": 6.0, "generator_loss": 3.0}, "steps": 3}
    averages = Averages.restored(saved, ["loss", "generator_loss", "new"])
    averages.add(Steps(24, 1, 8, 4), {"loss": 6.0}, 1.0, compiled=True)
    values = averages.values()
    assert (values["loss"], values["generator_loss"]) == (3.0, 1.0)


def test_a_line_a_tick_where_there_is_no_terminal(capsys):
    progress = Progress(0, 10_000)
    progress.update(1000, 8, 0.5, 100.0, 60.0, VALUES)
    assert capsys.readouterr().out == ""
    progress.tick(VALUES, 3661)
    (line,) = capsys.readouterr().out.splitlines()
    assert line == (
        "2.5 of 10.0 kimg  8x8  alpha 0.25  D -1.500  G 2.000  "
        "1,234 img/s  1:01:01 left"
    )
    # Before any step was measured.
    progress.tick(VALUES, None)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("G 2.000  1,234 img/s")
    # Where no step moved the generator.
    values = {k: v for k, v in VALUES.items() if k != "generator_loss"}
    progress.tick(values, None)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("D -1.500  1,234 img/s")


def test_a_bar_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", Terminal())
    progress = Progress(0, 10_000)
    progress.update(5000, 16, 0.5, 432.1, 3661, VALUES)
    progress.tick(VALUES, 3661)
    progress.close()
    shown = terminal.getvalue()
    assert "50%" in shown
    assert "16x16 alpha 0.50  D -1.500  G 2.000  432.1 img/s  1:01:01" in shown
    assert sys.stdout.getvalue() == ""


def test_other_workers_say_nothing(capsys):
    recorder = SilentRecorder()
    recorder.say("words")
    recorder.tick(early=True)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_steps_that_were_skipped_are_no_part_of_the_averages():
    averages = Averages()
    for loss, score in ((1.0, math.nan), (math.inf, math.nan), (4.0, math.nan)):
        steps = Steps(0, 2, 8, 4)
        averages.add(steps, {"loss": loss, "score": score}, 1.0, True)
    again = Averages.restored(averages.saved(), ["loss", "score"])
    again.add(Steps(48, 2, 8, 4), {"loss": 7.0, "score": 3.0}, 1.0, True)
    values = averages.values()
    assert values["loss"] == 2.5
    assert math.isnan(values["score"])
    assert again.values()["loss"] == 4.0
    assert again.values()["score"] == 3.0


def test_steps_that_compile_are_not_timed(tmp_path):
    config = tiny_config(tmp_path, penalty_every=4)
    compilation = Compilation(config)
    # With the penalty in the first, and in all calls of the second stage.
    ended = [compilation.ended_before("8x8", count) for count in (1, 2, 1, 9)]
    ended += [compilation.ended_before("16x16", count) for count in (9, 1)]
    assert ended == [False, False, False, True, False, True]
    compilation = Compilation(tiny_config(tmp_path))
    assert [compilation.ended_before("4x4", 1) for _ in "12"] == [False, True]
