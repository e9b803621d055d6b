"""A generator saved on TensorFlow, loaded where there is no TensorFlow."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from progan_tf.networks import Generator

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOAD_ON_TORCH = """
import sys
import numpy as np
import keras
import progan_tf.layers
folder = sys.argv[1]
latents = np.load(folder + "/latents.npy")
for name in ("fused", "separate"):
    model = keras.saving.load_model(f"{folder}/{name}.keras")
    images = keras.ops.convert_to_numpy(model(latents))
    np.save(f"{folder}/{name}.npy", images)
assert keras.backend.backend() == "torch"
assert "tensorflow" not in sys.modules
"""


# Keras saves a variable by `np.array`, which NumPy 2 wants another argument of.
@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_generator_draws_the_same_on_torch(tmp_path):
    assert importlib.util.find_spec("torch"), (
        "this test needs PyTorch, which the test command of the README installs"
    )
    latents = np.random.default_rng(0).normal(size=(2, 6)).astype("float32")
    np.save(tmp_path / "latents.npy", latents)
    images = {}
    for name, fused_scale in (("fused", True), ("separate", False)):
        generator = Generator(
            16,
            latent_size=6,
            fmap_base=32,
            fmap_max=8,
            fused_scale=fused_scale,
            seed=1,
        )
        # Between two resolutions, so that nothing of the model is idle.
        generator.set_alpha(16, 0.5)
        model = generator.at(16)
        model.save(tmp_path / f"{name}.keras")
        images[name] = model(latents)
    subprocess.run(
        [sys.executable, "-c", LOAD_ON_TORCH, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "torch"},
        check=True,
    )
    for name, expected in images.items():
        actual = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)
