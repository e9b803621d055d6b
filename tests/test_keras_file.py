"""Generators as .keras files, and files that hold none."""

import zipfile

import keras
import numpy as np
import pytest
from generators import make_generator

from progan_tf.errors import UserError
from progan_tf.keras_file import load_keras, save_keras


def test_a_generator_comes_back(tmp_path):
    generator = make_generator(8, num_classes=3)
    save_keras(generator, tmp_path / "x.keras")
    loaded = load_keras(tmp_path / "x.keras", 8)
    for old, new in zip(generator.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(old.numpy(), new.numpy())
    with pytest.raises(UserError, match="images of 8x8, not of 16"):
        load_keras(tmp_path / "x.keras", 16)


def damaged(path):
    """A generator's file with some bytes of its weights changed."""
    save_keras(make_generator(8), path)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("model.weights.h5").header_offset
    data[start + 5000 : start + 5100] = b"x" * 100
    path.write_bytes(data)


def of_an_unknown_layer(path):
    save_keras(make_generator(8), path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = members["config.json"].replace(b"EqualizedDense", b"Nobodys")
    members["config.json"] = config
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)


def of_another_model(path):
    layers = [keras.Input([10]), keras.layers.Dense(3)]
    keras.Sequential(layers).save(path)


def of_pictures_to_pictures(path):
    layers = [keras.Input([8, 8, 3]), keras.layers.Conv2D(3, 1)]
    keras.Sequential(layers).save(path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (damaged, "cannot read .*x.keras as a Keras model: Bad CRC"),
        (of_an_unknown_layer, "cannot read .*x.keras as a Keras model: "),
        (of_another_model, "expected a generator, from latents"),
        (of_pictures_to_pictures, "expected a generator, from latents"),
        (lambda path: path.touch(), "x.keras is neither, or damaged"),
        (lambda path: path.write_text("text"), "is neither, or damaged"),
    ],
)
def test_files_that_hold_no_generator(write, message, tmp_path):
    write(tmp_path / "x.keras")
    with pytest.raises(UserError, match=message) as caught:
        load_keras(tmp_path / "x.keras")
    assert "\n" not in str(caught.value)
