"""The export command from outside, and the files beside a model."""

import dataclasses
import shutil
import zipfile

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from PIL import Image
from processes import finished, run_command, started
from tiny import make_run

from progan_tf.checkpoint import load_generator
from progan_tf.export.card import model_card
from progan_tf.generation.opening import open_generator
from progan_tf.latents import seeded_latents
from progan_tf.networks import Generator


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A run in the middle of the fade to 16x16."""
    return make_run(tmp_path_factory.mktemp("run"), images_seen=50_000)


def export(*flags):
    return run_command("export", *flags)


def test_module_of_a_run_that_is_going(run_dir, tmp_path):
    path = tmp_path / "module"
    result = export(f"--run_dir={run_dir}", f"--out={path}")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"Wrote {path}. For 8 seeds")
    latents = seeded_latents(range(3), 16)
    images = tf.saved_model.load(str(path))(latents).numpy()
    # 16x16 still fades, so 8x8 is the highest that is finished.
    expected = (load_generator(run_dir, 8)(latents).numpy() + 1) / 2
    np.testing.assert_allclose(images, expected.clip(0, 1), atol=1e-5)
    card = (path / "README.md").read_text()
    assert "50,000" in card
    assert "David Revoy" in card
    with Image.open(path / "sample.png") as sample:
        assert sample.size == (8 * 64, 4 * 64)


def test_keras_file(run_dir, tmp_path):
    path = tmp_path / "generator.keras"
    flags = f"--run_dir={run_dir}", f"--out={path}", "--format=keras"
    result = export(*flags, "--resolution=4")
    assert result.returncode == 0, result.stderr
    latents = seeded_latents(range(3), 16)
    np.testing.assert_array_equal(
        keras.saving.load_model(path)(latents),
        load_generator(run_dir, 4)(latents),
    )
    assert [p.name for p in tmp_path.iterdir()] == ["generator.keras"]
    with zipfile.ZipFile(path) as archive:
        assert "50,000" in archive.read("README.md").decode()


def test_onnx_file(run_dir, tmp_path):
    path = tmp_path / "generator.onnx"
    flags = f"--run_dir={run_dir}", f"--out={path}", "--format=onnx"
    result = export(*flags, "--precision=float16")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"Wrote {path}. For 8 seeds")
    session = onnxruntime.InferenceSession(path)
    latents = seeded_latents(range(3), 16)
    (images,) = session.run(None, {"latent_vector": latents})
    expected = (load_generator(run_dir)(latents).numpy() + 1) / 2
    assert np.abs(images - expected.clip(0, 1)).mean() < 0.005
    card = onnx.load(path).doc_string
    assert "50,000" in card
    assert "| precision | float16 |" in card
    assert "InferenceSession" in card


def test_litert_file_of_a_keras_file(run_dir, tmp_path):
    source, path = tmp_path / "generator.keras", tmp_path / "new" / "x.tflite"
    load_generator(run_dir).save(source)
    result = export(f"--generator={source}", f"--out={path}", "--format=litert")
    assert result.returncode == 0, result.stderr
    run = Interpreter(str(path)).get_signature_runner()
    latents = seeded_latents(range(3), 16)
    images = run(latent_vector=latents)["default"]
    expected = (load_generator(run_dir)(latents).numpy() + 1) / 2
    np.testing.assert_allclose(images, expected.clip(0, 1), atol=1e-5)


def test_missing_package_is_told_before_tensorflow_loads(run_dir, tmp_path):
    code = (
        "import runpy, sys\n"
        "sys.modules['onnxruntime'] = None\n"
        "try:\n"
        "    runpy.run_module('progan_tf.export', run_name='__main__')\n"
        "finally:\n"
        "    print(*{'tensorflow', 'keras'} & sys.modules.keys())\n"
    )
    out = tmp_path / "x.onnx"
    flags = [f"--run_dir={run_dir}", f"--out={out}", "--format=onnx"]
    result = finished(started("-c", code, *flags))
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert 'needs onnxruntime: pip install "progan-tf[onnx]"' in line
    assert result.stdout.split() == []
    assert not out.exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--run_dir=x", "--generator=y", "--out=x"],
            "expected one of --run_dir and --generator",
        ),
        (["--run_dir=nowhere", "--out=x"], "no nowhere"),
        (["--run_dir=RUN", "--out=RUN"], "exists; choose another place"),
        (["--run_dir=RUN", "--out=x", "--resolution=16"], "no finished"),
        (["--run_dir=RUN", "--out=x", "--format=keras"], "ends with .keras"),
        (["--run_dir=RUN", "--out=x.onnx"], "the ending of the format onnx"),
        (
            ["--run_dir=RUN", "--out=x.onnx", "--format=onnx", "--trainable"],
            "--trainable needs --format=hub",
        ),
        (
            ["--run_dir=RUN", "--out=x.tflite", "--format=litert"]
            + ["--precision=bfloat16"],
            "precision of float32, float16 for the format litert",
        ),
    ],
)
def test_mistakes(run_dir, tmp_path, flags, message):
    before = sorted(run_dir.rglob("*"))
    flags = [flag.replace("RUN", str(run_dir)) for flag in flags]
    flags = [flag.replace("=x", f"={tmp_path / 'x'}") for flag in flags]
    result = export(*flags)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert message in line
    assert sorted(run_dir.rglob("*")) == before
    assert list(tmp_path.iterdir()) == []


def test_card_tells_the_licence_that_a_run_inherited(run_dir, tmp_path):
    copy = tmp_path / "moved"
    shutil.copytree(run_dir, copy)
    assert "CC BY-NC" not in model_card(open_generator(str(copy)))
    (copy / "weights.txt").write_text(
        "labels      none\nlicence     CC BY-NC 4.0: no commercial use\n"
    )
    card = model_card(open_generator(str(copy)))
    assert card.endswith(
        "\n\nLicence of the weights that training started from: CC BY-NC 4.0: "
        "no commercial use.\n"
    )
    assert "David Revoy" in card


def test_card_names_a_folder_of_data_but_not_where_it_lies(run_dir):
    generator = open_generator(str(run_dir))
    config, seen = generator.origin
    config = dataclasses.replace(config, data="/disk/family|photos")
    generator.origin = config, seen
    card = model_card(generator)
    assert "| training data | family\\|photos |" in card
    assert "/disk" not in card


def test_snippet_of_the_card_runs(tmp_path):
    from progan_tf.export import export_saved_model

    generator = Generator(8, 12, 3, fmap_max=8, seed=1).at(8, fade=False)
    export_saved_model(generator, tmp_path / "module")
    card = model_card(generator)
    snippet = card.split("```python\n")[1].split("```")[0]
    snippet = snippet.replace("path/to/this", str(tmp_path / "module"))
    names = {}
    exec(snippet, names)
    assert names["images"].shape == (4, 8, 8, 3)
    assert "which is not recorded in this model" in card
