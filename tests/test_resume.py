"""Stopping and resuming: nothing is lost, to the bit."""

import json
import pathlib
import resource
import signal
import time

import numpy as np
import pytest
from processes import started_command
from tiny import checkpoint_values, make_folder, tiny_config

from progan_tf.checkpoint import Checkpoints, latest_checkpoint
from progan_tf.errors import UserError
from progan_tf.trainer import Trainer
from progan_tf.training.devices import make_strategy
from progan_tf.training.stopping import StopRequest


@pytest.fixture
def strategy():
    return make_strategy("CPU:0")


def train_until(monkeypatch, trainer, images_seen):
    """Train, and be told to stop once that many images were seen."""
    with monkeypatch.context() as patch:
        patch.setattr(
            StopRequest, "made", lambda _: trainer.images_seen >= images_seen
        )
        return trainer.train()


def metrics_of(run_dir):
    """The lines of a run's metrics, list of dicts."""
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def ticks_of(run_dir):
    """Images seen at each line of a run's metrics."""
    return [line["images_seen"] for line in metrics_of(run_dir)]


def assert_equal_to_the_bit(one, other):
    assert one.keys() == other.keys()
    different = [key for key in one if not np.array_equal(one[key], other[key])]
    assert not different


OBJECTIVES = [
    {},
    {"data": "folder", "loss": "logistic", "penalty": "r1"},
    # Stopped in the middle of a cycle of each, and while the rate rises.
    {
        "loss": "hinge",
        "penalty_every": 5,
        "discriminator_steps": 4,
        "rampup_kimg": 0.1,
        "rampdown": 0.4,
    },
    {"loss": "lsgan", "penalty": "none", "reset_optimizers": False},
    {"loss": "relativistic", "penalty": "r1_r2", "precision": "float16"},
    {"augment": "color,translation,cutout"},
    {
        **{"augment": "ada", "loss": "logistic", "penalty": "r1"},
        **{"data": "folder", "hold_out": 0.2},
    },
]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_interrupted_run_equals_uninterrupted_one(
    tmp_path, monkeypatch, strategy, objective
):
    settings = {"mirror": True, "labels": True, "tick_kimg": 0.024}
    settings |= objective
    if "data" in objective:
        settings["data"] = str(make_folder(tmp_path / "pictures"))
    whole = tiny_config(tmp_path / "whole", **settings)
    assert Trainer(whole, strategy).train()
    parts = tiny_config(tmp_path / "parts", **settings)
    # At both ends of the fade and in the middle of it, where alone a line of
    # metrics is due as well.
    for images_seen in (32, 48, 64):
        trainer = Trainer(parts, strategy)
        assert not train_until(monkeypatch, trainer, images_seen)
        assert trainer.images_seen == images_seen
    assert Trainer(parts, strategy).train()
    assert_equal_to_the_bit(
        checkpoint_values(tmp_path / "whole"),
        checkpoint_values(tmp_path / "parts"),
    )
    one, other = (metrics_of(tmp_path / name) for name in ("whole", "parts"))
    assert [line["images_seen"] for line in one] == [24, 48, 72, 96]
    for line, resumed in zip(one, other, strict=True):
        # Speed is another; means are summed in another order.
        del line["images_per_second"], resumed["images_per_second"]
        assert resumed == pytest.approx(line, rel=1e-5)


def test_finished_run_has_nothing_left_to_do(tmp_path, strategy):
    config = tiny_config(tmp_path / "run", total_kimg=0.016)
    assert Trainer(config, strategy).train()
    before = checkpoint_values(tmp_path / "run")
    path = latest_checkpoint(tmp_path / "run")
    assert Trainer(config, strategy).train()
    assert_equal_to_the_bit(before, checkpoint_values(tmp_path / "run"))
    assert latest_checkpoint(tmp_path / "run") == path


def test_a_run_stopped_before_its_first_step_is_kept(
    tmp_path, monkeypatch, strategy
):
    trainer = Trainer(tiny_config(tmp_path / "run"), strategy)
    assert not train_until(monkeypatch, trainer, 0)
    assert checkpoint_values(tmp_path / "run")["images_seen"] == 0


