"""Held-out pictures, and what is measured with them."""

import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image
from tiny import make_folder, tiny_config

from progan_tf.checkpoint import images_seen_in, latest_checkpoint
from progan_tf.data import Loader, Steps, split
from progan_tf.data.folder import Folder
from progan_tf.data.order import held_out
from progan_tf.errors import UserError
from progan_tf.evaluation.evaluation import (
    Evaluation,
    held_out_for,
    reals_for,
)
from progan_tf.evaluation.opening import open_subjects
from progan_tf.trainer import Trainer
from progan_tf.training.devices import make_strategy
from progan_tf.training.held_out import mean_score
from progan_tf.training.run_data import open_data
from progan_tf.training.step import TrainingStep

SHARE, COUNT = 0.25, 5  # Of 20 pictures.


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("data") / "pictures")


def test_copies_among_the_held_out_pictures_are_told(tmp_path, caplog):
    data = make_folder(tmp_path / "pictures")
    config = tiny_config(
        tmp_path / "run", data=str(data), hold_out=SHARE, seed=3
    )
    open_data(config)
    assert not caplog.messages
    _, others = held_out(3, 20, COUNT)
    names = sorted(path.relative_to(data) for path in data.rglob("*.png"))
    kept = [names[i] for i in range(20) if i not in others]
    for number in (0, 2):  # Of the held-out ones.
        shutil.copy(data / kept[number], data / names[others[number]])
    # Of the same size and with the same middle, but another picture.
    whole = (data / kept[1]).read_bytes()
    (data / names[others[1]]).write_bytes(whole[:-1] + b"\0")
    open_data(config)
    (message,) = caplog.messages
    assert message.startswith("2 of the 5 held-out pictures of ")


def pixels(source):
    """A set of the bytes of all pictures."""
    images = source.images(np.arange(len(source)), 16)
    return {image.tobytes() for image in images}


def test_both_parts_are_the_whole(folder):
    whole = Folder(folder, labels=True)
    kept, others = split(whole, 3, SHARE)
    assert (len(kept), len(others)) == (20 - COUNT, COUNT)
    assert pixels(kept).isdisjoint(pixels(others))
    assert pixels(kept) | pixels(others) == pixels(whole)
    # As the seed has it.
    assert pixels(split(whole, 3, SHARE)[1]) == pixels(others)
    assert pixels(split(whole, 4, SHARE)[1]) != pixels(others)
    assert split(whole, 3, 0.0) == (whole, None)
    # With their labels: of two pictures in turn.
    labels = dict(
        zip(
            (image.tobytes() for image in whole.images(np.arange(20), 16)),
            whole.labels(np.arange(20)),
            strict=True,
        )
    )
    for part in (kept, others):
        numbers = np.arange(len(part))
        for image, label in zip(
            part.images(numbers, 16), part.labels(numbers), strict=True
        ):
            assert labels[image.tobytes()] == label
        assert part.num_classes == 2


def test_a_class_may_be_held_out_as_a_whole(folder, tmp_path):
    whole = tmp_path / "pictures"
    shutil.copytree(folder, whole)
    (whole / "rare").mkdir()
    shutil.copy(whole / "even" / "000.png", whole / "rare")
    whole = Folder(whole, labels=True)
    assert whole.empty_classes == ()
    found = set()
    for seed in range(20):
        for part in split(whole, seed, SHARE):
            there = set(part.labels(np.arange(len(part))).tolist())
            assert set(part.empty_classes) == {0, 1, 2} - there
            found.add(part.empty_classes)
    assert found >= {(), (2,)}


