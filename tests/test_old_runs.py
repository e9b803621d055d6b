"""Files of version 0.1.0 can be read, and its public names still exist.

goldens/old_run was written by the program before its modules were moved: a run
stopped at 168 of 240 images, in the fade to 16x16, with labels, mirror and an
evaluation (of its samples only those of 4x4); and, of the same run when it was
finished, its generator.keras, its TF-Hub module, its last lines of
metrics.jsonl, its weights and its pictures of seeds 0 to 5.
"""

import importlib
import inspect
import json
import pathlib
import re
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tiny import checkpoint_values

import progan_tf
from progan_tf.latents import one_hot

GOLDEN = pathlib.Path(__file__).resolve().parent / "goldens" / "old_run"
# Of the weights after nine more steps. The same machine gives the same bits;
# other instructions (SSE4.1, AVX2, no oneDNN) gave up to 2.5e-6 else.
TOLERANCE = 2e-5
# The settings of the old run, as they were given to `train`.
RUN_FLAGS = (
    "--preset=laptop --run_dir=run --resolution=16 --fmap_base=64 "
    "--fmap_max=4 --latent_size=8 --batch_size=8 --fade_kimg=0.048 "
    "--stable_kimg=0.048 --tick_kimg=0.024 --sample_kimg=0.048 "
    "--checkpoint_kimg=0.096 --keep_checkpoints=1 --precision=float32 "
    "--xla=off --deterministic --labels --mirror --seed=7 --devices=CPU:0 "
    "--average_decay=0.9"
).split()

# Every flag of every command of 0.1.0, but `generate --batch_size`, which
# changed no picture.
FLAGS = {
    "train": "average_decay batch_size channels checkpoint_kimg data "
    "deterministic devices drift dry_run eval_images eval_kimg fade_kimg "
    "fmap_base fmap_max fused_scale gradient_penalty keep_checkpoints "
    "label_weight labels latent_size learning_rate minibatch_stddev_group "
    "mirror precision preset resolution run_dir sample_kimg seed stable_kimg "
    "tick_kimg total_kimg wgan_target xla",
    "generate": "class columns format latest module out overwrite resolution "
    "run_dir seeds",
    "walk": "class fps grid loop module out random resolution run_dir scale "
    "seconds seeds smoothing",
    "film": "by_images columns fps out rows run_dir seconds",
    "project": "class coarse_weight module out resolution run_dir seed starts "
    "steps target",
    "evaluate": "all cache_dir data features images metrics mirror module "
    "num_images out resolution run_dir seed",
    "prepare": "channels format inspect labels labels_file max_images name "
    "out overwrite resolution shuffle_seed source verify",
    "convert": "average_decay batch_size checkpoint_kimg data deterministic "
    "devices drift eval_images eval_kimg fade_kimg format gradient_penalty "
    "images_seen keep_checkpoints label_weight labels latest learning_rate "
    "mirror out overwrite precision preset resolution sample_kimg seed "
    "stable_kimg tick_kimg total_kimg trainable weights wgan_target xla",
    "export": "format generator out overwrite precision resolution run_dir "
    "trainable",
}
# What flags of a few values take.
CHOICES = {
    ("train", "precision"): "auto float32 bfloat16 float16",
    ("train", "preset"): "official paper cifar10 laptop",
    ("train", "xla"): "auto on off",
    ("generate", "format"): "png jpg npy",
    ("prepare", "format"): "tfrecords compact",
    ("convert", "format"): "hub keras onnx litert run",
    ("export", "format"): "hub keras onnx litert",
    ("export", "precision"): "float32 bfloat16 float16",
    ("evaluate", "metrics"): "swd ms_ssim frechet inception_score kid "
    "precision_recall neighbours",
}

