"""Directions of attributes, against known attributes."""

import json

import keras
import numpy as np
import pytest
import scipy.optimize
from processes import run_command
from tiny import make_run

from progan_tf.checkpoint import load_generator
from progan_tf.errors import UserError
from progan_tf.generation.attribute_directions import (
    from_classifier,
    from_labels,
    from_samples,
)
from progan_tf.generation.latent_directions import (
    load_directions,
    save_directions,
)
from progan_tf.generation.opening import open_generator
from progan_tf.latents import seeded_latents
from progan_tf.sampling import as_generator
from progan_tf.weights import read_run

SIZE = 12
# The direction along which the pictures below become brighter.
TRUTH = np.random.RandomState(5).standard_normal(SIZE)
TRUTH /= np.linalg.norm(TRUTH)


def make_generator(classes=0):
    """A generator of pictures of one grey, which only TRUTH changes.

    A class changes it ten times as much.
    """
    inputs = [keras.Input([SIZE])] + [keras.Input([classes])] * bool(classes)
    joined = keras.layers.Concatenate()(inputs) if classes else inputs[0]
    grey = keras.layers.Dense(1, use_bias=False)
    rows = grey(joined)
    offsets = np.linspace(-0.5, 0.5, classes) if classes else []
    kernel = np.concatenate([0.05 * TRUTH, offsets])[:, np.newaxis]
    grey.set_weights([kernel.astype("float32")])
    images = keras.layers.Reshape((4, 4, 1))(
        keras.layers.RepeatVector(16)(rows)
    )
    return as_generator(keras.Model(inputs, images))


def classify(images):
    """Logits of "dark" and "bright"."""
    grey = keras.ops.mean(images, axis=(1, 2, 3))
    return keras.ops.stack([-3 * grey, 5 * grey], axis=1)


def cosine(directions, number=0):
    return directions.vectors[number] @ TRUTH


# ---- the classifier ----


def test_the_plane_is_the_one_of_another_solver():
    latents = seeded_latents(range(60), SIZE).astype("float64")
    labels = (latents @ TRUTH > 0.7).astype(int)
    assert 10 <= labels.sum() < 25  # Of which each counts more.
    weights = np.where(labels, 30 / labels.sum(), 30 / (1 - labels).sum())
    signs = 2 * labels - 1

    def loss(plane):
        margins = signs * (latents @ plane[1:] + plane[0])
        prior = SIZE / 2 * np.sum(plane[1:] ** 2)
        return np.sum(weights * np.logaddexp(0, -margins)) + prior

    best = scipy.optimize.minimize(loss, np.zeros(1 + SIZE), tol=1e-10).x[1:]
    found = from_labels(latents, labels, ("without", "with"))
    assert found.names == ("with",) and found.method == "attributes"
    expected = best / np.linalg.norm(best)
    np.testing.assert_allclose(found.vectors[0], expected, atol=1e-4)


def test_the_normal_is_that_of_the_attribute():
    latents = seeded_latents(range(1000), SIZE)
    noise = np.random.RandomState(0).standard_normal(1000)
    labels = (latents @ TRUTH + 0.5 * noise > 0).astype(int)
    found = from_labels(latents, labels, ("no", "yes"))
    assert cosine(found) > 0.97
    # Every seventh of them is on the wrong side of any plane.
    assert 0.75 < found.strengths[0] < 0.95
    chance = from_labels(latents, labels[::-1], ("no", "yes"))
    assert 0.35 < chance.strengths[0] < 0.65


def test_more_classes_are_told_from_all_others():
    latents = seeded_latents(range(900), SIZE)
    labels = np.digitize(latents @ TRUTH, [-0.5, 0.5])
    found = from_labels(latents, labels, ("low", "middle", "high"))
    # No plane parts the middle from both sides of it.
    assert found.names[2] == "middle" and set(found.names[:2]) == {
        "low",
        "high",
    }
    assert np.all(np.diff(found.strengths) <= 0)
    signs = {"low": -1, "high": 1}
    for number, name in enumerate(found.names[:2]):
        assert signs[name] * cosine(found, number) > 0.95
    again = from_labels(latents, labels, ("low", "middle", "high"), 2)
    np.testing.assert_array_equal(again.vectors, found.vectors[:2])
    lengths = np.linalg.norm(found.vectors, axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-6)


def test_a_few_samples_are_not_enough():
    latents, labels = seeded_latents(range(30), SIZE), np.zeros(30, int)
    labels[:9] = 1
    with pytest.raises(UserError, match="10 samples with yes .*; received 9 a"):
        from_labels(latents, labels, ("no", "yes"))


# ---- by a classifier of pictures ----


@pytest.mark.parametrize("classes", [0, 2])
def test_a_classifier_is_followed_within_each_class(classes):
    found = from_classifier(make_generator(classes), classify, samples=512)
    assert found.names == ("class 1",)
    assert cosine(found) > 0.97
    assert found.strengths[0] > 0.9


