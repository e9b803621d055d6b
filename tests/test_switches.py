"""The paper's options of the networks, through all that is done with a run."""

import json

import numpy as np
import pytest
from generators import make_generator
from tiny import checkpoint_values, make_folder, make_run

from progan_tf.checkpoint import load_generator
from progan_tf.config import TrainConfig, load_config, resolve
from progan_tf.errors import UserError
from progan_tf.export import export_saved_model
from progan_tf.trainer import Trainer
from progan_tf.training.fine_tuning import write_run
from progan_tf.weights import read_run

# All at once, none as it is by default.
SWITCHES = {
    "equalized": False,
    "normalize_latents": False,
    "pixelnorm": False,
    "activation": "relu",
    "tanh": True,
    "generator_norm": "batch",
    "discriminator_norm": "layer",
    "minibatch_discrimination": 3,
}
SHORT = {"fade_kimg": 0.008, "stable_kimg": 0.008, "batch_size": 8}


@pytest.mark.parametrize("trainable", [False, True])
def test_modules(tmp_path, trainable):
    generator = make_generator(**SWITCHES)
    # It compares what it wrote with the generator.
    difference = export_saved_model(generator, tmp_path / "m", trainable)
    assert difference < 1e-5


def test_runs_are_trained_stored_and_gone_on_from(tmp_path):
    data = str(make_folder(tmp_path / "data"))
    run = tmp_path / "run"
    settings = {"resolution": 8, "fmap_max": 8, "latent_size": 8, "data": data}
    settings |= {"run_dir": str(run), "precision": "float32", **SHORT}
    config = resolve("laptop", settings | SWITCHES)
    Trainer(config).train()
    assert load_config(run).architecture == config.architecture
    stored = checkpoint_values(run)
    statistics = [key for key in stored if "moving" in key]
    # Of two networks, two layers a level, mean and variance.
    assert len(statistics) == 2 * 2 * 2 * 2
    assert all(np.isfinite(value).all() for value in stored.values())
    generator = load_generator(run)
    key = "average/blocks/8x8/conv1_norm/moving_mean"
    (found,) = (value for name, value in stored.items() if key in name)
    norm = generator.get_layer("conv1_norm_8")
    np.testing.assert_array_equal(norm.moving_mean, found)
    assert np.abs(found).max() > 0
    # A run that grows on begins with all of it.
    published = read_run(run)
    grown = write_run(published, str(tmp_path / "on"), {"resolution": 16})
    for name, value in SWITCHES.items():
        assert getattr(grown, name) == value
    after = load_generator(tmp_path / "on", 8).get_layer("conv1_norm_8")
    np.testing.assert_array_equal(after.moving_mean, found)


def test_runs_from_before_the_switches(tmp_path):
    make_run(tmp_path / "run", resolution=8)
    path = tmp_path / "run" / "config.json"
    values = json.loads(path.read_text())
    path.write_text(
        json.dumps({n: values[n] for n in values.keys() - SWITCHES})
    )
    config = load_config(tmp_path / "run")
    for name in SWITCHES:
        default = TrainConfig.__dataclass_fields__[name].default
        assert getattr(config, name) == default
    assert load_generator(tmp_path / "run").output_shape == (None, 8, 8, 3)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("activation", "tanh"),
        ("generator_norm", "layer"),
        ("discriminator_norm", "batch"),
        ("minibatch_discrimination", -1),
        ("equalized", "no"),
    ],
)
def test_other_values_are_refused(name, wrong):
    with pytest.raises(UserError, match=f"^{name} must be .* not {wrong!r}$"):
        resolve("laptop", {name: wrong})