# The public functions and classes with their arguments in order.
ARGUMENTS = {
    "progan_tf.Generator": "resolution latent_size num_classes channels "
    "fmap_base fmap_max fused_scale",
    "progan_tf.Discriminator": "resolution num_classes channels fmap_base "
    "fmap_max fused_scale",
    "progan_tf.Generator.at": "self resolution",
    "progan_tf.Generator.set_alpha": "self resolution alpha",
    "progan_tf.Discriminator.at": "self resolution",
    "progan_tf.Discriminator.set_alpha": "self resolution alpha",
    "progan_tf.EqualizedConv2D": "filters kernel_size gain resample activation",
    "progan_tf.EqualizedDense": "units gain",
    "progan_tf.PixelNormalization": "epsilon",
    "progan_tf.MinibatchStdDev": "group_size",
    "progan_tf.NearestUpscale": "factor",
    "progan_tf.FadeIn": "",
    "progan_tf.Phase": "resolution start fade_images stable_images end "
    "batch_size learning_rate",
    "progan_tf.GrowthSchedule": "resolution fade_images stable_images "
    "batch_sizes learning_rates total_images",
    "progan_tf.GrowthSchedule.at": "self images_seen",
    "progan_tf.GrowthSchedule.alpha": "self images_seen",
    "progan_tf.Trainer": "config strategy",
    "progan_tf.Trainer.train": "self",
    "progan_tf.load_config": "run_dir",
    "progan_tf.resolve": "preset overrides replicas",
    "progan_tf.UserError": "message",
    "progan_tf.load_generator": "path resolution average",
    "progan_tf.seeded_latents": "seeds latent_size",
    "progan_tf.generate_images": "generator seeds labels batch_size",
    "progan_tf.weights.read_official": "path",
    "progan_tf.weights.read_gan_zoo": "path",
    "progan_tf.weights.read_published": "path",
    "progan_tf.weights.read_run": "run_dir",
    "progan_tf.metrics.sliced_wasserstein": "reals fakes",
    "progan_tf.metrics.ms_ssim": "images",
    "progan_tf.metrics.frechet_distance": "reals fakes",
    "progan_tf.metrics.inception_score": "logits splits",
    "progan_tf.metrics.kernel_distance": "reals fakes seed subsets subset_size",
    "progan_tf.metrics.precision_recall": "reals fakes neighbours",
    "progan_tf.metrics.nearest_neighbours": "samples reals count features",
    "progan_tf.metrics.load_features": "source",
    "progan_tf.export.GeneratorModule": "generator trainable",
    "progan_tf.export.export_saved_model": "generator path trainable overwrite",
    "progan_tf.export.export_keras_file": "generator path overwrite precision",
    "progan_tf.export.export_onnx_file": "generator path overwrite precision",
    "progan_tf.export.export_litert_file": "generator path overwrite precision",
}
# The settings, which old config.json files name.
SETTINGS = (
    "preset resolution data run_dir seed labels num_classes num_images mirror "
    "channels fade_kimg stable_kimg total_kimg batch_size learning_rate "
    "latent_size fmap_base fmap_max fused_scale minibatch_stddev_group variant "
    "pixelnorm_epsilon average_decay gradient_penalty wgan_target drift "
    "label_weight precision deterministic devices xla replicas tick_kimg "
    "sample_kimg eval_kimg eval_images checkpoint_kimg keep_checkpoints"
).split()