def test_longer_total_goes_on(tmp_path, strategy):
    folder = tmp_path / "run"
    assert Trainer(tiny_config(folder, total_kimg=0.016), strategy).train()
    assert Trainer(tiny_config(folder, total_kimg=0.032), strategy).train()
    assert checkpoint_values(folder)["images_seen"] == 32


def test_a_run_that_ended_at_a_low_rate_goes_on_at_its_own(tmp_path, strategy):
    folder, rate = tmp_path / "run", tiny_config(tmp_path).learning_rate[4]
    # The last 8 of the 12 images that it falls over; then no ramp, and all
    # within the first stage, because the next would set the rate anyway.
    for total, rampdown, expected in (
        (0.024, 0.5, rate * 2 / 3),
        (0.032, 0, rate),
    ):
        config = tiny_config(folder, total_kimg=total, rampdown=rampdown)
        assert Trainer(config, strategy).train()
        assert config.schedule().stage(round(1000 * total) - 8) == 0
        values = checkpoint_values(folder)
        assert values["generator_adam/learning_rate"] == pytest.approx(expected)


def test_checkpoint_keys(tmp_path, strategy):
    config = tiny_config(tmp_path / "run", total_kimg=0.008)
    Trainer(config, strategy).train()
    generator = {
        "blocks/4x4/dense/kernel",
        "blocks/4x4/dense/bias",
        "blocks/4x4/conv/kernel",
        "blocks/4x4/conv/bias",
        "blocks/4x4/to_rgb/kernel",
        "blocks/4x4/to_rgb/bias",
        "blocks/8x8/conv0/kernel",
        "blocks/8x8/conv0/bias",
        "blocks/8x8/conv1/kernel",
        "blocks/8x8/conv1/bias",
        "blocks/8x8/to_rgb/kernel",
        "blocks/8x8/to_rgb/bias",
    }
    discriminator = {
        "blocks/8x8/from_rgb/kernel",
        "blocks/8x8/from_rgb/bias",
        "blocks/8x8/conv0/kernel",
        "blocks/8x8/conv0/bias",
        "blocks/8x8/conv1/kernel",
        "blocks/8x8/conv1/bias",
        "blocks/4x4/from_rgb/kernel",
        "blocks/4x4/from_rgb/bias",
        "blocks/4x4/conv/kernel",
        "blocks/4x4/conv/bias",
        "blocks/4x4/dense0/kernel",
        "blocks/4x4/dense0/bias",
        "blocks/4x4/dense1/kernel",
        "blocks/4x4/dense1/bias",
    }
    fade = "blocks/8x8/fade/alpha"
    expected = {
        "images_seen",
        "stage",
        "seed",
        "steps_skipped",
        "skipped_in_a_row",
        "log2_scales",
        *(f"generator/{key}" for key in generator | {fade}),
        *(f"average/{key}" for key in generator | {fade}),
        *(f"discriminator/{key}" for key in discriminator | {fade}),
    }
    for name, keys in (
        ("generator", generator),
        ("discriminator", discriminator),
    ):
        expected |= {
            f"{name}_adam/iteration",
            f"{name}_adam/learning_rate",
        }
        for key in keys:
            _, block, layer, weight = key.split("/")
            size = block.split("x")[0]
            slot = f"{name}_adam/{layer}_{size}_{weight}"
            expected |= {f"{slot}_momentum", f"{slot}_velocity"}
    assert checkpoint_values(tmp_path / "run").keys() == expected
    # What few runs have is in no other's.
    adapted = {"augment": "ada", "loss": "logistic", "penalty": "r1"}
    config = tiny_config(tmp_path / "ada", total_kimg=0.008, **adapted)
    Trainer(config, strategy).train()
    keys = checkpoint_values(tmp_path / "ada").keys()
    assert keys == expected | {"augment"}


