"""Evaluations during training: values, the best one, no side effects."""

import json
import time

import numpy as np
import pytest
from tiny import checkpoint_values, tiny_config

from progan_tf import metrics
from progan_tf.checkpoint import load_generator
from progan_tf.data import Cats
from progan_tf.evaluation.lines import read_lines
from progan_tf.evaluation.reals import Reals
from progan_tf.evaluation.snapshots import Snapshots
from progan_tf.evaluation.training import TrainingEvaluation
from progan_tf.latents import seeded_latents
from progan_tf.networks import Generator
from progan_tf.sampling import generate_images
from progan_tf.trainer import Trainer
from progan_tf.training.devices import make_strategy
from progan_tf.training.stopping import StopRequest


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A folder for the data's statistics in place of the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def config_of(run_dir, **overrides):
    """A run at 16x16 alone: 32 images of a fade, and 32 more."""
    settings = {
        "resolution": 16,
        "fade_kimg": {4: 0, 8: 0, 16: 0.032},
        "stable_kimg": {4: 0, 8: 0, 16: 0.032},
        "eval_kimg": 0.016,
        "eval_images": 32,
        "checkpoint_kimg": 0.016,
        "keep_checkpoints": 1,
        "labels": True,
    }
    return tiny_config(run_dir, **settings | overrides)


def train(config, devices="CPU:0"):
    return Trainer(config, make_strategy(devices)).train()


def best_of(run_dir):
    return json.loads((run_dir / "best" / "best.json").read_text())


def distances(run_dir):
    """dict from images seen to the distance found there."""
    return {
        line["images_seen"]: line["values"]["swd_avg"]
        for line in read_lines(run_dir / "evaluation")
        if line["metric"] == "swd"
    }


