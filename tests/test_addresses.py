"""Addresses of models on the web, without a network.

hf:// is read and written by the real huggingface_hub, from the server of
hub_server.py; kaggle:// and https://tfhub.dev by the real kagglehub and
tensorflow_hub, from their own caches.
"""

import hashlib
import os
import shutil
import socket
import sys
import zipfile

import huggingface_hub
import huggingface_hub.constants
import keras
import numpy as np
import pytest
import tensorflow as tf
from generators import make_generator
from hub_server import PRIVATE, HubServer
from processes import assert_mistake, finished, run_command, started
from published_files import GOLDENS
from tiny import make_run

from progan_tf import addresses, load_generator, pretrained
from progan_tf.errors import UserError
from progan_tf.evaluation.opening import open_subjects
from progan_tf.export.pushing import front_matter, push
from progan_tf.generation.hub_module import load_module
from progan_tf.generation.opening import open_generator
from progan_tf.latents import seeded_latents
from progan_tf.metrics import load_features
from progan_tf.weights import read_published

LATENTS = seeded_latents(range(3), 12)
TOKEN = "hf_good"


@pytest.fixture(scope="module")
def generator():
    return make_generator(8)


@pytest.fixture(scope="module")
def keras_file(generator, tmp_path_factory):
    path = tmp_path_factory.mktemp("keras") / "generator.keras"
    generator.save(path)
    return path


