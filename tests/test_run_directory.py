"""Run directories that are shared, damaged or past the end."""

import dataclasses
import json
import pathlib
import shutil

import pytest
import tensorflow as tf
from tiny import make_folder, make_growing_run, tiny_config

from progan_tf import checkpoint
from progan_tf.checkpoint import (
    Checkpoints,
    checkpoints_of,
    load_generator,
)
from progan_tf.errors import UserError
from progan_tf.files import only_writer
from progan_tf.generation.opening import open_generator
from progan_tf.trainer import Trainer
from progan_tf.training.devices import make_strategy
from progan_tf.training.step import TrainingStep


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
    with pytest.raises(UserError, match=r"total_kimg .* 0\.096, .* 0\.024"):
        Trainer(shorter, strategy).train()
    assert (run_dir / "config.json").read_bytes() == before
    assert load_generator(run_dir / "generator.keras").output_shape[1] == 8


def test_classes_under_other_numbers_are_refused(tmp_path, strategy):
    """A sub-folder with another name would change the numbers of all."""
    data, run_dir = make_folder(tmp_path / "data"), tmp_path / "run"
    config = tiny_config(run_dir, data=str(data), labels=True, total_kimg=0.008)
    Trainer(config, strategy).train()
    assert open_generator(str(run_dir)).class_names == ("even", "odd")
    before = (run_dir / "config.json").read_bytes()
    longer = dataclasses.replace(config, total_kimg=0.016)
    (data / "even").rename(data / "straight")
    with pytest.raises(UserError, match="class 0 of .* 'even' .* 'odd' now"):
        Trainer(longer, strategy).train()
    assert (run_dir / "config.json").read_bytes() == before
    (data / "straight").rename(data / "even")
    assert Trainer(longer, strategy).train()
    # A run of an older version knows no names.
    settings = json.loads(before) | {"class_names": ""}
    (run_dir / "config.json").write_text(json.dumps(settings))
    (data / "odd").rename(data / "strange")
    assert Trainer(
        dataclasses.replace(config, total_kimg=0.024), strategy
    ).train()


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
    "text", [None, "", "\xff\x00", 'model_checkpoint_path: "ckpt-1"\n']
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


def test_other_programs_find_the_checkpoints(long_run):
    state = tf.train.get_checkpoint_state(str(long_run / "checkpoints"))
    names = ["ckpt-9", "ckpt-10", "ckpt-11", "ckpt-12"]
    assert names_of(state.all_model_checkpoint_paths) == names
    assert names_of([state.model_checkpoint_path]) == names[-1:]


@pytest.fixture(scope="module")
def state(tmp_path_factory, strategy):
    """The state of a run of 4x4."""
    config = tiny_config(tmp_path_factory.mktemp("state"), resolution=4)
    return TrainingStep(config, strategy)


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["x?", "x*", "[x]1", "x\\", "[x*]/run"])
def test_patterns_in_the_name_of_a_run(tmp_path, state, name):
    other, run_dir = tmp_path / "x1", tmp_path / name
    run_dir.mkdir(parents=True)
    state.images_seen.assign(8)
    for _ in range(3):
        Checkpoints(state, other, keep=9).save()
    before = files_in(other / "checkpoints")
    checkpoints = Checkpoints(state, run_dir, keep=1)
    for seen in (16, 24):
        state.images_seen.assign(seen)
        checkpoints.save()
    assert files_in(other / "checkpoints") == before
    assert names_of(checkpoints_of(run_dir)) == ["ckpt-2"]
    state.images_seen.assign(0)
    assert Checkpoints(state, run_dir).restore()
    assert int(state.images_seen.numpy()) == 24
    assert checkpoint.images_seen_in(checkpoints_of(run_dir)[0]) == 24


def test_a_list_from_elsewhere_removes_nothing_there(tmp_path, state):
    for name in ("theirs", "mine"):
        Checkpoints(state, tmp_path / name).save()
    theirs = tmp_path / "theirs/checkpoints"
    before = files_in(theirs)
    (tmp_path / "mine/checkpoints/checkpoint").write_text(
        f'model_checkpoint_path: "{theirs}/ckpt-1"\n'
        f'all_model_checkpoint_paths: "{theirs}/ckpt-1"\n'
        "all_model_checkpoint_timestamps: 1\n"
    )
    checkpoints = Checkpoints(state, tmp_path / "mine", keep=1)
    assert checkpoints.restore()
    checkpoints.save()
    assert files_in(theirs) == before
    assert names_of(checkpoints_of(tmp_path / "mine")) == ["ckpt-2"]


def test_what_is_not_a_checkpoint_stays_among_them(tmp_path, state):
    folder = tmp_path / "checkpoints"
    checkpoints = Checkpoints(state, tmp_path, keep=1)
    checkpoints.save()
    mine = ["ckpt-1-backup.index", "ckpt-2-mine", "ckpt-7.txt", "ckpt-x.index"]
    mine.append("ckpt-009.index")
    for name in mine:
        (folder / name).mkdir()
        (folder / name / "precious").touch()
    (folder / "ckpt-9.index").touch()
    (folder / "ckpt-9_temp").mkdir()
    (folder / "ckpt-9.data-00000-of-00001.tempstate17").touch()
    assert checkpoints.restore()
    checkpoints.save()
    own = ["checkpoint", "ckpt-2.data-00000-of-00001", "ckpt-2.index"]
    assert files_in(folder) == sorted(own + mine)
    assert all((folder / name / "precious").exists() for name in mine)


