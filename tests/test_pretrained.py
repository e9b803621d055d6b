"""The included generator: its files, and the commands that accept it."""

import dataclasses
import hashlib
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image
from tiny import tiny_config

from progan_tf import load_generator, pretrained, seeded_latents
from progan_tf.config import load_config, resolve, resume
from progan_tf.data.cats import Cats
from progan_tf.errors import UserError
from progan_tf.evaluation import evaluation, opening
from progan_tf.evaluation.lines import newest_metrics
from progan_tf.export.card import model_card
from progan_tf.generation.opening import open_generator
from progan_tf.images import to_uint8
from progan_tf.latents import one_hot
from progan_tf.networks import Discriminator, Generator
from progan_tf.sampling import generate_images
from progan_tf.training.fine_tuning import write_run
from progan_tf.weights import read_published
from progan_tf.weights.runs import training_arrays

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The pictures of seeds 0 to 3, side by side.
GOLDEN = ROOT / "tests" / "goldens" / "cats_128.png"
CATS = pretrained.SHIPPED["cats-128"]

DRAW = """
import sys
import numpy as np
import keras
import progan_tf.layers
from progan_tf import pretrained
path = pretrained.SHIPPED["cats-128"].file("generator.keras")
model = keras.saving.load_model(path)
inputs = [np.load(f"{name}.npy") for name in ("latents", "labels")]
images = keras.ops.convert_to_numpy(model(inputs))
np.save(f"{keras.backend.backend()}.npy", images)
others = {"tensorflow", "torch", "jax"} - {keras.backend.backend()}
print(*others & set(sys.modules))
"""


def run_python(*arguments, folder, **environment):
    """A finished Python process that looks for the package in a folder."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def golden():
    """Pictures of seeds 0 to 3, uint8 `[4, 128, 128, 3]`."""
    with Image.open(GOLDEN) as image:
        return np.stack(np.split(np.asarray(image), 4, axis=1))


def assert_alike(images, expected):
    """Equal but for the rounding of other kernels."""
    difference = np.abs(np.subtract(images, expected, dtype="float64"))
    assert difference.max() <= 2 and difference.mean() < 0.1


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """A folder with the package as a wheel of it brings it, and only that."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is not a git checkout, so its files are not known")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if not name.startswith(("docs/", "tests/")) and (ROOT / name).exists():
            copy = folder / "source" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy)
    pip = ["-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    pip += ["--no-index"]
    made = run_python(*pip, "./source", folder=folder)
    assert made.returncode == 0, made.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def test_a_wheel_draws_the_golden_pictures_at_once(unpacked):
    brought = {
        path.relative_to(unpacked / "progan_tf" / "pretrained").as_posix()
        for path in (unpacked / "progan_tf" / "pretrained").rglob("*.*")
    }
    kept = {
        path.relative_to(CATS.folder.parent).as_posix()
        for path in CATS.folder.parent.rglob("*.*")
        if "__pycache__" not in path.parts
    }
    assert brought == kept
    assert {"cats-128/generator.keras", "cats-128/README.md"} <= brought
    done = run_python(
        *("-m", "progan_tf.generate", "--seeds=0-3", "--columns=4"),
        "--out=grid.png",
        folder=unpacked,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Generator: cats-128, which comes with")
    assert "David Revoy" in done.stdout
    with Image.open(unpacked / "grid.png") as grid:
        images = np.split(np.asarray(grid), 4, axis=1)
    assert_alike(images, golden())


@pytest.mark.parametrize("backend", ["tensorflow", "torch", "jax"])
def test_every_backend_draws_the_golden_pictures(unpacked, backend):
    assert importlib.util.find_spec(backend), (
        f"this test needs {backend}, which the README's command installs"
    )
    np.save(unpacked / "latents.npy", seeded_latents(range(4)))
    np.save(unpacked / "labels.npy", one_hot(range(4), 15))
    done = run_python("-c", DRAW, folder=unpacked, KERAS_BACKEND=backend)
    assert done.returncode == 0, done.stderr
    # TensorFlow itself, and what it brings, may import others.
    assert backend == "tensorflow" or "tensorflow" not in done.stdout.split()
    images = np.load(unpacked / f"{backend}.npy")
    assert_alike(to_uint8(images), golden())


def test_its_files_are_as_small_as_promised_and_are_those_meant():
    sizes = {name: CATS.file(name).stat().st_size for name in CATS.digests}
    assert sizes["generator.keras"] <= 8_000_000
    assert sizes["training.npz"] <= 6_000_000
    assert list(CATS.digests) == ["generator.keras", "training.npz"]


def test_the_preset_trains_one_like_it():
    """All is as it was made, but how its rate fell in the last 600 kimg."""
    stored, preset = load_config(CATS.folder), resolve("cats-128")
    assert preset.run_dir == "runs/cats-128"
    assert preset.schedule().total_images == CATS.images_seen
    assert preset.schedule().phases[-1].start == 560_000
    assert preset.penalty_every == 4
    # Counted in the data; and the last resolution has what remains.
    assert (stored.num_images, stored.num_classes) == (360_000, 15)
    expected = dataclasses.replace(
        preset, num_images=360_000, num_classes=15, run_dir=stored.run_dir
    )
    changed = resume.changed_settings(stored, expected)
    assert changed.keys() == {"stable_kimg", "learning_rate", "rampdown"}
    assert changed.pop("rampdown") == (0, 0.2)
    assert [x.pop(128) for x in changed["learning_rate"]] == [0.0005, 0.0015]
    for table in changed["stable_kimg"]:
        del table[128]
    for before, after in changed.values():
        assert before == after


def test_a_name_comes_before_a_folder_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "cats-128").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_generator("cats-128").output_shape == (None, 128, 128, 3)
    for folder in ("./cats-128", pathlib.Path("cats-128")):
        with pytest.raises(UserError, match="there is no .*config.json"):
            load_generator(folder)


def test_it_knows_its_classes_and_its_licence(capsys):
    generator = open_generator()
    assert "cats-128, which comes with progan_tf" in capsys.readouterr().out
    assert generator.class_names == Cats().class_names
    assert_alike(generate_images(generator, range(4)), golden())
    card = model_card(generator, metrics=newest_metrics(*generator.origin, 128))
    assert "| training data | cats |" in card
    assert "| images seen in training | 2,880,000 |" in card
    assert "David Revoy, CC BY 4.0" in " ".join(card.split())
    # What was measured of it comes along, and is in the card of what is made.
    assert "| swd_avg, " in card


def test_it_is_evaluated_against_what_it_was_trained_on():
    what = opening.open_subjects("cats-128")
    reals = evaluation.reals_for(what)
    assert (reals.data, reals.resolution) == ("cats", 128)
    assert what.config is None  # So that nothing is written beside it.


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["train", "--run_dir=cats-128"], "write ./cats-128"),
        (["film", "--run_dir=cats-128", "--out=x.gif"], "write ./cats-128"),
        (["generate", "--latest", "--out=x.png"], "--latest needs a run"),
    ],
)
def test_what_is_no_run_is_not_taken_for_one(tmp_path, flags, message):
    done = run_python(
        "-m",
        f"progan_tf.{flags[0]}",
        *flags[1:],
        folder=tmp_path,
        PYTHONPATH=str(ROOT),
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert message in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["missing", "shorter", "other"])
def test_a_damaged_package_is_one_line(tmp_path, monkeypatch, damage):
    monkeypatch.setattr(pretrained, "__file__", str(tmp_path / "x.py"))
    (tmp_path / "cats-128").mkdir()
    path = tmp_path / "cats-128" / "generator.keras"
    if damage != "missing":
        data = b"PK" + bytes(100)
        path.write_bytes(data if damage == "other" else data[:50])
    for use in (load_generator, read_published):
        with pytest.raises(UserError, match="install progan_tf again") as error:
            shutil.copyfile(
                ROOT / "progan_tf" / "pretrained" / "cats-128" / "config.json",
                tmp_path / "cats-128" / "config.json",
            )
            use("cats-128")
        assert "generator.keras" in str(error.value)


