"""Generators as .keras files, and files without one."""

import json
import pathlib
import warnings
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from generators import make_generator

from progan_tf.errors import UserError
from progan_tf.export import export_litert_file
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


def rewrite(path, name, change):
    """Change one member of a `.keras` file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[name] = change(members[name])
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)


def of_an_unknown_layer(path):
    save_keras(make_generator(8), path)
    rewrite(
        path,
        "config.json",
        lambda text: text.replace(b"EqualizedDense", b"Nobodys"),
    )


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


# ---- files that would do more than be loaded ----


def function(module, name):
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": name,
    }


def called(function, *arguments, **named):
    """A layer of a functional model that is no layer but a call."""
    nodes = [{"args": list(arguments), "kwargs": named}]
    return {**function, "name": "called", "inbound_nodes": nodes}


def layer(name, module="keras.layers", **config):
    return {
        "module": module,
        "class_name": name,
        "config": {"name": "added", **config},
        "registered_name": None,
        "inbound_nodes": [],
        "name": "added",
    }


def run_by_a_call(folder, mark):
    return [called(function("subprocess", "run"), ["touch", mark])]


def run_by_a_class(folder, mark):
    return [layer("Popen", "subprocess", args=["touch", mark])]


def switch_the_check_off(folder, mark):
    switch = function("keras.config", "enable_unsafe_deserialization")
    return [called(switch), *run_bytecode(folder, mark)]


def run_bytecode(folder, mark):
    def touch(x):
        __import__("pathlib").Path(mark).touch()
        return x

    model = keras.Sequential([keras.Input([2]), keras.layers.Lambda(touch)])
    config = keras.saving.serialize_keras_object(model)["config"]
    pathlib.Path(mark).unlink()  # Making the model has run it once.
    return [{**config["layers"][-1], "name": "added", "inbound_nodes": []}]


def load_an_unsafe_model(folder, mark):
    return [
        layer(
            "Lambda",
            function=function("keras.models", "load_model"),
            arguments={"safe_mode": False},
        )
    ]


def load_a_graph(folder, mark):
    class Writer(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 2])])
        def serve(self, x):
            tf.io.write_file(mark, "")
            return x

    tf.saved_model.save(Writer(), str(folder / "graph"))
    return [
        layer(
            "TFSMLayer",
            filepath=str(folder / "graph"),
            call_endpoint="serve",
            trainable=True,
        )
    ]


def unpickle(folder, mark):
    return [layer("TorchModuleWrapper", module={"class_name": "__bytes__"})]


def read_a_file(folder, mark):
    (folder / "secret").write_text("one\ntwo\n")
    return [layer("StringLookup", vocabulary=str(folder / "secret"))]


def assert_refused(path):
    """Both as it is and unpacked, as others publish it."""
    folder = path.with_name("unpacked")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    for place in (path, folder):
        said = f"cannot read .*{place.name} as a Keras"
        with pytest.raises(UserError, match=said):
            load_keras(place)


@pytest.mark.parametrize(
    "gadget",
    [
        run_by_a_call,
        run_by_a_class,
        switch_the_check_off,
        run_bytecode,
        load_an_unsafe_model,
        load_a_graph,
        unpickle,
        read_a_file,
    ],
)
def test_files_that_would_do_more_are_refused(gadget, tmp_path):
    path, mark = tmp_path / "x.keras", tmp_path / "mark"
    save_keras(make_generator(8), path)
    layers = gadget(tmp_path, str(mark))

    def change(text):
        config = json.loads(text)
        config["config"]["layers"] += layers
        return json.dumps(config).encode()

    rewrite(path, "config.json", change)
    assert_refused(path)
    assert not mark.exists()
    # Nor is a door left open for the next file.
    assert keras.src.saving.serialization_lib.in_safe_mode() is not False


@pytest.mark.parametrize("kind", ["external", "huge"])
def test_weights_elsewhere_or_beyond_the_file_are_refused(kind, tmp_path):
    path = tmp_path / "x.keras"
    save_keras(make_generator(8), path)
    np.save(tmp_path / "secret.npy", np.ones(1000))

    def change(content):
        (tmp_path / "w.h5").write_bytes(content)
        with h5py.File(tmp_path / "w.h5", "r+") as file:
            names = []
            file.visititems(
                lambda name, item: (
                    names.append(name)
                    if isinstance(item, h5py.Dataset) and item.ndim == 2
                    else None
                )
            )
            shape = file[names[0]].shape
            del file[names[0]]
            if kind == "external":
                file.create_dataset(
                    names[0],
                    shape,
                    "f4",
                    external=[
                        (
                            str(tmp_path / "secret.npy"),
                            0,
                            4 * shape[0] * shape[1],
                        )
                    ],
                )
            else:
                file.create_dataset(names[0], (2**20, 2**20), "f4", chunks=True)
        return (tmp_path / "w.h5").read_bytes()

    rewrite(path, "model.weights.h5", change)
    assert_refused(path)


def test_a_config_that_is_nested_too_deep(tmp_path):
    path = tmp_path / "x.keras"
    save_keras(make_generator(8), path)
    rewrite(path, "config.json", lambda _: b"[" * 100_000)
    assert_refused(path)


# ---- models that are no generator ----


def dense(inputs):
    layers = keras.layers
    return layers.Reshape((4, 4, 3))(layers.Dense(48)(inputs))


def of_a_dict_of_inputs(path):
    inputs = {name: keras.Input([3], name=name) for name in "ab"}
    joined = keras.layers.Concatenate()(list(inputs.values()))
    keras.Model(inputs, dense(joined)).save(path)


def of_a_dict_of_outputs(path):
    inputs = keras.Input([6])
    keras.Model(inputs, {"images": dense(inputs)}).save(path)


def of_a_layer(path):
    save_keras(make_generator(8), path)
    root = layer("Dense", units=3)
    rewrite(path, "config.json", lambda _: json.dumps(root).encode())


def of_one_batch(path):
    inputs = keras.Input(batch_shape=[4, 6])
    keras.Model(inputs, dense(inputs)).save(path)


@pytest.mark.parametrize(
    "write",
    [
        of_a_dict_of_inputs,
        of_a_dict_of_outputs,
        of_one_batch,
        of_a_layer,
    ],
)
def test_models_that_are_no_generator(write, tmp_path):
    write(tmp_path / "x.keras")
    with pytest.raises(UserError, match="expected a generator, from latents"):
        load_keras(tmp_path / "x.keras")


def test_a_sequential_model_is_a_generator_once_it_is_built(tmp_path):
    layers = [keras.layers.Dense(48), keras.layers.Reshape((4, 4, 3))]
    built = keras.Sequential([keras.Input([6]), *layers])
    built.save(tmp_path / "x.keras")
    loaded = load_keras(tmp_path / "x.keras")
    latents = np.ones((2, 6), "float32")
    np.testing.assert_array_equal(loaded(latents), built(latents))
    # Exports take it apart.
    assert export_litert_file(loaded, tmp_path / "x.tflite") < 1e-5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras.Sequential([keras.layers.Dense(48)]).save(tmp_path / "y.keras")
    with pytest.raises(UserError, match="expected a generator|cannot read"):
        load_keras(tmp_path / "y.keras")