def test_a_link_to_nothing_is_a_checkpoint_that_cannot_be_read(tmp_path, state):
    checkpoints = Checkpoints(state, tmp_path)
    checkpoints.save()
    link = tmp_path / "checkpoints/ckpt-5.index"
    link.symlink_to("not/fetched")
    assert checkpoints.restore()
    checkpoints.save()
    names = [f"ckpt-{number}" for number in (1, 5, 6)]
    assert names_of(checkpoints_of(tmp_path)) == names
    assert link.is_symlink()


@pytest.mark.parametrize("images_seen", [-500, [8], 1.5])
def test_impossible_numbers_of_images(tmp_path, images_seen):
    values = tf.train.Checkpoint(images_seen=tf.Variable(images_seen))
    (tmp_path / "checkpoints").mkdir()
    values.write(str(tmp_path / "checkpoints/ckpt-1"))
    with pytest.raises(UserError, match="cannot read checkpoint .* has seen"):
        checkpoint.images_seen_in(checkpoints_of(tmp_path)[0])


def test_a_checkpoint_of_another_network(tmp_path, state, strategy):
    Checkpoints(state, tmp_path).save()
    config = tiny_config(tmp_path, resolution=4, fmap_max=16)
    other = Checkpoints(TrainingStep(config, strategy), tmp_path)
    with pytest.raises(UserError, match="none of the 1 checkpoints") as caught:
        other.restore()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("how", ["not copied", "empty"])
def test_a_finished_run_without_checkpoints_is_not_begun_anew(
    tmp_path, strategy, long_run, how
):
    run_dir = tmp_path / "run"
    shutil.copytree(long_run, run_dir)
    for path in (run_dir / "checkpoints").iterdir():
        path.unlink() if how == "not copied" else path.write_bytes(b"")
    if how == "not copied":
        (run_dir / "generator.keras").unlink()
    before = {p: p.read_bytes() for p in run_dir.rglob("*") if p.is_file()}
    settings = {"checkpoint_kimg": 0.008, "keep_checkpoints": 4}
    with pytest.raises(UserError, match="no whole checkpoint is in") as caught:
        Trainer(tiny_config(run_dir, **settings), strategy).train()
    message = str(caught.value)
    if how == "empty":
        assert "holds generator.keras and metrics.jsonl" in message
        assert "ckpt-10.index" in message
    else:
        assert "metrics.jsonl up to 0.096 kimg" in message
    after = {p: p.read_bytes() for p in run_dir.rglob("*") if p.is_file()}
    assert after == before


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
    names = ["ckpt-1.data-00000-of-00001", "ckpt-1.index", "tick.json"]
    assert files_in(folder) == names


def test_a_resume_that_fails_changes_no_settings(tmp_path, strategy):
    config = tiny_config(tmp_path / "run", total_kimg=0.008)
    Trainer(config, strategy).train()
    stored = tmp_path / "run/config.json"
    # As an older version may have written it: the same in other bytes.
    stored.write_text(json.dumps(json.loads(stored.read_text())))
    before = stored.read_bytes()
    (data,) = (tmp_path / "run/checkpoints").glob("*.data-*")
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(UserError, match="can be read"):
        Trainer(config, strategy).train()
    assert stored.read_bytes() == before


def test_damaged_metrics_are_dropped(tmp_path, strategy):
    config = tiny_config(tmp_path / "run", total_kimg=0.032)
    Trainer(config, strategy).train()
    path = tmp_path / "run/metrics.jsonl"
    with path.open("ab") as file:
        file.write(
            b'null\n[]\n{}\n{"images_seen": "x"}\n\xff\xfe\n'
            b'{"images_seen": NaN}\n{"images_seen": [1]}\n'
            b'{"images_seen": true}\n{"images_seen": -8}\n'
            + b"[" * 100_000
            + b'\n{"imag'
        )
    Trainer(config, strategy).train()
    lines = path.read_text().splitlines()
    assert [json.loads(line)["images_seen"] for line in lines] == [32]


@pytest.mark.parametrize("steps", ["1e400", "-3", "null"])
def test_a_damaged_note_of_the_averages_is_not_used(tmp_path, strategy, steps):
    settings = {"tick_kimg": 0.024, "fade_kimg": 0.0}
    config = tiny_config(tmp_path, total_kimg=0.032, **settings)
    # It stops within a tick, whose line comes when the run goes on.
    trainer = Trainer(config, strategy)
    trainer.train()
    note = tmp_path / "checkpoints/tick.json"
    fields = json.loads(note.read_text())
    metrics = trainer.state.metrics
    fields |= {"sums": dict.fromkeys(metrics, 1.0)}
    fields |= {"steps": dict.fromkeys(metrics, 12345)}
    note.write_text(json.dumps(fields).replace("12345", steps))
    config = tiny_config(tmp_path, total_kimg=0.048, **settings)
    assert Trainer(config, strategy).train()


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
