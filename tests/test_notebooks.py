"""The notebooks of colab/, executed with only their parameters changed."""

import os
import pathlib
import re
import sys

import nbclient
import nbformat
import pytest
from tiny import make_run

from progan_tf.checkpoint import load_generator
from progan_tf.export import export_saved_model

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "colab").glob("*.ipynb"))


def execute(name, folder, monkeypatch, cells=None, **parameters):
    """Runs a notebook, or its first cells, in a folder with other parameters.

    Returns:
        (text, pictures): all that it printed, and how many it showed.
    """
    notebook = nbformat.read(ROOT / "colab" / name, as_version=4)
    notebook.cells = notebook.cells[:cells]
    cell = next(
        cell
        for cell in notebook.cells
        if "parameters" in cell.metadata.get("tags", ())
    )
    for key in parameters:
        assert f"{key} = " in cell.source, "no such parameter"
    cell.source = "\n".join(f"{k} = {v!r}" for k, v in parameters.items())
    # The shell's python is the one that runs the tests, and finds the package
    # in a checkout that is not installed.
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()  # It raises what a cell raises.
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", ())]
    text = "".join(output.get("text", "") for output in outputs)
    pictures = sum("image/png" in output.get("data", {}) for output in outputs)
    return text, pictures


@pytest.mark.parametrize("classes", [0, 3])
def test_generate_draws_walks_projects_and_loads(
    tmp_path, monkeypatch, classes
):
    run = make_run(
        tmp_path / "run", resolution=8, labels=classes > 0, num_classes=classes
    )
    export_saved_model(load_generator(run), tmp_path / "module")
    text, pictures = execute(
        "generate.ipynb", tmp_path, monkeypatch, MODULE="module"
    )
    # Grid, two walks, the latent found, two Keras models and a signature.
    assert pictures == 7
    assert "PSNR" in text
    assert f"latents of 16 numbers, {classes or 'no'} classes" in text
    assert "Traceback" not in text


def test_generate_needs_no_module(tmp_path, monkeypatch):
    text, pictures = execute(
        "generate.ipynb", tmp_path, monkeypatch, cells=12, MODULE=""
    )
    assert "latents of 512 numbers, 15 classes" in text
    assert pictures == 1  # The grid; the rest is as with any module.


def test_a_mistyped_module_makes_nothing(tmp_path, monkeypatch):
    with pytest.raises(nbclient.exceptions.CellExecutionError) as error:
        execute("generate.ipynb", tmp_path, monkeypatch, MODULE="modul")
    assert "there is no folder 'modul'" in str(error.value)
    assert not list(tmp_path.iterdir())


def test_train_grows_and_exports(tmp_path, monkeypatch):
    tiny = "--preset=laptop --resolution=8 --fmap_max=8 --batch_size=8"
    tiny += " --fade_kimg=0.032 --stable_kimg=0.032 --tick_kimg=0.032"
    tiny += " --sample_kimg=0.032 --precision=float32"
    text, pictures = execute(
        "train.ipynb",
        tmp_path,
        monkeypatch,
        DATA="cats",
        RUN="run",
        MODULE="module",
        FLAGS=tiny,
    )
    assert re.search(r"^new run: run\s", text, re.M)  # The dry run is of it.
    assert pictures >= 3  # The losses, the module's images, samples.
    assert (tmp_path / "module" / "saved_model.pb").exists()
    assert (tmp_path / "growth.gif").exists()
    assert "error" not in text.lower()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_outputs_are_stripped(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) > 5
    for cell in code:
        assert not cell.outputs
        assert cell.execution_count is None
