"""The run directory, and errors that a run must survive."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from processes import ROOT, run_command
from tiny import checkpoint_values, make_folder, tiny_config

from progan_tf.checkpoint import load_generator
from progan_tf.errors import UserError
from progan_tf.latents import seeded_latents
from progan_tf.trainer import Trainer
from progan_tf.training import devices
from progan_tf.training.devices import make_strategy
from progan_tf.training.step import TrainingStep


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished tiny run with labels: its config, directory and output."""
    run_dir = tmp_path_factory.mktemp("finished") / "run"
    config = tiny_config(run_dir, labels=True, sample_kimg=0.04)
    strategy = make_strategy("CPU:0")
    assert Trainer(config, strategy).train()
    return config, run_dir


def test_run_directory(finished):
    _, run_dir = finished
    names = {path.name for path in run_dir.iterdir()}
    assert names == {
        "config.json",
        "checkpoints",
        "samples",
        "metrics.jsonl",
        "tensorboard",
        "generator.keras",
    }
    samples = {path.name for path in (run_dir / "samples").iterdir()}
    assert samples == {
        "reals.png",
        "fakes-000000.000.png",
        "fakes-000000.040.png",
        "fakes-000000.080.png",
        # The last one, which nothing but the end asks for.
        "fakes-000000.096.png",
    }
    for path in (run_dir / "samples").iterdir():
        with Image.open(path) as image:
            # Cells of 64 pixels at every resolution: 16 columns, and a row
            # for each of the 15 kinds of cats.
            assert image.size == (16 * 64, 15 * 64)
    assert json.loads((run_dir / "config.json").read_text())["seed"] == 7
    assert list((run_dir / "tensorboard").glob("events.*"))


def test_metrics(finished):
    _, run_dir = finished
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    ticks = [json.loads(line) for line in lines]
    assert [tick["images_seen"] for tick in ticks] == [32, 64, 96]
    assert [tick["resolution"] for tick in ticks] == [4, 8, 8]
    assert [tick["alpha"] for tick in ticks] == [1.0, 24 / 32, 1.0]
    assert {tick["batch_size"] for tick in ticks} == {8}
    assert all(np.isfinite(list(tick.values())).all() for tick in ticks)
    assert all(tick["images_per_second"] > 0 for tick in ticks)


def test_generator_file_is_the_average(finished):
    config, run_dir = finished
    saved = keras.saving.load_model(run_dir / "generator.keras")
    loaded = load_generator(run_dir)
    inputs = [seeded_latents(range(3), 8), np.eye(15, dtype="f4")[:3]]
    np.testing.assert_array_equal(saved(inputs), loaded(inputs))
    assert saved.output_shape == (None, 8, 8, 3)
    latest = load_generator(run_dir, average=False)
    assert not np.array_equal(latest(inputs), loaded(inputs))
    assert load_generator(run_dir, 4).output_shape == (None, 4, 4, 3)
    with pytest.raises(UserError, match="no finished resolution 16"):
        load_generator(run_dir, 16)


def test_reals_are_the_data(finished):
    _, run_dir = finished
    with Image.open(run_dir / "samples" / "reals.png") as image:
        grid = np.asarray(image)
    # Cats stand on white, which the four corners of each cell show.
    assert (grid[::64, ::64] > 200).mean() > 0.9


def test_grey_training(tmp_path):
    data = make_folder(tmp_path / "data", count=20)
    settings = {"data": str(data), "channels": 1, "total_kimg": 0.008}
    run_dir = tmp_path / "run"
    assert Trainer(tiny_config(run_dir, **settings)).train()
    assert load_generator(run_dir).output_shape == (None, 4, 4, 1)
    for name in ("reals", "fakes-000000"):
        with Image.open(run_dir / "samples" / f"{name}.png") as image:
            assert image.mode == "L"


def text_folder(path):
    path.mkdir()
    for name in ("a.txt", "b.txt"):
        (path / name).write_text("not a picture")
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path / "nowhere", "nowhere"),
        (lambda path: path.mkdir() or path, "found no file at all"),
        (text_folder, "found 2 other files"),
        (lambda path: make_folder(path, count=5), "5"),
    ],
)
def test_unusable_data(tmp_path, make, message):
    data = make(tmp_path / "data")
    with pytest.raises(UserError, match=message) as caught:
        Trainer(tiny_config(tmp_path / "run", data=str(data)))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_resolution_beyond_the_data(tmp_path):
    data = make_folder(tmp_path / "data", size=16)
    config = tiny_config(tmp_path / "run", data=str(data), resolution=32)
    with pytest.raises(UserError, match="32 is beyond the data"):
        Trainer(config)
    assert not (tmp_path / "run").exists()