def test_its_discriminator_knows_reals_and_classes():
    gan = read_published("cats-128")
    fakes = generate_images(gan.average.at(128), range(8))
    assert_alike(fakes[:4], golden())
    indices = np.random.default_rng(0).integers(0, 360_000, 8)
    reals = Cats().images(indices, 128)
    discriminator = gan.discriminator.at(128)
    real_scores, real_logits = discriminator(reals / 127.5 - 1)
    fake_scores, fake_logits = discriminator(fakes / 127.5 - 1)
    # Only the distance counts: a critic's scores have no zero of their own.
    assert np.mean(real_scores) - np.mean(fake_scores) > 5
    assert np.argmax(real_logits, 1).tolist() == (indices % 15).tolist()
    assert np.argmax(fake_logits, 1).tolist() == list(range(8))


def test_training_goes_on_from_all_of_its_weights(tmp_path, monkeypatch):
    """Of a tiny one of the same make: no weight stays behind."""
    config = tiny_config("", data="cats", labels=True, num_classes=15)
    families = [
        kind.of(config.architecture, seed=seed)
        for kind, seed in ((Generator, 1), (Discriminator, 2))
    ]
    random = np.random.default_rng(0)
    for family in families:
        for weight in family.trainable_weights:
            weight.assign(random.normal(size=weight.shape))
    generator, discriminator = families
    folder = tmp_path / "tiny"
    config.save_config(folder)
    size = config.resolution
    generator.at(size, fade=False).save(folder / "generator.keras")
    np.savez(folder / "training.npz", **training_arrays(*families))
    monkeypatch.setattr(pretrained, "__file__", str(tmp_path / "x.py"))
    tiny = pretrained.Shipped(
        "tiny",
        64,
        (),
        "CC BY 4.0",
        {
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest()[:16]
            for name in CATS.digests
        },
    )
    monkeypatch.setitem(pretrained.SHIPPED, "tiny", tiny)
    gan = read_published("tiny")
    for ours, theirs in (
        (gan.generator, generator),
        (gan.average, generator),
        (gan.discriminator, discriminator),
    ):
        pairs = zip(
            ours.trainable_weights, theirs.trainable_weights, strict=True
        )
        for weight, expected in pairs:
            np.testing.assert_array_equal(weight.numpy(), expected.numpy())
    run = write_run(gan, tmp_path / "run", {"total_kimg": 1.0})
    assert run.total_kimg == 1.0
    latents, labels = seeded_latents([1], 8), one_hot([3], 15)
    np.testing.assert_array_equal(
        load_generator(tmp_path / "run")([latents, labels]),
        generator.at(size, fade=False)([latents, labels]),
    )
    origin = (tmp_path / "run" / "weights.txt").read_text()
    assert "licence     CC BY 4.0" in origin
    stored = json.loads((tmp_path / "run" / "config.json").read_text())
    assert stored["batch_size"] == {
        str(r): n for r, n in config.batch_size.items()
    }