def run_command(cwd, name, *arguments):
    """What `python -m progan_tf.NAME` printed; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", f"progan_tf.{name}", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def assert_pictures_agree(one, other):
    """Rounding to whole numbers may fall to either side of a half."""
    assert one.dtype == other.dtype == np.uint8 and one.shape == other.shape
    assert np.abs(one.astype(int) - other.astype(int)).max() <= 1


@pytest.fixture(scope="module")
def ends_with():
    """Arrays: weights of the finished run by key, and pictures."""
    with np.load(GOLDEN / "ends_with.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """A folder with the copied run, trained to its end by its command."""
    folder = tmp_path_factory.mktemp("resumed")
    shutil.copytree(GOLDEN / "run", folder / "run")
    told = run_command(folder, "train", *RUN_FLAGS)
    assert "Resuming run at 0.168 of 0.240 kimg" in told
    return folder


def test_resumed_run_ends_with_the_old_weights(resumed, ends_with):
    values = checkpoint_values(resumed / "run")
    weights = {key: x for key, x in ends_with.items() if "/" in key}
    assert len(weights) == 62
    for key, expected in weights.items():
        np.testing.assert_allclose(
            values[key], expected, rtol=0, atol=TOLERANCE, err_msg=key
        )
    assert values["images_seen"] == 240


def test_checkpoints_have_the_old_keys(resumed):
    old, new = (
        checkpoint_values(folder)
        for folder in (GOLDEN / "run", resumed / "run")
    )
    assert len(old) == 148
    assert old.keys() == new.keys()
    shapes = [{k: (x.shape, x.dtype) for k, x in v.items()} for v in (old, new)]
    assert shapes[0] == shapes[1]


def test_resumed_run_goes_on_with_its_log(resumed):
    before = (GOLDEN / "run" / "metrics.jsonl").read_text()
    after = (resumed / "run" / "metrics.jsonl").read_text()
    assert after.startswith(before)
    lines = lines_of(resumed / "run" / "metrics.jsonl")[-3:]
    expected = lines_of(GOLDEN / "ends_with.jsonl")
    for line, known in zip(lines, expected, strict=True):
        assert list(line) == list(known)
        for speed in (line, known):
            speed.pop("images_per_second")
        assert line == pytest.approx(known, rel=1e-3, abs=1e-4)


def test_resumed_run_goes_on_with_its_samples(resumed):
    samples = resumed / "run" / "samples"
    names = sorted(path.name for path in samples.iterdir())
    thousands = ("000.000", "000.048", "000.192", "000.240")
    assert names == [f"fakes-000{x}.png" for x in thousands]
    for path in (GOLDEN / "run" / "samples").iterdir():
        assert (samples / path.name).read_bytes() == path.read_bytes()
    run_command(resumed, "film", "--run_dir=run", "--out=f.gif", "--seconds=1")
    with Image.open(resumed / "f.gif") as film:
        assert film.n_frames > 1


def test_pictures_of_the_resumed_run(resumed, ends_with):
    for path in (resumed / "run", resumed / "run" / "generator.keras"):
        images = progan_tf.generate_images(
            progan_tf.load_generator(path), range(6)
        )
        assert_pictures_agree(images, ends_with["seeds_at_the_end"])


def test_pictures_of_the_run_in_mid_fade(ends_with):
    generator = progan_tf.load_generator(GOLDEN / "run")
    images = progan_tf.generate_images(generator, range(6))
    assert_pictures_agree(images, ends_with["seeds_in_mid_fade"])


def test_keras_file(ends_with):
    path = GOLDEN / "generator.keras"
    for load in (progan_tf.load_generator, keras.models.load_model):
        images = progan_tf.generate_images(load(path), range(6))
        assert_pictures_agree(images, ends_with["seeds_at_the_end"])


def test_module(tmp_path, ends_with):
    expected = ends_with["seeds_at_the_end"]
    module = tf.saved_model.load(str(GOLDEN / "module"))
    images = module.signatures["default"](
        latent_vector=tf.constant(progan_tf.seeded_latents(range(6), 8)),
        labels=tf.constant(one_hot(range(6), 15)),
    )["default"]
    np.testing.assert_allclose(images * 255, expected, atol=0.51)
    run_command(
        tmp_path,
        "generate",
        f"--module={GOLDEN / 'module'}",
        "--seeds=0-5",
        "--out=x.npz",
    )
    with np.load(tmp_path / "x.npz") as arrays:
        assert_pictures_agree(arrays["images"], expected)
        assert arrays["labels"].tolist() == list(range(6))


def test_evaluation_is_added_to_the_old_one(resumed):
    run_command(
        resumed,
        "evaluate",
        "--run_dir=run",
        "--metrics=ms_ssim",
        "--num_images=64",
        "--cache_dir=cache",
    )
    old = lines_of(GOLDEN / "run" / "evaluation" / "metrics.jsonl")
    new = lines_of(resumed / "run" / "evaluation" / "metrics.jsonl")
    assert new[:2] == old and len(new) == 3
    assert list(new[2]) == list(old[0])
    assert new[2]["images_seen"] == 240
    # Of the same reals, whatever the run is by now.
    assert new[2]["reals"] == pytest.approx(old[0]["reals"], abs=1e-5)
    assert (resumed / "run" / "evaluation" / "metrics.png").stat().st_size


def test_evaluation_of_the_old_run(tmp_path):
    shutil.copytree(GOLDEN / "run", tmp_path / "run")
    path = tmp_path / "run" / "evaluation" / "metrics.jsonl"
    old = lines_of(path)
    path.unlink()
    run_command(
        tmp_path,
        "evaluate",
        "--run_dir=run",
        "--num_images=64",
        "--cache_dir=cache",
    )
    for line, known in zip(lines_of(path), old, strict=True):
        for part in ("values", "reals"):
            assert line.pop(part) == pytest.approx(known.pop(part), rel=1e-3)
        assert line == known


@pytest.mark.parametrize("command", FLAGS)
def test_flags(command, tmp_path):
    told = run_command(tmp_path, command, "--help")
    flags = dict(re.findall(r"^  --(?:\[no\])?(\w+):(.*)$", told, re.MULTILINE))
    missing = [name for name in FLAGS[command].split() if name not in flags]
    assert not missing
    for (of, name), values in CHOICES.items():
        if of == command:
            words = set(re.findall(r"\w+", told[told.index(f"--{name}: ") :]))
            assert words >= set(values.split())


@pytest.mark.parametrize("name", ARGUMENTS)
def test_public_name(name):
    module, attribute = name.rsplit(".", 1)
    if attribute[0].islower() and module.rsplit(".", 1)[-1][0].isupper():
        owner = getattr(progan_tf, module.rsplit(".", 1)[-1])
    else:
        owner = importlib.import_module(module)
    given = list(inspect.signature(getattr(owner, attribute)).parameters)
    expected = ARGUMENTS[name].split()
    assert given[: len(expected)] == expected


def test_settings():
    given = inspect.signature(progan_tf.TrainConfig).parameters
    assert not set(SETTINGS) - set(given)
    assert set(progan_tf.PRESETS) >= {"official", "paper", "cifar10", "laptop"}


def test_fields_of_published_weights():
    fields = progan_tf.weights.PublishedGAN.__dataclass_fields__
    assert {"generator", "discriminator", "average", "info"} <= set(fields)


def test_other_public_names():
    from progan_tf import data

    names = "Cats Compact Folder Source TFDS TFRecords open_source"
    assert not [name for name in names.split() if not hasattr(data, name)]
    assert progan_tf.TrainConfig(resolution=8).schedule().phases