def test_unwritable_run_directory(tmp_path):
    (tmp_path / "file").write_text("in the way")
    config = tiny_config(tmp_path / "file" / "run")
    with pytest.raises(UserError, match="file/run"):
        Trainer(config).train()
    assert (tmp_path / "file").read_text() == "in the way"


def test_data_that_fails_later_loses_nothing(tmp_path, monkeypatch):
    data = make_folder(tmp_path / "data", count=20, size=16)
    config = tiny_config(tmp_path / "run", data=str(data))
    strategy = make_strategy("CPU:0")
    trainer = Trainer(config, strategy)
    images = trainer._source.images

    def fail_at_8x8(indices, resolution):
        if resolution == 8 and len(indices) < 100:  # Not the sample grid.
            raise UserError("too many pictures cannot be read")
        return images(indices, resolution)

    monkeypatch.setattr(trainer._source, "images", fail_at_8x8)
    with pytest.raises(UserError, match="too many pictures"):
        trainer.train()
    assert checkpoint_values(tmp_path / "run")["images_seen"] == 32


@pytest.mark.parametrize("begun", [False, True])
def test_too_little_memory_is_told_with_a_way_on(tmp_path, monkeypatch, begun):
    def run(self, **arguments):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when ...")

    run_dir, strategy = tmp_path / "run", make_strategy("CPU:0")
    if begun:
        Trainer(tiny_config(run_dir, total_kimg=0.008), strategy).train()
    monkeypatch.setattr(TrainingStep, "run", run)
    with pytest.raises(UserError) as caught:
        Trainer(tiny_config(run_dir, total_kimg=0.016), strategy).train()
    message = str(caught.value)
    assert "does not hold a step of 8 images of 4x4 in float32" in message
    assert (f"--weights={run_dir} --format=run" in message) == begun
    assert "--batch_size=4:N (N below 8)" in message
    assert run_dir.exists() == begun


@pytest.mark.parametrize("mine", [None, [], ["log.txt"]])
def test_data_that_fail_at_once_leave_no_run(tmp_path, mine):
    # Found only when the sample of reals is drawn: in the middle of a file.
    data, run_dir = tmp_path / "data", tmp_path / "run"
    shutil.copytree(ROOT / "tests/goldens/official_tfrecords", data)
    path = data / "official_tfrecords-r03.tfrecords"
    damaged = bytearray(path.read_bytes())
    damaged[10 * 247 + 30] ^= 255
    path.write_bytes(damaged)
    if mine is not None:
        run_dir.mkdir()
    for name in mine or ():
        (run_dir / name).write_text("mine")
    config = tiny_config(run_dir, data=str(data))
    with pytest.raises(UserError, match="number 10, counted from 0, is damag"):
        Trainer(config, make_strategy("CPU:0")).train()
    # Somebody's own folder stays, with what is in it and no more.
    assert run_dir.exists() == (mine is not None)
    assert mine is None or [x.name for x in run_dir.iterdir()] == mine


def test_trainer_refuses_other_settings_too(finished):
    config, run_dir = finished
    other = dataclasses.replace(config, seed=config.seed + 1)
    with pytest.raises(UserError, match="seed is 7 there, not 8"):
        Trainer(other).train()


def test_another_number_of_pictures_is_told(tmp_path, capsys):
    data = make_folder(tmp_path / "data", count=20)
    settings = {"data": str(data), "total_kimg": 0.008}
    strategy = make_strategy("CPU:0")
    Trainer(tiny_config(tmp_path / "run", **settings), strategy).train()
    make_folder(data, count=22)
    settings["total_kimg"] = 0.016
    Trainer(tiny_config(tmp_path / "run", **settings), strategy).train()
    told = capsys.readouterr().out
    assert "began with 20 pictures; now there are 22" in told


def test_batch_that_replicas_cannot_share(tmp_path):
    config = tiny_config(tmp_path / "run", batch_size=7)
    strategy = make_strategy("CPU:0,CPU:1")
    with pytest.raises(UserError, match="batch_size 7 at 4x4 cannot be shared"):
        Trainer(config, strategy)