def assert_equal_to_the_bit(run_dir, other):
    one, other = checkpoint_values(run_dir), checkpoint_values(other)
    assert one.keys() == other.keys()
    assert not [key for key in one if not np.array_equal(one[key], other[key])]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run with evaluations, stopped once and resumed."""
    folder = tmp_path_factory.mktemp("finished")
    config = config_of(folder / "run", keep_checkpoints=9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        trainer = Trainer(config, make_strategy("CPU:0"))
        with patch.context() as told:
            told.setattr(
                StopRequest, "made", lambda _: trainer.images_seen >= 48
            )
            assert not trainer.train()
        assert train(config)
    return folder / "run"


def test_evaluations_change_nothing_in_the_training(finished, tmp_path):
    assert train(config_of(tmp_path / "run", eval_kimg=0))
    assert_equal_to_the_bit(finished, tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert not names & {"evaluation", "best"}
    assert not (tmp_path / "cache").exists()


def test_an_evaluation_that_was_cut_off_is_made_up_for(finished, tmp_path):
    config = config_of(tmp_path / "run")
    with pytest.MonkeyPatch.context() as patch:
        trainer = Trainer(config, make_strategy("CPU:0"))

        def stopped(request):
            return trainer.images_seen >= 32

        patch.setattr(StopRequest, "made", stopped)
        patch.setattr(StopRequest, "told", property(stopped))
        assert not trainer.train()
    assert 32 not in distances(tmp_path / "run")
    assert train(config)
    assert distances(tmp_path / "run") == distances(finished)
    assert best_of(tmp_path / "run") == best_of(finished)
    assert_equal_to_the_bit(tmp_path / "run", finished)


def test_what_an_evaluation_writes(finished):
    lines = read_lines(finished / "evaluation")
    assert [line["images_seen"] for line in lines] == [0, 0, 16, 16] + [
        seen for seen in (32, 48, 64) for _ in range(2)
    ]
    assert {line["resolution"] for line in lines} == {16}
    assert {line["images"] for line in lines} == {32}
    assert (finished / "evaluation" / "metrics.png").stat().st_size > 10_000
    # The last is that of the finished generator, with labels as in the data.
    reals = Reals(Cats(), "cats", 16)
    fakes = generate_images(
        load_generator(finished), range(32), reals.fake_labels(0, 32)
    )
    (first,) = reals.batches(0, 32)
    distance = metrics.sliced_wasserstein(first, fakes)
    (swd,) = (x for x in lines[-2:] if x["metric"] == "swd")
    assert swd["values"]["swd_avg"] == distance.average
    # Ticks are left alone: their readers expect losses in each line.
    ticks = (finished / "metrics.jsonl").read_text().splitlines()
    assert all("discriminator_loss" in json.loads(tick) for tick in ticks)


def test_the_best_is_kept(finished):
    found = distances(finished)
    # Not before it is faded in.
    lowest = min((32, 48, 64), key=found.get)
    assert best_of(finished) == {
        "images_seen": lowest,
        "resolution": 16,
        "images": 32,
        "swd_avg": found[lowest],
    }
    run = Snapshots(finished)
    (snapshot,) = (x for x in run.snapshots if x.images_seen == lowest)
    best = load_generator(finished / "best" / "generator.keras")
    inputs = [seeded_latents(range(3), 8), np.eye(15, dtype="f4")[:3]]
    np.testing.assert_array_equal(best(inputs), run.generator(snapshot)(inputs))


@pytest.fixture
def untrained(tmp_path):
    """An evaluation of untrained networks, and the list of what it says."""
    config = config_of(tmp_path / "run", labels=False)
    config.save_config()
    said = []
    run = TrainingEvaluation(
        config,
        Cats(),
        Generator.of(config.architecture, seed=1),
        said.append,
        bool,
    )
    return run, said


def test_what_is_better(untrained, tmp_path):
    run, said = untrained
    (tmp_path / "run" / "best").mkdir()
    path = tmp_path / "run" / "best" / "best.json"
    for seen, resolution, images, distance, replaced in (
        # Never while it fades in.
        (24, 16, 32, 9e9, False),
        # A higher resolution is better.
        (32, 8, 32, 0.0, True),
        (40, 32, 32, 9e9, False),
        # Of other numbers of images distances do not compare.
        (48, 16, 64, 0.0, True),
        (56, 16, 32, 9e9, True),
        (64, 16, 32, 0.0, False),
    ):
        old = {"resolution": resolution, "images": images}
        old["swd_avg"] = distance
        path.write_text(json.dumps(old))
        run.run(seen)
        assert (best_of(tmp_path / "run") != old) == replaced
        assert said[-1].startswith(f"At 0.0{seen} kimg: swd_avg ")
        assert said[-1].endswith(", the best so far.") == replaced
    run.close()


def test_evaluations_to_come_take_time(untrained):
    run, _ = untrained
    assert run.seconds_left(24) == 0  # Not known yet.
    began = time.perf_counter()
    run.run(24)
    # Of 64 images, one every 16.
    most = (time.perf_counter() - began) * (64 - 24) / 16
    assert 0 < run.seconds_left(24) <= most
    assert run.seconds_left(44) == pytest.approx(run.seconds_left(24) / 2)
    assert run.seconds_left(64) == 0
    run.close()


def test_variables_of_two_replicas(tmp_path):
    config = config_of(tmp_path / "run", labels=False)
    config.save_config()
    with make_strategy("CPU:0,CPU:1").scope():
        average = Generator.of(config.architecture, seed=1)
    average.set_alpha(16, 0.25)
    run = TrainingEvaluation(config, Cats(), average, print, bool)
    run.run(32)
    run.close()
    # As it was.
    assert average.block(16).fade.alpha.numpy() == 0.25
    best = load_generator(tmp_path / "run" / "best" / "generator.keras")
    (first,) = Reals(Cats(), "cats", 16).batches(0, 32)
    distance = metrics.sliced_wasserstein(
        first, generate_images(best, range(32))
    )
    assert best_of(tmp_path / "run")["swd_avg"] == distance.average


def test_an_error_is_told(untrained, tmp_path):
    run, said = untrained
    (tmp_path / "run" / "evaluation").write_text("in the way")
    run.run(32)
    (line,) = said
    assert line.startswith("Not evaluated at 0.032 kimg: cannot write")
    assert not (tmp_path / "run" / "best").exists()


def test_a_request_to_stop_ends_an_evaluation(untrained, tmp_path):
    run, said = untrained
    run._stopped = lambda: True
    run.run(32)
    assert said == ["Broke off the evaluation at 0.032 kimg."]
    assert not (tmp_path / "run" / "evaluation").exists()


def test_too_low_a_resolution_is_not_evaluated(tmp_path):
    run = TrainingEvaluation(
        tiny_config(tmp_path / "run", eval_kimg=1), None, None, None, None
    )
    run.run(40)  # At 8x8; anything that it did would fail.
    assert not (tmp_path / "run").exists()