def members(path):
    """What is in a zip archive, a dict from name to bytes."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def save_module(folder, evil=False):
    """A module of latents of 12 numbers, whose first three are a colour."""

    def function(latents):
        if evil:
            tf.io.write_file("EVIL", "x")
        colours = tf.sigmoid(latents[:, tf.newaxis, tf.newaxis, :3])
        return {"default": tf.tile(colours, [1, 4, 4, 1])}

    model = tf.Module()
    spec = tf.TensorSpec([None, 12], name="z")
    signature = tf.function(function, [spec], autograph=False)
    tf.saved_model.save(model, str(folder), signatures={"default": signature})
    return folder


def assert_colours(module):
    images = (np.asarray(module(LATENTS)) + 1) / 2
    colours = 1 / (1 + np.exp(-LATENTS[:, :3]))
    np.testing.assert_allclose(images[:, 2, 3], colours, rtol=1e-5)


def files_of(folder):
    """What is in a folder, a dict from its path there to bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The server, which the client of this process asks; no token is known."""
    constants = huggingface_hub.constants
    with HubServer({}) as server:
        # As HF_ENDPOINT does for a new process.
        resolve = f"{server.endpoint}/{{repo_id}}/resolve/{{revision}}/"
        template = f"{resolve}{{filename}}"
        monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield server


# ---- hf:// ----


def test_a_keras_model_packed_and_unpacked(hub, generator, keras_file):
    files = members(keras_file)
    assert files.keys() == {"config.json", "metadata.json", "model.weights.h5"}
    hub.repositories |= {
        "user/unpacked": files | {"README.md": b"x", "big.bin": b"x"},
        "user/packed": {"models/x.keras": keras_file.read_bytes()},
    }
    expected = generator(LATENTS)
    for name in ("hf://user/unpacked", "hf://user/packed"):
        np.testing.assert_array_equal(load_generator(name)(LATENTS), expected)
        opened = open_generator(name)
        assert (opened.name, opened.origin) == (name, None)
    assert not [line for line in hub.asked if "big.bin" in line]
    (subject,) = open_subjects("hf://user/packed")
    assert subject.name == "hf://user/packed"
    with pytest.raises(UserError, match="makes images of 8x8, not of 4"):
        load_generator("hf://user/packed", 4)


def test_what_was_fetched_needs_no_network(
    hub, keras_file, generator, monkeypatch
):
    hub.repositories["user/model"] = {"x.keras": keras_file.read_bytes()}
    load_generator("hf://user/model")
    with socket.socket() as other:
        # Where nobody listens.
        other.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{other.getsockname()[1]}"
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", nobody)
        again = load_generator("hf://user/model")
        np.testing.assert_array_equal(again(LATENTS), generator(LATENTS))
        with pytest.raises(UserError, match=r"cannot fetch hf://user/new: .*"):
            load_generator("hf://user/new")


def test_modules(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good = save_module(tmp_path / "good")
    evil = save_module(tmp_path / "evil", evil=True)
    shutil.make_archive("packed", "gztar", good)
    archive = (tmp_path / "packed.tar.gz").read_bytes()
    hub.repositories |= {
        "user/folder": files_of(good),
        "user/below": {f"a/b/{k}": v for k, v in files_of(good).items()},
        "user/archive": {"module.tar.gz": archive},
        "user/evil": files_of(evil),
    }
    for name in ("folder", "below", "archive"):
        assert_colours(load_module(f"hf://user/{name}"))
    with pytest.raises(UserError, match="hf://user/evil has .* WriteFile"):
        load_module("hf://user/evil")
    assert not os.path.exists("EVIL")


def test_published_weights(hub):
    path = GOLDENS / "official_16_fused.pkl"
    hub.repositories["user/weights"] = {"w.pkl": path.read_bytes()}
    read, expected = read_published("hf://user/weights"), read_published(path)
    pairs = zip(read.average.weights, expected.average.weights, strict=True)
    for new, old in pairs:
        np.testing.assert_array_equal(new.numpy(), old.numpy())


def test_models_that_are_not_for_us(hub, keras_file):
    data = keras_file.read_bytes()
    hub.repositories |= {
        "user/two": {"a.keras": data, "b.keras": data},
        "user/other": {"config.json": b"{}", "model.safetensors": b"x"},
        "user/broken": {"a.keras": data[:1000]},
        "user/json": members(keras_file) | {"config.json": b"{"},
        PRIVATE: {"a.keras": data},
    }
    for name, said in (
        ("hf://user/two", "hf://user/two has 2 "),
        ("hf://user/other", "expected a Keras model: .*other has none "),
        ("hf://user/broken", "or damaged"),
        ("hf://user/json", "cannot read .* as a Keras model"),
        ("hf://user/nowhere", "no hf://user/nowhere, or you have no access"),
        (f"hf://{PRIVATE}", "first log in with hf auth login"),
        ("hf://model", "expected hf://USER/MODEL; received hf://model"),
        ("hf://../x", "expected hf://USER/MODEL"),
        ("hf://user/a--b", "cannot fetch hf://user/a--b"),
        ("kaggle://user/model", "or kaggle://OWNER/MODEL/FRAMEWORK/VAR"),
        ("kaggle://../../../../1", "expected hf://USER/MODEL or kaggle"),
        ("gs://bucket/model", "received gs://bucket/model"),
        ("https://tfhub.dev/google/progan-128/1", "expected hf://USER/MODEL"),
    ):
        with pytest.raises(UserError, match=said) as caught:
            load_generator(name)
        assert len(str(caught.value)) < 600
    with pytest.raises(UserError, match="expected one SavedModel.* --run_dir"):
        load_module("hf://user/two")
    with pytest.raises(UserError, match="expected one .pkl or .pth file"):
        read_published("hf://user/two")


def test_private_ones_are_read_by_who_is_logged_in(
    hub, keras_file, monkeypatch
):
    hub.repositories[PRIVATE] = {"a.keras": keras_file.read_bytes()}
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert load_generator(f"hf://{PRIVATE}").output_shape == (None, 8, 8, 3)


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("hf://user/model", "huggingface_hub", "hf"),
        ("kaggle://a/b/keras/c", "kagglehub", "kaggle"),
        ("https://tfhub.dev/a/b/1", "tensorflow_hub", "hub"),
    ],
)
def test_a_client_that_is_not_installed(name, package, extra, monkeypatch):
    # What Python takes for a package that is not there.
    monkeypatch.setitem(sys.modules, package, None)
    said = rf'{name} needs {package}: pip install "progan-tf\[{extra}\]"'
    for use in (load_module, lambda name: addresses.check(name, "module")):
        with pytest.raises(UserError, match=said):
            use(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hf://model", "expected hf://USER/MODEL; received hf://model"),
        ("none", "expected a run directory or .keras file; there is no none"),
    ],
)
def test_names_are_looked_at_before_tensorflow_is_imported(name, said):
    code = (
        "import sys\n"
        "from progan_tf.generation.opening import open_generator\n"
        "try:\n"
        f"    open_generator({name!r})\n"
        "except ValueError as error:\n"
        "    print(error, *{'tensorflow', 'keras'} & sys.modules.keys())\n"
    )
    done = finished(started("-c", code))
    assert done.stdout == said + "\n"


def test_no_name_is_a_run_that_is_trained():
    with pytest.raises(UserError, match="received the address hf://a/b"):
        pretrained.check_no_name("hf://a/b")


# ---- kaggle:// and tfhub.dev ----


@pytest.fixture
def kaggle(tmp_path, monkeypatch):
    """The cache of kagglehub, an empty folder."""
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kaggle"))
    # A server that is not there, for what is not in the cache.
    monkeypatch.setenv("KAGGLE_API_ENDPOINT", "http://127.0.0.1:1")
    return tmp_path / "kaggle"


def cached_on_kaggle(cache, handle):
    """The folder of a model in kagglehub's cache, marked as complete."""
    folder = cache / "models" / handle
    folder.mkdir(parents=True)
    folder.with_name(f"{folder.name}.complete").touch()
    return folder