def test_command_refuses_other_settings_and_keeps_the_run(finished):
    _, run_dir = finished
    before = sorted(
        (p.name, p.stat().st_mtime_ns)
        for p in run_dir.rglob("*")
        if p.is_file()
    )
    flags = f"--run_dir={run_dir}", "--seed=8", "--fmap_max=16"
    result = run_command("train", *flags)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert "seed is 7 there, not 8" in line
    assert "fmap_max is 8 there, not 16" in line
    after = sorted(
        (p.name, p.stat().st_mtime_ns)
        for p in run_dir.rglob("*")
        if p.is_file()
    )
    assert before == after


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("TPU:0", "TPU:0"),
        ("GPU:99", "GPU:99"),
        ("two", "two"),
        ("CPU:0,CPU:0", "a device twice"),
    ],
)
def test_unknown_devices(names, message):
    with pytest.raises(UserError, match=message):
        devices.make_strategy(names)


@pytest.mark.parametrize(
    ("chosen", "visible", "capability", "told"),
    [
        ("", None, 9.0, True),
        ("", None, None, False),
        ("CPU:0", None, 9.0, False),
        ("", "", 9.0, False),
    ],
)
def test_a_gpu_that_tensorflow_cannot_use(
    monkeypatch, chosen, visible, capability, told
):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(devices, "gpu_capability", lambda: capability)
    line = devices.missed_gpu(make_strategy("CPU:0"), chosen)
    assert ("tensorflow[and-cuda]" in str(line)) == told


def test_a_run_tells_of_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(devices, "missed_gpu", lambda *_: "a GPU is missed")
    config = tiny_config(tmp_path / "run", total_kimg=0.008)
    Trainer(config, make_strategy("CPU:0")).train()
    assert "a GPU is missed" in capsys.readouterr().out


def test_one_strategy_of_the_same_devices():
    one, other = make_strategy("CPU:0,CPU:1"), make_strategy("CPU:0, CPU:1")
    assert one is other
    assert make_strategy("CPU:0") is not one


CLUSTER = {"worker": ["a:1", "b:1", "c:1"]}
TASK = {"type": "worker", "index": 2}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{not json", "correct or unset it"),
        ("[" * 100_000, "correct or unset it"),
        ([], "no JSON object"),
        (None, "no JSON object"),
        ({"cluster": {}}, "expected a cluster such as"),
        ({"cluster": [CLUSTER]}, "expected a cluster such as"),
        ({"cluster": None}, "expected a cluster such as"),
        ({"cluster": 5}, "expected a cluster such as"),
        ({"cluster": CLUSTER | {"ps": ["d:1"]}}, "jobs chief and worker, not"),
        ({"cluster": {"worker": "abcdefg"}}, "list of addresses for worker"),
        ({"cluster": {"worker": ["a", "b:1"]}}, "host:port, not 'a'"),
        ({"cluster": {"worker": [None]}}, "host:port, not None"),
        ({"cluster": CLUSTER}, "expected a task such as"),
        ({"cluster": CLUSTER, "task": "worker"}, "expected a task such as"),
        (
            {"cluster": CLUSTER, "task": TASK | {"index": 3}},
            "index 3; .*3 of",
        ),
        ({"cluster": CLUSTER, "task": TASK | {"index": -1}}, "index -1"),
        ({"cluster": CLUSTER, "task": TASK | {"type": "chief"}}, "has none"),
        ({"cluster": CLUSTER, "task": TASK | {"type": []}}, "has none"),
    ],
)
def test_unreadable_cluster(monkeypatch, config, said):
    text = config if isinstance(config, str) else json.dumps(config)
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match=f"TF_CONFIG.*{said}"):
        devices.count_replicas()
    with pytest.raises(UserError, match="TF_CONFIG"):
        devices.make_strategy()


def test_cluster(monkeypatch):
    # Some platforms set it without a cluster for a single machine.
    monkeypatch.setenv("TF_CONFIG", json.dumps({"task": TASK}))
    assert devices.count_replicas() == 1
    config = {"cluster": CLUSTER, "task": TASK, "environment": "cloud"}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert devices.count_replicas() == 3
    # Its workers take all their devices, whatever is asked for.
    for count in (devices.count_replicas, devices.make_strategy):
        with pytest.raises(UserError, match="leave --devices out"):
            count("CPU:0")


def test_devices_beyond_any_use():
    with pytest.raises(UserError, match="CPU:0 to CPU:63"):
        devices.count_replicas("CPU:" + "9" * 29)


@pytest.mark.parametrize("run", ["pictures/run", "pictures", "."])
def test_a_run_among_its_pictures_is_refused(tmp_path, monkeypatch, run):
    make_folder(tmp_path / "pictures")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="must lie apart"):
        Trainer(tiny_config(run, data="pictures"))
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]
