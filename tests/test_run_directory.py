"""Run directories that are shared, damaged or already beyond the end."""

import json
import pathlib
import shutil

import pytest
import tensorflow as tf
from tiny import make_growing_run, tiny_config

from progan_tf import checkpoint
from progan_tf.checkpoint import checkpoints_of, load_generator
from progan_tf.checkpoint_list import mend_list
from progan_tf.errors import UserError
from progan_tf.files import only_writer
from progan_tf.trainer import Trainer
from progan_tf.training.devices import make_strategy


@pytest.fixture(scope="module")
def strategy():
    return make_strategy("CPU:0")


def test_a_second_trainer_is_refused(tmp_path, strategy):
    config = tiny_config(tmp_path / "run", total_kimg=0.008)
    with only_writer(tmp_path / "run"):
        with pytest.raises(UserError, match="another command is writing"):
            Trainer(config, strategy).train()
    assert not list((tmp_path / "run").iterdir())
    assert Trainer(config, strategy).train()
    # What was trained is free again, also for one that was refused.
    assert Trainer(config, strategy).train()


def test_an_end_that_is_passed_is_refused(tmp_path, strategy):
    run_dir = tmp_path / "run"
    Trainer(tiny_config(run_dir), strategy).train()
    before = (run_dir / "config.json").read_bytes()
    shorter = tiny_config(run_dir, total_kimg=0.024)
    with pytest.raises(UserError, match=r"0\.096 kimg, .*total_kimg=0\.024"):
        Trainer(shorter, strategy).train()
    assert (run_dir / "config.json").read_bytes() == before
    assert load_generator(run_dir / "generator.keras").output_shape[1] == 8


@pytest.fixture(scope="module")
def long_run(tmp_path_factory, strategy):
    """A run with its checkpoints 9 to 12, of which 12 is the newest."""
    run_dir = tmp_path_factory.mktemp("long") / "run"
    settings = {"checkpoint_kimg": 0.008, "keep_checkpoints": 4}
    Trainer(tiny_config(run_dir, **settings), strategy).train()
    return run_dir


def names_of(paths):
    return [pathlib.Path(path).name for path in paths]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "\xff\x00",
        'model_checkpoint_path: "ckpt-12"\n',
        'model_checkpoint_path: "ckpt-12"\nall_model_check',
        'model_checkpoint_path: "ckpt-12"\n'
        'all_model_checkpoint_paths: "ckpt-9"\n',
    ],
)
def test_checkpoints_outlive_their_list(tmp_path, long_run, text):
    folder = tmp_path / "run/checkpoints"
    shutil.copytree(long_run, tmp_path / "run")
    (folder / "checkpoint").unlink()
    if text is not None:
        (folder / "checkpoint").write_text(text, encoding="latin-1")
    before = [path.name for path in folder.iterdir()]
    names = ["ckpt-9", "ckpt-10", "ckpt-11", "ckpt-12"]
    assert names_of(checkpoints_of(tmp_path / "run")) == names
    assert [path.name for path in folder.iterdir()] == before
    mend_list(folder)
    state = tf.train.get_checkpoint_state(str(folder))
    assert names_of(state.all_model_checkpoint_paths) == names
    assert names_of([state.model_checkpoint_path]) == names[-1:]


def test_a_run_goes_on_without_its_list(tmp_path, strategy, long_run):
    run_dir = tmp_path / "run"
    shutil.copytree(long_run, run_dir)
    (run_dir / "checkpoints/checkpoint").unlink()
    trainer = Trainer(tiny_config(run_dir, keep_checkpoints=4), strategy)
    trainer._create_state()
    assert trainer.images_seen == 96
    trainer._checkpoints.save()
    names = ["ckpt-10", "ckpt-11", "ckpt-12", "ckpt-13"]
    assert names_of(checkpoints_of(run_dir)) == names
    assert not (run_dir / "checkpoints/ckpt-9.index").exists()


def test_a_save_that_was_cut_off_is_no_checkpoint(tmp_path, strategy):
    config = tiny_config(tmp_path / "run", total_kimg=0.008)
    Trainer(config, strategy).train()
    folder = tmp_path / "run/checkpoints"
    (folder / "checkpoint").unlink()
    (folder / "ckpt-2.index").write_bytes(b"")
    (folder / "ckpt-3_temp").mkdir()
    trainer = Trainer(config, strategy)
    trainer._create_state()
    assert trainer.images_seen == 8
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["checkpoint", "ckpt-1.data-00000-of-00001", "ckpt-1.index"]


def test_damaged_metrics_are_dropped(tmp_path, strategy):
    config = tiny_config(tmp_path / "run", total_kimg=0.032)
    Trainer(config, strategy).train()
    path = tmp_path / "run/metrics.jsonl"
    with path.open("ab") as file:
        file.write(b'null\n[]\n{}\n{"images_seen": "x"}\n\xff\xfe\n{"imag')
    Trainer(config, strategy).train()
    lines = path.read_text().splitlines()
    assert [json.loads(line)["images_seen"] for line in lines] == [32]


def test_a_checkpoint_that_is_replaced_while_it_is_read(tmp_path, monkeypatch):
    folder = make_growing_run(tmp_path)
    *_, old, newest = checkpoints_of(folder)
    seen = checkpoint.images_seen_in(newest)
    for path in (folder / "checkpoints").glob(f"{pathlib.Path(old).name}.*"):
        path.unlink()
    # A run that is going removes what was the newest a moment ago.
    answers, latest = [old], checkpoint.latest_checkpoint
    monkeypatch.setattr(
        checkpoint,
        "latest_checkpoint",
        lambda run_dir: answers.pop() if answers else latest(run_dir),
    )
    generator, (_, told) = checkpoint.load_with_origin(folder)
    assert (generator.output_shape[1], told, answers) == (16, seen, [])
    # One that stays the newest and cannot be read is an error all the same.
    monkeypatch.undo()
    (index,) = (folder / "checkpoints").glob(f"{pathlib.Path(newest).name}.i*")
    index.write_bytes(index.read_bytes()[:20])
    with pytest.raises(UserError, match="cannot read checkpoint"):
        checkpoint.load_with_origin(folder)
