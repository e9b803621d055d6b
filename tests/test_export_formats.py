"""Exports in the runtimes of their formats, against the generator itself."""

import collections
import sys
import zipfile

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter
from generators import make_generator

from progan_tf.errors import UserError
from progan_tf.export import (
    export_keras_file,
    export_litert_file,
    export_onnx_file,
)
from progan_tf.export.card import model_card
from progan_tf.export.exporting import export_generator
from progan_tf.export.formats import FORMATS
from progan_tf.latents import seeded_latents

LATENTS = seeded_latents(range(16), 12)
LABELS = np.eye(3, dtype="float32")[np.arange(16) % 3]
WRITERS = {
    "keras": export_keras_file,
    "onnx": export_onnx_file,
    "litert": export_litert_file,
}
ENDINGS = {"keras": "keras", "onnx": "onnx", "litert": "tflite"}
KINDS = {
    "plain": {},
    "classes": {"num_classes": 3},
    "grey": {"channels": 1},
    "separate": {"fused_scale": False},
    "gan_zoo": {"variant": "gan_zoo"},
    "batch norm": {"generator_norm": "batch", "activation": "relu"},
    "switches": {
        "generator_norm": "batch",
        "equalized": False,
        "normalize_latents": False,
        "pixelnorm": False,
        "tanh": True,
    },
}


@pytest.fixture(scope="module")
def generator():
    """The smallest that upscales, for what has little to do with images."""
    return make_generator(8)


def inputs_of(generator, batch):
    """The named inputs of some seeds."""
    inputs = {"latent_vector": LATENTS[:batch]}
    if len(generator.inputs) > 1:
        inputs["labels"] = LABELS[:batch]
    return inputs


def expected_of(generator, batch):
    """What an exported model must give: images in [0, 1]."""
    values = list(inputs_of(generator, batch).values())
    images = generator(values if len(values) > 1 else values[0])
    return ((np.asarray(images) + 1) / 2).clip(0, 1)


def run_onnx(path, inputs):
    session = onnxruntime.InferenceSession(
        path, providers=["CPUExecutionProvider"]
    )
    (images,) = session.run(["default"], inputs)
    return images


def run_litert(path, inputs):
    """As on a device, without the signature's help."""
    interpreter = Interpreter(str(path))
    places = {
        name: detail["index"]
        for detail in interpreter.get_input_details()
        for name in inputs
        if name in detail["name"]
    }
    for name, array in inputs.items():
        interpreter.resize_tensor_input(places[name], array.shape)
    interpreter.allocate_tensors()
    for name, array in inputs.items():
        interpreter.set_tensor(places[name], array)
    interpreter.invoke()
    (output,) = interpreter.get_output_details()
    return interpreter.get_tensor(output["index"])


RUN = {"onnx": run_onnx, "litert": run_litert}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", RUN)
def test_images_in_any_batch(tmp_path, form, kind):
    generator = make_generator(**KINDS[kind])
    path = tmp_path / f"generator.{ENDINGS[form]}"
    assert WRITERS[form](generator, path) < 1e-5
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    for batch in (1, 4, 3, 16):
        images = RUN[form](path, inputs_of(generator, batch))
        assert images.dtype == np.float32
        np.testing.assert_allclose(
            images, expected_of(generator, batch), atol=1e-5
        )


@pytest.mark.parametrize("form", RUN)
def test_a_generator_that_fades(tmp_path, form):
    generator = make_generator(fade=True)
    path = tmp_path / f"generator.{ENDINGS[form]}"
    WRITERS[form](generator, path)
    images = RUN[form](path, inputs_of(generator, 2))
    np.testing.assert_allclose(images, expected_of(generator, 2), atol=1e-5)
    # A check of the check: the fade is not at its end.
    faded = make_generator()
    assert np.abs(images - expected_of(faded, 2)).max() > 0.01