def test_a_held_out_picture_stands_in_for_no_other(tmp_path):
    folder = make_folder(tmp_path, count=100)
    files = sorted(folder.rglob("*.png"))
    kept, others = held_out(3, 100, 50)
    # A picture that is trained on, before one that is not, of its class.
    broken = next(
        int(n) for n in kept if n % 50 < 49 and n + 1 in others.tolist()
    )
    files[broken].write_bytes(files[broken].read_bytes()[:60])
    part, unseen = split(Folder(folder, labels=True), 3, 0.5)
    (number,) = np.flatnonzero(kept == broken)
    there = part.images(np.array([number, number + 1]), 16)
    np.testing.assert_array_equal(*there)
    assert np.ptp(part.labels(np.array([number, number + 1]))) == 0
    assert pixels(part).isdisjoint(pixels(unseen))


@pytest.mark.parametrize("share", [0.01, 0.97])
def test_neither_part_is_empty(folder, share):
    with pytest.raises(UserError, match=r"hold_out .* of the 20 pictures"):
        split(Folder(folder), 0, share)


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    """A trainer that has trained with some pictures held out."""
    config = tiny_config(
        tmp_path_factory.mktemp("runs") / "run",
        data=str(folder),
        hold_out=SHARE,
        minibatch_stddev_group=0,
    )
    trainer = Trainer(config)
    assert trainer.train()
    return trainer


def test_training_shows_the_others_alone(run):
    source, held_out, config = open_data(run.config)
    assert config.num_images == run.config.num_images == 20 - COUNT
    with Loader(source, config.seed) as loader:
        chunk = loader.chunk(Steps(0, 10, 8, 16))
    shown = {image.tobytes() for image in chunk.images.reshape(80, 16, 16, 3)}
    assert shown == pixels(source)
    assert shown.isdisjoint(pixels(held_out))


def test_a_run_whose_held_out_pictures_are_lost_is_saved(folder, tmp_path):
    data, away = tmp_path / "data", tmp_path / "away"
    shutil.copytree(folder, data)
    options = {"data": str(data), "hold_out": SHARE, "resolution": 4}
    config = tiny_config(tmp_path / "run", total_kimg=0.064, **options)
    trainer = Trainer(config)
    _, held_out, _ = open_data(config)
    indices = held_out._indices
    files = [held_out._source._files[i] for i in indices]
    away.mkdir()
    for number, file in enumerate(files):
        (data / file).rename(away / str(number))
    with pytest.raises(
        UserError, match="of the 20 pictures in .* cannot be read"
    ):
        trainer.train()
    assert images_seen_in(latest_checkpoint(config.run_dir)) == 32
    for number, file in enumerate(files):
        (away / str(number)).rename(data / file)
    assert Trainer(config).train()
    lines = pathlib.Path(config.run_dir, "metrics.jsonl").read_text()
    assert [json.loads(x)["images_seen"] for x in lines.splitlines()] == [64]


