"""Conversion of published weights to files, modules and runs."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from published_files import (
    GOLDENS,
    golden_arrays,
    official_states,
    random_states,
    save_official,
)
from tiny import checkpoint_values, make_folder

from progan_tf.checkpoint import load_generator
from progan_tf.config import load_config, resume
from progan_tf.errors import UserError
from progan_tf.export.exporting import export_generator
from progan_tf.images import grid_shape, make_grid, nearest_up
from progan_tf.sampling import generate_images
from progan_tf.trainer import Trainer
from progan_tf.training import fine_tuning
from progan_tf.weights import read_published
from progan_tf.weights.runs import inherited_licence

ROOT = pathlib.Path(__file__).resolve().parent.parent
FUSED = GOLDENS / "official_16_fused.pkl"
ZOO = GOLDENS / "gan_zoo_16.pth"
# Trains at once, at the resolution of the weights, for 32 images.
SHORT = {"fade_kimg": 0, "stable_kimg": 0, "total_kimg": 0.032, "batch_size": 8}


def convert(folder, *flags, before=()):
    """Run the command in a folder; `before` is a program that runs it."""
    return subprocess.run(
        [*before, sys.executable, "-m", "progan_tf.convert", *flags],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


# Runs a command and prints its largest memory, MB, and its seconds of CPU.
MEASURE = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print("measured", used.ru_maxrss / 1024, used.ru_utime + used.ru_stime)
sys.exit(status)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kB here")
def test_1024x1024_to_keras_in_3_gb(tmp_path):
    path = save_official(tmp_path / "x.pkl", random_states(1024))
    assert path.stat().st_size > 4 * 3 * 23_000_000
    result = convert(
        tmp_path,
        "--weights=x.pkl",
        "--out=x.keras",
        before=(sys.executable, "-c", MEASURE),
    )
    assert result.returncode == 0, result.stderr
    told = ["official", "1024x1024, 3 channels", "23,079,115", "23,087,249"]
    told += ["none", "CC BY-NC 4.0"]
    assert [part for part in told if part not in result.stdout] == []
    _, megabytes, seconds = result.stdout.splitlines()[-1].split()
    assert float(megabytes) < 3000
    # 60 seconds on two cores.
    assert float(seconds) < 120
    assert (tmp_path / "x.keras").stat().st_size > 4 * 23_079_115


def test_a_hub_module_makes_the_original_images(tmp_path):
    pytest.importorskip("torch", reason="the weights are a file of PyTorch")
    generator, module = read_published(ZOO).finished(), tmp_path / "module"
    export_generator(generator, module, "hub", note="\nA note.\n")
    golden = golden_arrays("gan_zoo_16")
    images = tf.saved_model.load(str(module))(golden["latents"])
    expected = (golden["images_average"] + 1) / 2
    np.testing.assert_allclose(images, expected.clip(0, 1), atol=1e-4)
    assert (module / "README.md").read_text().endswith("\nA note.\n")


def expected_grid(published, config):
    """The first sample grid, from the file's own average."""
    columns, rows = grid_shape(64)
    seeds = config.seed + np.arange(columns * rows)
    labels = None
    if config.num_classes:
        labels = np.arange(columns * rows) // columns % config.num_classes
    images = generate_images(published.finished(), seeds, labels)
    return make_grid(nearest_up(images, 64 // images.shape[1]), columns)


def assert_same_grid(grid, expected):
    """The same but for rounding: of 0 to 255, few numbers by 1."""
    difference = np.abs(grid.astype(int) - expected)
    assert difference.max() <= 1
    assert np.mean(difference) < 0.001


def test_a_run_begins_with_the_original_and_trains_on(tmp_path):
    data = make_folder(tmp_path / "pictures")
    flags = [f"--{name}={value}" for name, value in SHORT.items()]
    flags += [f"--weights={FUSED}", "--out=run", "--format=run"]
    result = convert(tmp_path, *flags, f"--data={data}", "--seed=3")
    assert result.returncode == 0, result.stderr
    assert "--run_dir=run" in result.stdout
    run, published = tmp_path / "run", read_published(FUSED)
    config = load_config(run)
    assert (config.seed, config.data, config.fmap_max[8]) == (3, str(data), 8)
    licence = inherited_licence(run)
    assert licence == published.info.licence and "CC BY-NC 4.0" in licence
    grid = np.asarray(Image.open(run / "samples" / "fakes-000000.png"))
    assert_same_grid(grid, expected_grid(published, config))
    assert (run / "samples" / "reals.png").exists()
    for average, family in ((True, "average"), (False, "generator")):
        model = load_generator(run, average=average)
        expected = getattr(published, family).at(16, fade=False)
        for ours, theirs in zip(model.weights, expected.weights, strict=True):
            assert np.array_equal(ours, theirs)
    assert_trains(run)


def assert_trains(run):
    """The command train, with --run_dir alone, moves every network."""
    before = checkpoint_values(run)
    config, resumed = resume.resolve_for_run(
        {"run_dir": str(run)}, lambda devices: 1
    )
    assert resumed
    assert Trainer(config).train()
    after = checkpoint_values(run)
    assert before.keys() == after.keys()
    assert after["images_seen"] == before["images_seen"] + 32
    for name in ("generator", "discriminator", "average"):
        kernels = [
            key
            for key in before
            if key.startswith(f"{name}/blocks") and "conv" in key
        ]
        assert len(kernels) >= 10
        moved = [np.any(before[key] != after[key]) for key in kernels]
        assert all(moved)


def test_a_run_of_the_gan_zoo_trains_in_its_own_variant(tmp_path):
    pytest.importorskip("torch", reason="the weights are a file of PyTorch")
    published, run = read_published(ZOO), tmp_path / "run"
    data = make_folder(tmp_path / "pictures")
    given = {**SHORT, "data": str(data), "total_kimg": 2.032}
    config = fine_tuning.write_run(published, str(run), given, 2000)
    assert config == load_config(run)
    assert (config.variant, config.fused_scale) == ("gan_zoo", False)
    grid = np.asarray(Image.open(run / "samples" / "fakes-000002.png"))
    assert_same_grid(grid, expected_grid(published, config))
    assert_trains(run)


@pytest.fixture(scope="module")
def labelled():
    return read_published(GOLDENS / "official_16_labels.pkl")


@pytest.fixture(scope="module")
def fused():
    return read_published(FUSED)


def test_a_run_with_classes(tmp_path, labelled):
    data = make_folder(tmp_path / "pictures")
    given = {**SHORT, "data": str(data)}
    with pytest.raises(
        UserError, match="2 classes; .* have 3, .* as many, or --nolabels"
    ):
        fine_tuning.write_run(labelled, str(tmp_path / "run"), given)
    (tmp_path / "pictures" / "third").mkdir()
    picture = next((tmp_path / "pictures" / "even").iterdir())
    picture.rename(tmp_path / "pictures" / "third" / "x.png")
    run = tmp_path / "run"
    config = fine_tuning.write_run(labelled, str(run), given)
    assert (config.labels, config.num_classes) == (True, 3)
    grid = np.asarray(Image.open(run / "samples" / "fakes-000000.png"))
    assert_same_grid(grid, expected_grid(labelled, config))
    # Nothing else is left beside it.
    assert {p.name for p in tmp_path.iterdir()} == {"pictures", "run"}


@pytest.mark.parametrize(
    ("given", "images_seen", "expected"),
    [
        ({}, None, 2_400_000),
        ({"preset": "laptop-wgan"}, None, 68_000),
        ({"resolution": 32}, None, 2_400_000),
        ({"resolution": 8}, None, 1_200_000),
        ({"resolution": 32}, 3_100_000, 3_100_000),
        ({"total_kimg": 0.5}, 0, 0),
    ],
)
def test_where_a_run_begins(fused, given, images_seen, expected):
    config = fine_tuning._config(fused, "run", given)
    start = fine_tuning._start(fused, config, images_seen)
    assert start == expected


def test_a_run_grows_on_from_the_weights(tmp_path, fused):
    given = {"resolution": 32, "batch_size": 8, "fade_kimg": 0.032}
    given |= {"stable_kimg": 0.032, "data": "cats"}
    run = tmp_path / "run"
    fine_tuning.write_run(fused, str(run), given, 160)
    # Just before 32x32 fades in: the images are those of 16x16, upscaled.
    grid = np.asarray(Image.open(run / "samples" / "fakes-000000.160.png"))
    config = load_config(run)
    assert_same_grid(grid, expected_grid(fused, config))
    schedule = config.schedule()
    assert (schedule.at(160).resolution, schedule.alpha(160)) == (32, 0.0)


def test_feature_maps_of_no_formula_grow_on(tmp_path):
    options = {"fmap_base": 64, "fmap_decay": 0.5, "fmap_max": 40}
    states = random_states(16, latent_size=12, **options)
    gan = read_published(save_official(tmp_path / "x.pkl", states))
    config = fine_tuning._config(gan, "run", {"resolution": 64})
    # 64 / 2 ** 0.5, 64 / 2 and 64 / 2 ** 1.5, of which 40 are taken at most.
    expected = {4: 40, 8: 32, 16: 22, 32: 11, 64: 5}
    assert config.fmap_max == expected
    maps = [config.architecture.feature_maps(r) for r in expected]
    assert maps == list(expected.values())


def test_an_epsilon_of_its_own_is_kept(tmp_path):
    states = official_states(FUSED)
    for state in states:
        state["static_kwargs"]["pixelnorm_epsilon"] = 1e-4
    gan = read_published(save_official(tmp_path / "x.pkl", states))
    assert fine_tuning._config(gan, "run", {}).pixelnorm_epsilon == 1e-4


@pytest.mark.parametrize(
    ("given", "images_seen", "message"),
    [
        ({"total_kimg": 100}, None, "the schedule ends after 100,000 images"),
        ({}, 20_000_000, "the schedule ends after 12,000,000 images"),
        ({"labels": True}, None, "without classes, which cannot change"),
        ({"data": "nowhere"}, None, "expected --data="),
        ({"resolution": 7}, None, "power of two"),
    ],
)
def test_runs_that_cannot_be(tmp_path, fused, given, images_seen, message):
    run = tmp_path / "run"
    with pytest.raises(UserError, match=message):
        fine_tuning.write_run(fused, str(run), given, images_seen)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_replaced_by_a_run(tmp_path, fused):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="exists; choose another place"):
        fine_tuning.write_run(fused, str(tmp_path), {})
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--out=x.keras", "--weights=none.pkl"], "there is no none.pkl"),
        (["--out=x.h5"], "ends with .keras"),
        (["--out=x.keras", "--total_kimg=3"], "--total_kimg does not go with"),
        (["--out=r", "--format=run", "--latest"], "--latest does not go with"),
        (["--out=x.keras", "--trainable"], "--trainable does not go with"),
        (["--out=x.keras", "--fmap_max=8"], "Unknown command line flag"),
        (["--out=x.keras", "--blend=none"], "--blend_from go together"),
        (
            ["--out=x.keras", "--blend=none.pkl", "--blend_from=8"],
            "run directory as --blend; there is no none.pkl",
        ),
        (
            ["--out=x.keras", f"--blend={FUSED}", "--blend_from=16"]
            + ["--resolution=8"],
            "at most --resolution=8; received 16",
        ),
    ],
)
def test_mistakes_are_one_line_and_status_2(tmp_path, flags, message):
    result = convert(tmp_path, f"--weights={FUSED}", *flags)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("progan_tf.convert: error: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []
