"""Exported modules, used as in notebooks of others."""

import functools
import http.server
import os
import pathlib
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras
from generators import make_generator

from progan_tf.errors import UserError
from progan_tf.export import export_saved_model
from progan_tf.latents import seeded_latents

ROOT = pathlib.Path(__file__).resolve().parent.parent
LATENTS = seeded_latents(range(5), 12)


def images_of(generator, *inputs):
    """What the module must give: images in [0, 1]."""
    inputs = inputs if len(inputs) > 1 else inputs[0]
    return ((np.asarray(generator(inputs)) + 1) / 2).clip(0, 1)


@pytest.fixture(scope="module")
def generator():
    return make_generator()


@pytest.fixture(scope="module")
def module_path(tmp_path_factory, generator):
    path = tmp_path_factory.mktemp("module") / "generator"
    assert export_saved_model(generator, path) < 1e-5
    return str(path)


def test_signature_in_one_expression(module_path, generator):
    # The loaded object is dropped before its function is called.
    z = tf.constant(LATENTS)
    images = hub.load(module_path).signatures["default"](z)["default"]
    np.testing.assert_allclose(images, images_of(generator, LATENTS), atol=1e-5)
    assert images.dtype == tf.float32


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_any_batch(module_path, generator, batch):
    images = hub.load(module_path)(LATENTS[:batch])
    assert images.shape == (batch, 16, 16, 3)
    assert images.numpy().min() >= 0 and images.numpy().max() <= 1
    np.testing.assert_allclose(
        images, images_of(generator, LATENTS[:batch]), atol=1e-5
    )


def test_keras_layer_of_hub(module_path, generator):
    images = hub.KerasLayer(module_path)(LATENTS)
    np.testing.assert_allclose(images, images_of(generator, LATENTS), atol=1e-5)


def test_layer_of_keras_3(module_path, generator):
    layer = keras.layers.TFSMLayer(module_path, call_endpoint="serving_default")
    inputs = keras.Input((12,))
    model = keras.Model(inputs, layer(inputs)["default"])
    np.testing.assert_allclose(
        model(LATENTS), images_of(generator, LATENTS), atol=1e-5
    )


def gradient(function, latents):
    """The gradient of the sum of squared images to the latents."""
    z = tf.Variable(latents)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.square(function(z)))
    return tape.gradient(total, z).numpy()


@pytest.mark.parametrize("through", ["call", "signature", "layer"])
def test_gradients_reach_the_latent(module_path, generator, through):
    loaded = hub.load(module_path)
    functions = {
        "call": loaded,
        "signature": lambda z: loaded.signatures["default"](z.read_value())[
            "default"
        ],
        "layer": hub.KerasLayer(module_path),
    }
    expected = gradient(
        lambda z: tf.clip_by_value((generator(z) + 1) / 2, 0, 1), LATENTS
    )
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(
        gradient(functions[through], LATENTS), expected, rtol=1e-3, atol=1e-4
    )


def test_frozen_module_holds_no_variables(module_path):
    loaded = hub.load(module_path)
    assert list(loaded.variables) == []
    assert list(loaded.trainable_variables) == []
    assert list(loaded.regularization_losses) == []


def test_trainable_module(tmp_path, generator):
    path = str(tmp_path / "module")
    export_saved_model(generator, path, trainable=True)
    layer = hub.KerasLayer(path, trainable=True)
    model = tf_keras.Sequential([layer])
    np.testing.assert_allclose(
        model(LATENTS), images_of(generator, LATENTS), atol=1e-5
    )
    weights = [weight.numpy() for weight in generator.weights]
    assert len(layer.trainable_weights) == len(weights)
    model.compile("sgd", "mse")
    model.fit(LATENTS, np.zeros([5, 16, 16, 3], "f4"), verbose=0)
    moved = [
        not np.array_equal(old, new.numpy())
        for old, new in zip(weights, layer.trainable_weights, strict=True)
    ]
    assert sum(moved) == len(weights)


def test_alpha_of_a_fade_is_not_trained(tmp_path):
    path = str(tmp_path / "module")
    export_saved_model(make_generator(fade=True), path, trainable=True)
    layer = hub.KerasLayer(path, trainable=True)
    (alpha,) = layer.non_trainable_weights
    assert alpha.numpy() == np.float32(0.25)
    assert len(layer.trainable_weights) == len(layer.weights) - 1 > 10


def test_classes(tmp_path):
    generator = make_generator(num_classes=3)
    path = str(tmp_path / "module")
    export_saved_model(generator, path)
    labels = np.eye(3, dtype="float32")[[0, 1, 2, 1, 0]]
    expected = images_of(generator, LATENTS, labels)
    inputs = {"latent_vector": LATENTS, "labels": labels}
    loaded = hub.load(path)
    signature = loaded.signatures["default"]
    layer = keras.layers.TFSMLayer(path, call_endpoint="serving_default")
    symbols = {k: keras.Input(v.shape[1:], name=k) for k, v in inputs.items()}
    for images in (
        loaded(inputs),
        hub.KerasLayer(path)(inputs),
        keras.Model(symbols, layer(symbols)["default"])(inputs),
        signature(**{k: tf.constant(v) for k, v in inputs.items()})["default"],
    ):
        np.testing.assert_allclose(images, expected, atol=1e-5)


def test_grey(tmp_path):
    generator = make_generator(channels=1)
    export_saved_model(generator, tmp_path / "module")
    loaded = tf.saved_model.load(str(tmp_path / "module"))
    assert loaded(LATENTS).shape == (5, 16, 16, 1)


def test_loads_where_this_package_is_not(module_path, tmp_path):
    check = (
        "sys.meta_path.insert(0, Hidden())\n"
        "import tensorflow_hub as hub\n"
        f"images = hub.load({module_path!r})([[0.5] * 12])\n"
        "assert images.shape == (1, 16, 16, 3), images.shape\n"
    )
    # A finder that hides the package keeps the libraries beside it.
    hide = (
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'progan_tf':\n"
        "            raise ModuleNotFoundError(name)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    result = subprocess.run(
        [sys.executable, "-c", hide + check],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_archive_from_a_web_server(tmp_path, generator, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    export_saved_model(generator, tmp_path / "web" / "module.tar.gz")
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=tmp_path / "web"
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.server_address[1]
        loaded = hub.load(f"http://127.0.0.1:{port}/module.tar.gz")
        server.shutdown()
        thread.join()
    np.testing.assert_allclose(
        loaded(LATENTS), images_of(generator, LATENTS), atol=1e-5
    )


def test_nothing_is_overwritten_unasked(tmp_path, generator):
    path = tmp_path / "module"
    export_saved_model(make_generator(8), path)
    with pytest.raises(UserError, match="exists; .*--overwrite"):
        export_saved_model(generator, path)
    assert tf.saved_model.load(str(path))(LATENTS).shape[1] == 8
    files = {"README.md": b"A card."}
    export_saved_model(generator, path, overwrite=True, files=files)
    # A module with its card is one, too.
    export_saved_model(generator, path, overwrite=True)
    assert tf.saved_model.load(str(path))(LATENTS).shape[1] == 16
    assert [p.name for p in tmp_path.iterdir()] == ["module"]


@pytest.mark.parametrize("beside", [(), ("saved_model.pb",), ("README.md",)])
def test_only_modules_are_overwritten(tmp_path, generator, beside):
    path = tmp_path / "runs"
    path.mkdir()
    names = {"config.json", *beside}
    for name in names:
        (path / name).write_text("mine")
    for place, kind in ((path, "module, or holds"), (path / "config.json", "")):
        with pytest.raises(UserError, match=f"is not a {kind}.* not replaced"):
            export_saved_model(generator, place, overwrite=True)
    assert {p.name for p in path.iterdir()} == names
    assert (path / "config.json").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["runs"]


def test_failure_leaves_what_was_there(tmp_path, generator, monkeypatch):
    path = tmp_path / "module"
    path.mkdir()
    (path / "saved_model.pb").write_text("mine")

    def fail(*args, **kwargs):
        raise tf.errors.ResourceExhaustedError(None, None, "disk is full")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(UserError, match="cannot write .*disk is full"):
        export_saved_model(generator, path, overwrite=True)
    assert (path / "saved_model.pb").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["module"]


def test_ctrl_c_while_it_takes_its_place(tmp_path, generator, monkeypatch):
    path = tmp_path / "module"
    export_saved_model(make_generator(8), path)
    rename = pathlib.Path.rename

    def stop_at_the_second(source, target):
        if source.name.endswith(".tmp"):
            raise KeyboardInterrupt
        return rename(source, target)

    monkeypatch.setattr(pathlib.Path, "rename", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        export_saved_model(generator, path, overwrite=True)
    assert tf.saved_model.load(str(path))(LATENTS).shape[1] == 8
    assert [p.name for p in tmp_path.iterdir()] == ["module"]


@pytest.mark.parametrize("name", ["x.zip", "x.tgz", "x.gz", "x.tar"])
def test_archives_are_tar_gz(tmp_path, generator, name):
    with pytest.raises(UserError, match="expected a folder, or .* .tar.gz"):
        export_saved_model(generator, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_module_that_differs_is_removed(tmp_path, generator, monkeypatch):
    tolerances = {"float32": -1.0}
    monkeypatch.setattr("progan_tf.export.checks._TOLERANCES", tolerances)
    with pytest.raises(UserError, match="differ by"):
        export_saved_model(generator, tmp_path / "module")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("classes", [0, 3])
def test_no_images(tmp_path, classes):
    generator = make_generator(num_classes=classes)
    export_saved_model(generator, tmp_path / "module")
    loaded = tf.saved_model.load(str(tmp_path / "module"))
    inputs = tf.zeros([0, 12])
    if classes:
        inputs = {"latent_vector": inputs, "labels": tf.zeros([0, 3])}
    assert loaded(inputs).shape == (0, 16, 16, 3)