def test_the_discriminator_of_a_run(tmp_path):
    run_dir = make_run(tmp_path / "run", labels=True, num_classes=15)
    flags = f"--run_dir={run_dir}", "--method=attributes", "--count=4"
    out = tmp_path / "found"
    done = run_command("directions", *flags, f"--out={out}", "--num_samples=96")
    assert done.returncode == 0, done.stderr
    generator = open_generator(str(run_dir))
    found = load_directions(out, generator.latent_size)
    # Pictures and logits without what is tested.
    model, seeds = load_generator(run_dir), np.arange(96)
    latents, labels = seeded_latents(seeds, 16), seeds % 15
    images = model([latents, np.eye(15, dtype="float32")[labels]])
    discriminator = read_run(run_dir).discriminator.at(16, fade=False)
    # In groups, because it compares the pictures of a batch.
    parts = [discriminator(images[s : s + 32])[1] for s in (0, 32, 64)]
    logits = np.concatenate(parts).astype("float64")
    odds = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    odds -= np.log1p(-np.exp(odds))
    for label in range(15):
        odds[labels == label] -= odds[labels == label].mean(axis=0)
    has = odds > 0
    for name, vector in zip(found.names, found.vectors, strict=True):
        number = int(name.removeprefix("class "))
        one = from_labels(latents, has[:, number].astype(int), ("no", name))
        np.testing.assert_allclose(vector, one.vectors[0], atol=1e-4)
    lines = done.stdout.splitlines()
    assert len(lines) == 5 and lines[0].endswith(found.names[0])
    assert (out / "directions.png").exists()


# ---- by samples that somebody sorted ----


def sorted_samples(folder, seeds=range(240)):
    """Empty files in the place of pictures, which nobody looks at."""
    for seed in seeds:
        bright = seeded_latents([seed], SIZE)[0] @ TRUTH > 0
        place = folder / ("bright" if bright else "a dark one")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"seed{seed:06d}.png").touch()
    return folder


def test_samples_in_folders_or_with_a_file(tmp_path):
    generator = make_generator()
    folder = sorted_samples(tmp_path / "folders")
    found = from_samples(generator, folder)
    assert found.names == ("bright",)
    assert cosine(found) > 0.9
    flat, lines = tmp_path / "flat", []
    flat.mkdir()
    for path in sorted(folder.rglob("*.png")):
        path.rename(flat / path.name)
        lines.append(f"{path.name};{path.parent.name}")
    (tmp_path / "labels.txt").write_text("\n".join(reversed(lines)))
    again = from_samples(generator, flat, tmp_path / "labels.txt")
    assert again.names == found.names
    np.testing.assert_allclose(again.vectors, found.vectors, atol=1e-5)


def test_samples_that_are_of_no_use(tmp_path):
    generator = make_generator()
    folder = sorted_samples(tmp_path / "x", range(60))
    manifest = folder / ".generate.json"
    for fields, said in (
        ({"generator": "another"}, "they are of another generator"),
        (
            {"generator": generator.fingerprint, "edit": "0:1"},
            "made with --edit: make new ones without it",
        ),
    ):
        manifest.write_text(json.dumps(fields))
        with pytest.raises(UserError, match=said):
            from_samples(generator, folder)
    manifest.write_text(json.dumps({"generator": generator.fingerprint}))
    from_samples(generator, folder)
    dark = next((folder / "a dark one").iterdir())
    twice = folder / "bright" / dark.name
    twice.touch()
    with pytest.raises(
        UserError, match=rf"seed {int(dark.stem[4:])} is in two"
    ):
        from_samples(generator, folder)
    twice.unlink()
    for name in ("photo.png", "seed4294967296.png"):
        (folder / "bright" / name).touch()
        with pytest.raises(UserError, match=f"seed000017.png, .*bright/{name}"):
            from_samples(generator, folder)
        (folder / "bright" / name).unlink()
    with pytest.raises(UserError, match="two or more sub-folders"):
        from_samples(generator, folder / "bright")


# ---- files and flags ----


def test_names_come_back_from_a_file(tmp_path):
    latents = seeded_latents(range(60), SIZE)
    labels = (latents @ TRUTH > 0).astype(int)
    found = from_labels(latents, labels, ("no", "\u00fcmlaut"))
    save_directions(tmp_path, found)
    loaded = load_directions(tmp_path, SIZE)
    assert loaded.names == ("\u00fcmlaut",)
    np.testing.assert_array_equal(loaded.vectors, found.vectors)
    # Older versions wrote none.
    arrays = found._asdict()
    del arrays["names"]
    np.savez(tmp_path / "old.npz", **arrays)
    assert load_directions(tmp_path / "old.npz").names == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--samples=x"], "--samples needs --method=attributes"),
        (["--method=attributes", "--labels_file=x"], "needs --samples"),
        (
            ["--method=attributes", "--run_dir=RUN"],
            "expected a run with classes",
        ),
    ],
)
def test_mistakes(arguments, words, tmp_path):
    run_dir = tmp_path / "run"
    if any("RUN" in argument for argument in arguments):
        make_run(run_dir)
    flags = [argument.replace("RUN", str(run_dir)) for argument in arguments]
    done = run_command("directions", f"--out={tmp_path}/x", *flags)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert words in line
    assert not (tmp_path / "x").exists()