def test_kaggle(kaggle, keras_file, generator):
    folder = cached_on_kaggle(kaggle, "a/cats/keras/small/2")
    shutil.copy(keras_file, folder)
    for name in (
        "kaggle://a/cats/keras/small/2",
        "https://www.kaggle.com/models/a/cats/keras/small/2",
        "https://www.kaggle.com/models/a/cats/frameworks/keras/variations/"
        "small/versions/2",
    ):
        np.testing.assert_array_equal(
            load_generator(name)(LATENTS), generator(LATENTS)
        )
    save_module(cached_on_kaggle(kaggle, "a/m/tensorFlow2/x/1"))
    assert_colours(load_module("kaggle://a/m/tensorFlow2/x/1"))
    with pytest.raises(UserError, match="expected one SavedModel"):
        load_module("kaggle://a/cats/keras/small/2")
    with pytest.raises(UserError, match="'what' is not a valid"):
        load_module("kaggle://a/b/what/x/1")


def test_tf_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    address = "https://tfhub.dev/google/progan-128/1"
    save_module(tmp_path / hashlib.sha1(address.encode()).hexdigest())
    module = load_module(address)
    assert module.name == address
    assert_colours(module)
    with pytest.raises(UserError, match="expected a module from images"):
        load_features(address)


# ---- export --push ----


def test_push_from_outside(tmp_path, monkeypatch, hub):
    """Keras' own reader, and the site's own of cards, take what is pushed."""
    run_dir = make_run(tmp_path / "run", images_seen=50_000)
    result = run_command(
        "export",
        f"--run_dir={run_dir}",
        "--push=hf://user/cats",
        HF_ENDPOINT=hub.endpoint,
        HF_HOME=str(tmp_path / "home"),
        HF_TOKEN=TOKEN,
    )
    assert result.returncode == 0, result.stderr
    assert f"Pushed to {hub.endpoint}/user/cats" in result.stdout
    assert hub.repositories["user/cats"].keys() == {
        *("README.md", "sample.png"),
        *("config.json", "metadata.json", "model.weights.h5"),
    }
    latents = seeded_latents(range(3), 16)
    expected = load_generator(run_dir)(latents)
    for load in (keras.saving.load_model, load_generator):
        images = load("hf://user/cats")(latents)
        np.testing.assert_array_equal(images, expected)
    files = hub.repositories["user/cats"]
    card = huggingface_hub.ModelCard(files["README.md"].decode())
    assert card.data.library_name == "keras"
    assert card.data.license == "cc-by-4.0"
    assert card.data.pipeline_tag == "unconditional-image-generation"
    assert "progressive-gan" in card.data.tags
    assert "![samples](sample.png)" in card.text
    assert 'load_model("hf://user/cats")' in card.text
    assert files["sample.png"].startswith(b"\x89PNG")


def test_who_may_not_push(hub, generator, monkeypatch):
    for token in ("", "hf_bad"):
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(UserError, match="may not write to hf://user/x"):
            push(generator, "hf://user/x")
    assert hub.repositories == {}
    with pytest.raises(UserError, match="expected hf://USER/MODEL"):
        push(generator, "kaggle://a/b/keras/c")
    with pytest.raises(UserError, match="a licence such as cc-by-4.0"):
        push(generator, "hf://user/x", licence="a\nb")


def test_the_licence_on_the_card(tmp_path):
    run_dir = make_run(tmp_path / "run")
    config = open_generator(str(run_dir)).origin[0]
    assert "\nlicense: cc-by-4.0\n" in front_matter(config)
    assert "\nlicense: mit\n" in front_matter(config, "mit")
    # What is known only of a part is not known.
    assert "\nlicense: unknown\n" in front_matter(None)
    for inherited, said in (
        ("ask the authors", "license: unknown\n"),
        (
            "CC BY-NC 4.0: no commercial use",
            "license: other\nlicense_name: cc-by-4.0-and-cc-by-nc-4.0\n",
        ),
    ):
        (run_dir / "weights.txt").write_text(f"licence     {inherited}\n")
        assert said in front_matter(config)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "expected one of --out and --push"),
        (["--push=hf://a/b", "--out=x"], "expected one of --out and --push"),
        (
            ["--push=hf://a/b", "--format=onnx"],
            "--push always writes the format keras",
        ),
        (["--push=hf://a/b", "--trainable"], "--trainable does not go with"),
        (["--push=elsewhere"], "expected hf://USER/MODEL; received elsewhere"),
        (["--out=x", "--license=mit"], "--license needs --push"),
    ],
)
def test_flags_that_do_not_go_together(flags, said, tmp_path):
    assert_mistake(run_command("export", *flags, folder=tmp_path), said)
