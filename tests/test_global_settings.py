"""keras.json and Keras's global settings do not change the results."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny import make_folder, tiny_config

from progan_tf import generate_images, load_generator
from progan_tf.networks import Discriminator, Generator
from progan_tf.training.devices import make_strategy
from progan_tf.training.step import TrainingStep

SMALL = {"fmap_base": 32, "fmap_max": 8, "seed": 1}
SETTINGS = [
    ("image_data_format", "channels_first"),
    ("floatx", "float16"),
    ("floatx", "float64"),
    ("epsilon", 0.1),
    ("dtype_policy", "mixed_float16"),
    ("dtype_policy", "float64"),
]


def everything():
    """What networks and two training steps give, a list of arrays."""
    results = []
    for fused_scale in (True, False):
        generator = Generator(8, 6, 2, fused_scale=fused_scale, **SMALL)
        discriminator = Discriminator(8, 2, fused_scale=fused_scale, **SMALL)
        for family in (generator, discriminator):
            family.set_alpha(8, 0.3)
        latents = np.random.default_rng(0).normal(size=(4, 6))
        labels = np.eye(2, dtype="float32")[[0, 1, 1, 0]]
        for r in (4, 8):
            images = generator.at(r)([latents.astype("float32"), labels])
            results += [images, *discriminator.at(r)(images)]
    strategy = make_strategy("CPU:0")
    step = TrainingStep(tiny_config("unused", resolution=4), strategy)
    step.enter_stage(0, 0.00123)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 8, 4, 4, 3))
    reals = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(pictures, tf.uint8)
    )
    step.run(reals, np.ones(2, "float32"), 2)
    results += step.generator.weights + step.discriminator.weights
    return [np.asarray(keras.ops.convert_to_numpy(x)) for x in results]


@pytest.fixture(scope="module")
def expected():
    return everything()


@pytest.mark.parametrize(("name", "value"), SETTINGS)
def test_networks_and_steps_are_the_same(name, value, expected):
    before = getattr(keras.config, name)()
    getattr(keras.config, f"set_{name}")(value)
    try:
        results = everything()
        if name != "dtype_policy":
            assert getattr(keras.config, name)() == value, "left as it was"
    finally:
        getattr(keras.config, f"set_{name}")(before)
    for ours, theirs in zip(results, expected, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@pytest.fixture(scope="module")
def nasty_environment(tmp_path_factory):
    home = tmp_path_factory.mktemp("keras")
    settings = {
        "backend": "torch",
        "image_data_format": "channels_first",
        "floatx": "float16",
        "epsilon": 0.1,
    }
    (home / "keras.json").write_text(json.dumps(settings))
    environment = {**os.environ, "KERAS_HOME": str(home)}
    environment.pop("KERAS_BACKEND", None)
    return environment


def test_commands_are_the_same(tmp_path, nasty_environment):
    data = make_folder(tmp_path / "pictures")

    def command(environment, name, *arguments):
        done = subprocess.run(
            [sys.executable, "-m", f"progan_tf.{name}", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    torch = {**nasty_environment, "KERAS_BACKEND": "torch"}
    plain = {n: v for n, v in os.environ.items() if n != "KERAS_BACKEND"}
    for run, environment in (("a", plain), ("b", nasty_environment)):
        command(
            environment,
            "train",
            f"--data={data}",
            f"--run_dir={run}",
            "--preset=laptop",
            "--resolution=8",
            "--fmap_max=8",
            "--latent_size=8",
            "--batch_size=8",
            "--fade_kimg=0.016",
            "--stable_kimg=0.016",
            "--precision=float32",
            "--xla=off",
        )
    expected, ours = (load_generator(tmp_path / run) for run in "ab")
    for one, other in zip(ours.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    command(torch, "generate", "--run_dir=b", "--seeds=0-3", "--out=x.npz")
    with np.load(tmp_path / "x.npz") as arrays:
        images = generate_images(expected, range(4))
        np.testing.assert_array_equal(arrays["images"], images)
    # It compares what it wrote with the generator.
    command(torch, "export", "--run_dir=b", "--out=module")


def test_another_backend_is_told(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from progan_tf.networks import Generator; Generator(4)",
        ],
        env={**os.environ, "KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "UserError: expected Keras to run on TensorFlow" in done.stderr
    assert "KERAS_BACKEND=tensorflow" in done.stderr.splitlines()[-1]