def test_graph_of_onnx(tmp_path):
    generator = make_generator(num_classes=3)
    export_onnx_file(generator, tmp_path / "generator.onnx", card="# Cats")
    model = onnx.load(tmp_path / "generator.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    assert model.doc_string == "# Cats"

    def shapes(values):
        return {
            value.name: [
                d.dim_param or d.dim_value
                for d in value.type.tensor_type.shape.dim
            ]
            for value in values
        }

    assert shapes(model.graph.input) == {
        "latent_vector": ["batch", 12],
        "labels": ["batch", 3],
    }
    assert shapes(model.graph.output) == {"default": ["batch", 16, 16, 3]}
    # The pictures turn once, and nothing scales or folds a kernel.
    counts = collections.Counter(node.op_type for node in model.graph.node)
    assert counts["Transpose"] == 1
    assert counts["Conv"] + counts["ConvTranspose"] + counts["Gemm"] == 7
    assert counts["Mul"] == 1 + counts["ReduceMean"] == 1 + 7


def test_operations_of_litert(tmp_path):
    generator = make_generator(num_classes=3)
    path = tmp_path / "generator.tflite"
    export_litert_file(generator, path)
    interpreter = Interpreter(str(path))
    (signature,) = interpreter.get_signature_list().values()
    assert set(signature["inputs"]) == {"latent_vector", "labels"}
    assert signature["outputs"] == ["default"]
    # Bytes, because a model names only those operations that are not built in.
    assert b"Flex" not in path.read_bytes()
    # As published, slower than upscaling and the plain one.
    operations = {op["op_name"] for op in interpreter._get_ops_details()}
    assert "CONV_2D" in operations and "TRANSPOSE_CONV" not in operations


@pytest.mark.parametrize("form", RUN)
def test_float16_halves_the_file(tmp_path, form):
    # Wide, so that a file is its kernels.
    generator = make_generator(8, fmap_max=64)
    whole, half = (tmp_path / f"{name}.{ENDINGS[form]}" for name in "wh")
    WRITERS[form](generator, whole)
    WRITERS[form](generator, half, precision="float16")
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    images = RUN[form](half, inputs_of(generator, 4))
    assert images.dtype == np.float32
    difference = np.abs(images - expected_of(generator, 4))
    assert 1e-5 < difference.mean() < 1e-3
    # 12 * 1024 in the first layer; two kernels of 3x3, and one of 4x4 where
    # upscaling is folded in.
    taps = 3 * 9 if form == "litert" else 2 * 9 + 16
    kernels = 4 * (12 * 1024 + taps * 64 * 64)
    assert kernels < whole.stat().st_size < 1.05 * kernels + 20_000


@pytest.mark.parametrize("form", ["onnx", "litert"])
def test_bfloat16_is_refused(tmp_path, generator, form):
    path = tmp_path / f"x.{ENDINGS[form]}"
    with pytest.raises(UserError, match="precision of float32, float16 for"):
        WRITERS[form](generator, path, precision="bfloat16")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", WRITERS)
def test_places(tmp_path, generator, form):
    write, path = WRITERS[form], tmp_path / f"generator.{ENDINGS[form]}"
    with pytest.raises(UserError, match=f"ends with .{ENDINGS[form]}, not"):
        write(generator, tmp_path / "generator")
    path.mkdir()
    with pytest.raises(UserError, match="is not a file, so it is not replaced"):
        write(generator, path, overwrite=True)
    path.rmdir()
    path.write_text("mine")
    with pytest.raises(UserError, match="exists; .*--overwrite"):
        write(generator, path)
    assert path.read_text() == "mine"
    write(generator, path, overwrite=True)
    assert path.stat().st_size > 5_000
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("failure", ["images", "disk"])
def test_failure_leaves_what_was_there(
    tmp_path, generator, form, failure, monkeypatch
):
    path = tmp_path / f"generator.{ENDINGS[form]}"
    path.write_text("mine")
    message = "differ by"
    if failure == "images":
        tolerances = dict.fromkeys(("float32", "float16"), -1.0)
        monkeypatch.setattr("progan_tf.export.checks._TOLERANCES", tolerances)
    else:
        message = "cannot write .*No space left"

        def fail(*args):
            (tmp_path / args[-1]).touch()
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("pathlib.Path.write_bytes", lambda p, _: fail(p))
        monkeypatch.setattr(keras.Model, "save", fail)
    with pytest.raises(UserError, match=message):
        WRITERS[form](generator, path, overwrite=True)
    assert path.read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("form", "package"),
    [("onnx", "onnx"), ("onnx", "onnxruntime"), ("litert", "ai_edge_litert")],
)
def test_missing_packages(tmp_path, generator, form, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    command = rf'needs {package}: pip install "progan-tf\[{form}\]"'
    with pytest.raises(UserError, match=command):
        WRITERS[form](generator, tmp_path / f"x.{ENDINGS[form]}")
    assert list(tmp_path.iterdir()) == []


def test_layers_that_onnx_does_not_have(tmp_path, generator):
    path = tmp_path / "x.onnx"
    images = keras.layers.Rescaling(0.5, name="half")(generator.output)
    with pytest.raises(UserError, match="received half, a Rescaling"):
        export_onnx_file(keras.Model(generator.input, images), path)
    with pytest.raises(
        UserError, match="leaky_relu, relu and tanh; .* in dense_4"
    ):
        export_onnx_file(make_generator(8, leaky_relu="elu"), path)
    assert list(tmp_path.iterdir()) == []


def test_layers_that_litert_does_not_have(tmp_path, generator):
    resized = keras.layers.Resizing(16, 16, interpolation="lanczos5")
    model = keras.Model(generator.input, resized(generator.output))
    with pytest.raises(UserError, match="does not support .* ScaleAndTransl"):
        export_litert_file(model, tmp_path / "x.tflite")
    assert list(tmp_path.iterdir()) == []


def test_litert_of_layers_that_are_called_with_options(tmp_path, generator):
    dropped = keras.layers.Dropout(0.5)(generator.output, training=False)
    model = keras.Model(generator.input, dropped)
    export_litert_file(model, tmp_path / "x.tflite")


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("form", WRITERS)
def test_card_lies_inside_and_its_snippet_runs(tmp_path, form, classes):
    generator = make_generator(8, num_classes=classes)
    card = model_card(generator, form=form, metrics={"SWD": 12.3456})
    assert "| SWD | 12.35 |" in card
    assert "| precision | float32" in card
    path = tmp_path / "new" / f"generator.{ENDINGS[form]}"
    WRITERS[form](generator, path, card=card)
    if form != "onnx":  # Where test_graph_of_onnx reads it.
        with zipfile.ZipFile(path) as archive:
            assert archive.read("README.md").decode() == card
    snippet = card.split("```python\n")[1].split("```")[0]
    names = {}
    exec(snippet.replace("path/to/this", str(path)), names)
    images = np.asarray(names["images"])
    assert images.shape == (4, 8, 8, 3)
    assert -0.5 < images.mean() < 1.5


def test_every_format_is_here():
    assert FORMATS.keys() == {"hub", "web", *WRITERS}
    for form, ending in ENDINGS.items():
        assert FORMATS[form].ending == f".{ending}"


def test_litert_with_a_batch_of_one_size(tmp_path):
    generator, path = make_generator(num_classes=3), tmp_path / "x.tflite"
    options = {"batch_size": 3}
    assert export_generator(generator, path, "litert", options=options) < 1e-5
    interpreter = Interpreter(str(path))
    shapes = {
        tuple(detail["shape_signature"])
        for detail in interpreter.get_input_details()
    }
    assert shapes == {(3, 12), (3, 3)}
    (output,) = interpreter.get_output_details()
    assert tuple(output["shape_signature"]) == (3, 16, 16, 3)
    images = interpreter.get_signature_runner()(**inputs_of(generator, 3))
    np.testing.assert_allclose(
        images["default"], expected_of(generator, 3), atol=1e-5
    )
    with zipfile.ZipFile(path) as archive:
        card = archive.read("README.md").decode()
    assert "float32 [3, 12]" in card and "randn(3, 12)" in card
    for form in ("hub", "onnx"):
        with pytest.raises(UserError, match="--batch_size needs --format=lite"):
            export_generator(generator, path, form, options=options)


def test_pictures_that_are_neither_grey_nor_rgb(tmp_path):
    with pytest.raises(UserError, match=r"3 \(RGB\) channels; this one has 4"):
        export_generator(make_generator(8, channels=4), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