def test_full_disk_keeps_the_last_checkpoint(tmp_path, strategy):
    config = tiny_config(tmp_path / "run", total_kimg=0.008)
    trainer = Trainer(config, strategy)
    trainer.train()
    before = checkpoint_values(tmp_path / "run")
    checkpoints = Checkpoints(trainer.state, config.run_dir)
    checkpoints.restore()
    trainer.state.images_seen.assign(16)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A file that may not grow fails as one on a full disk does.
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(UserError, match="cannot write a checkpoint"):
            checkpoints.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    files = sorted(p.name for p in (tmp_path / "run/checkpoints").iterdir())
    checkpoint = ["ckpt-1.data-00000-of-00001", "ckpt-1.index"]
    assert files == ["checkpoint", *checkpoint, "tick.json"]
    assert_equal_to_the_bit(before, checkpoint_values(tmp_path / "run"))
    checkpoints.save()
    assert checkpoint_values(tmp_path / "run")["images_seen"] == 16


def test_half_written_checkpoint_is_passed_over(tmp_path, strategy):
    config = tiny_config(tmp_path / "run", checkpoint_kimg=0.016)
    Trainer(config, strategy).train()
    newest = pathlib.Path(latest_checkpoint(tmp_path / "run"))
    data = newest.with_name(newest.name + ".data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:100])
    trainer = Trainer(config, strategy)
    trainer._create_state()
    assert trainer.images_seen == 80


def start_training(run_dir, **flags):
    flags = {"preset": "laptop", "run_dir": run_dir, **flags}
    given = [f"--{name}={value}" for name, value in flags.items()]
    return started_command("train", *given)


def wait_for_checkpoint(process, run_dir, count=1):
    """Wait until the run has written so many checkpoints."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if len(list(run_dir.glob("checkpoints/ckpt-*.index"))) >= count:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("no checkpoint in 120 s")


ENDLESS = {
    "resolution": 4,
    "fmap_max": 8,
    "latent_size": 8,
    "total_kimg": 1e6,
    "checkpoint_kimg": 1,
    "keep_checkpoints": 2,
    "tick_kimg": 1,
}


def test_signals_save_and_kill_loses_little(tmp_path):
    run_dir = tmp_path / "run"
    process = start_training(run_dir, **ENDLESS)
    wait_for_checkpoint(process, run_dir, 2)
    process.kill()
    process.communicate()
    seen = int(checkpoint_values(run_dir)["images_seen"])
    assert seen >= 1000
    # A line that was being written when the run was killed.
    with (run_dir / "metrics.jsonl").open("a") as file:
        file.write('{"images_seen": 99')
    process = start_training(run_dir, **ENDLESS)
    while "kimg  4x4" not in (line := process.stdout.readline()):
        assert line, process.communicate()
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    resumed = int(checkpoint_values(run_dir)["images_seen"])
    assert resumed > seen
    assert f"Stopped at {resumed} images" in output
    ticks = ticks_of(run_dir)
    assert ticks == sorted(set(ticks))
    assert ticks[-1] == resumed


def test_deterministic_command_across_a_signal(tmp_path):
    flags = {
        "resolution": 8,
        "fmap_max": 8,
        "latent_size": 8,
        "fade_kimg": 4,
        "stable_kimg": 4,
        "tick_kimg": 1,
        "deterministic": "true",
        "mirror": "true",
    }
    whole = start_training(tmp_path / "whole", **flags)
    parts = start_training(tmp_path / "parts", **flags)
    while "8x8  alpha 0" not in (line := parts.stdout.readline()):
        assert line, parts.communicate()
    parts.send_signal(signal.SIGINT)
    assert "Stopped at" in parts.communicate(timeout=60)[0]
    assert parts.returncode == 0
    assert 4000 < checkpoint_values(tmp_path / "parts")["images_seen"] < 12000
    parts = start_training(tmp_path / "parts", **flags)
    assert "Done" in parts.communicate(timeout=120)[0]
    assert "Done" in whole.communicate(timeout=120)[0]
    assert_equal_to_the_bit(
        checkpoint_values(tmp_path / "whole"),
        checkpoint_values(tmp_path / "parts"),
    )
