"""Exports of one class of a generator with classes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from generators import make_generator
from processes import assert_mistake, run_command
from test_export_formats import RUN

from progan_tf.errors import UserError
from progan_tf.export import of_one_class
from progan_tf.export.exporting import export_generator
from progan_tf.export.site import network_images
from progan_tf.generation.latent_directions import pca
from progan_tf.latents import seeded_latents
from progan_tf.sampling import as_generator

LATENTS = seeded_latents(range(5), 12)
ENDINGS = {"hub": "", "keras": ".keras", "onnx": ".onnx"}
ENDINGS |= {"litert": ".tflite", "web": ""}


@pytest.fixture(scope="module")
def generator():
    return make_generator(8, num_classes=3)


def pictures(generator, label):
    """What the generator draws of a class, in [0, 1]."""
    labels = np.eye(3, dtype="float32")[[label] * len(LATENTS)]
    images = generator([LATENTS, labels])
    return ((np.asarray(images) + 1) / 2).clip(0, 1)


def test_its_images_are_those_of_the_label(generator):
    one = of_one_class(generator, 2)
    assert one.num_classes == 0
    assert one.input_sizes == (12,)
    np.testing.assert_array_equal(
        one.images_of(LATENTS),
        as_generator(generator).images_of(LATENTS, [2] * len(LATENTS)),
    )
    differs = pictures(generator, 2) - pictures(generator, 1)
    assert np.abs(differs).max() > 0.01
    assert pca(one, 2).vectors.shape == (2, 12)


@pytest.mark.parametrize("form", ENDINGS)
def test_every_format_takes_latents_alone(generator, tmp_path, form):
    path = tmp_path / f"one{ENDINGS[form]}"
    assert export_generator(of_one_class(generator, 1), path, form) < 1e-5
    expected = pictures(generator, 1)
    inputs = {"latent_vector": LATENTS}
    if form == "hub":
        module = tf.saved_model.load(str(path))
        images = module(tf.constant(LATENTS))
        assert module(tf.zeros([0, 12])).shape == (0, 8, 8, 3)
    elif form == "keras":
        loaded = keras.saving.load_model(path)
        images = ((np.asarray(loaded(LATENTS)) + 1) / 2).clip(0, 1)
    elif form == "web":
        images, expected = [], expected[:1]
        images = network_images(path)({"latent_vector": LATENTS[:1]})
    else:
        images = RUN[form](path, inputs)
    np.testing.assert_allclose(images, expected, atol=1e-5)


def test_no_such_class(generator):
    with pytest.raises(UserError, match="classes from 0 to 2; received 3"):
        of_one_class(generator, 3)
    with pytest.raises(UserError, match="no class: the generator has none"):
        of_one_class(make_generator(8), 0)


def test_a_generator_of_another_program_is_refused():
    inputs = [keras.Input((12,)), keras.Input((3,))]
    x = keras.layers.Concatenate()(inputs)
    x = keras.layers.Dense(8 * 8 * 3)(keras.layers.Concatenate()([x, x]))
    model = keras.Model(inputs, keras.layers.Reshape((8, 8, 3))(x))
    with pytest.raises(UserError, match="has no such layer"):
        of_one_class(model, 1)


def test_the_command(tmp_path):
    path = tmp_path / "m"
    make_generator(8, num_classes=3).save(tmp_path / "g.keras")
    flags = f"--generator={tmp_path / 'g.keras'}", f"--out={path}"
    result = run_command("export", *flags, "--class=3")
    assert_mistake(result, "expected classes from 0 to 2; received 3")
    assert not path.exists()
    assert run_command("export", *flags, "--class=2").returncode == 0
    card = (path / "README.md").read_text()
    assert "only class 2 of the classes 0 to 2" in card
    assert "labels" not in card
    images = tf.saved_model.load(str(path))(tf.constant(LATENTS))
    generator = make_generator(8, num_classes=3)
    np.testing.assert_allclose(images, pictures(generator, 2), atol=1e-5)