def test_their_score_is_that_of_the_discriminator(run):
    path = run.state.config.run_dir
    with open(f"{path}/metrics.jsonl", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    assert [line["images_seen"] for line in lines] == [32, 64, 96]
    _, unseen, _ = open_data(run.config)
    images = unseen.images(np.arange(COUNT), 8)
    scores = run.state.discriminator.at(8)(images / 127.5 - 1).numpy()
    assert lines[-1]["held_out_score"] == pytest.approx(scores.mean(), rel=1e-4)
    seen, _, _ = open_data(run.config)
    images = seen.images(np.array([0, 3, 7, 10, 14]), 8)  # Of 15, spread.
    scores = run.state.discriminator.at(8)(images / 127.5 - 1).numpy()
    assert lines[-1]["seen_score"] == pytest.approx(scores.mean(), rel=1e-4)
    for line in lines:
        assert np.isfinite(line["held_out_score"])
    with Image.open(f"{path}/scores.png") as plot:
        assert plot.size[0] > 500


def test_evaluation_measures_what_is_normal_by_them(run, capsys):
    subjects = open_subjects(run.config.run_dir)
    reals = reals_for(subjects)
    held_out = held_out_for(subjects, reals)
    assert (len(reals), len(held_out)) == (20 - COUNT, COUNT)
    ((_, results),) = Evaluation(
        subjects, reals, ["neighbours"], held_out=held_out
    ).run()
    (result,) = results
    assert result.metric == "memorised"
    assert 0 <= result.values["memorised"] <= 1
    assert 0 <= result.reals["memorised"] <= 1
    assert result.reals_images == COUNT
    said = capsys.readouterr().out
    assert "Memorised: " in said
    assert f"% of {COUNT} held-out pictures" in said
    path = pathlib.Path(run.config.run_dir, "evaluation", "metrics.jsonl")
    assert json.loads(path.read_text())["values"] == result.values


def test_held_out_scores_are_of_whole_stddev_groups(tmp_path):
    class Six:
        pixels = np.random.default_rng(0).integers(
            0, 256, (6, 4, 4, 3), "uint8"
        )

        def __len__(self):
            return len(self.pixels)

        def images(self, indices, resolution):
            return self.pixels[indices]

    config = tiny_config(tmp_path, resolution=4, minibatch_stddev_group=5)
    state = TrainingStep(config, make_strategy("CPU:0"))
    score = mean_score(state, Six(), 6, resolution=4, alpha=1.0, batch_size=6)
    five = Six.pixels[:5].astype("float32") / 127.5 - 1
    expected = state.discriminator.at(4)(five).numpy().mean()
    assert score == pytest.approx(expected, rel=1e-4)


def test_of_other_data_none_are_known_to_be_held_out(run, capsys):
    subjects = open_subjects(run.config.run_dir)
    reals = reals_for(subjects)
    subjects.config = dataclasses.replace(subjects.config, num_images=19)
    assert held_out_for(subjects, reals) is None
    assert "trained on 19 pictures" in capsys.readouterr().out


def test_pictures_that_were_learnt_by_heart(folder, tmp_path):
    # Twenty that are those of the data, each with a little noise.
    subjects = open_subjects(images=str(folder))
    reals = reals_for(subjects, str(folder))
    others = make_folder(tmp_path / "others", seed=1)
    held_out = held_out_for(subjects, reals, str(others))
    ((_, results),) = Evaluation(
        subjects, reals, ["neighbours"], out=tmp_path, held_out=held_out
    ).run()
    (result,) = results
    assert result.values == {"memorised": 1.0}
    assert result.reals["memorised"] < 1.0
    ((_, results),) = Evaluation(
        subjects, reals, ["neighbours"], out=tmp_path
    ).run()
    assert results[0].reals == {"memorised": None}


def test_a_few_held_out_pictures_are_enough(folder, tmp_path):
    subjects = open_subjects(images=str(folder))
    reals = reals_for(subjects, str(folder))
    others = make_folder(tmp_path / "others", count=2)
    assert len(held_out_for(subjects, reals, str(others))) == 2
    with pytest.raises(UserError, match="expected at least 16 pictures"):
        reals_for(subjects, str(others))


def test_held_out_pictures_that_are_not_there(folder):
    subjects = open_subjects(images=str(folder))
    reals = reals_for(subjects, str(folder))
    with pytest.raises(UserError, match="expected --held_out=.*does not exist"):
        held_out_for(subjects, reals, "nowhere")
    with pytest.raises(UserError, match="is the data itself"):
        held_out_for(subjects, reals, f"{folder}/")


def test_few_samples_are_judged_once(folder, tmp_path):
    images = Folder(folder).images(np.arange(5), 16)
    np.savez(tmp_path / "five.npz", images=images)
    subjects = open_subjects(images=str(tmp_path / "five.npz"))
    reals = reals_for(subjects, str(folder))
    ((_, results),) = Evaluation(
        subjects, reals, ["neighbours"], out=tmp_path
    ).run()
    assert (results[0].images, results[0].values) == (5, {"memorised": 1.0})
    with Image.open(tmp_path / "neighbours.png") as grid:
        assert grid.size == (5 * 64, 4 * 64)
