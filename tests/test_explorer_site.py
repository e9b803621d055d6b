"""The explorer's site: its content, its server, and the command."""

import hashlib
import html.parser
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import types
import urllib.error
import urllib.request

import keras
import numpy as np
import pytest
import tensorflow as tf
from generators import make_generator
from tiny import make_run

import progan_tf
from progan_tf.checkpoint import load_generator
from progan_tf.errors import UserError
from progan_tf.explorer import PAGE, Server
from progan_tf.export import export_saved_model
from progan_tf.export.exporting import export_generator
from progan_tf.export.formats import check_request
from progan_tf.export.levels import levels_of
from progan_tf.export.site import network_images, site_files
from progan_tf.export.web import ABOUT_FILE
from progan_tf.generation.latent_directions import pca, sefa
from progan_tf.generation.opening import open_generator
from progan_tf.latents import one_hot, seeded_latents
from progan_tf.sampling import AnyGenerator

ROOT = pathlib.Path(__file__).resolve().parent.parent
KINDS = {
    "classes": {"num_classes": 3},
    "grey": {"channels": 1, "tanh": True, "pixelnorm": False},
    "separate": {"fused_scale": False, "variant": "gan_zoo"},
    "batch norm": {"generator_norm": "batch", "activation": "relu"},
}


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A run in the middle of the fade to 16x16."""
    return make_run(tmp_path_factory.mktemp("run"), images_seen=50_000)


@pytest.fixture
def server():
    server = Server({"index.html": b"<p>", "a/b.js": b"1", "c.tflite": b""})
    server.start()
    yield server
    server.stop()


def answer(address, method="GET"):
    with urllib.request.urlopen(
        urllib.request.Request(address, method=method), timeout=10
    ) as response:
        return response.read(), response.headers


def refused(address, method="GET"):
    """The status and the text of a refusal."""
    with pytest.raises(urllib.error.HTTPError) as error:
        answer(address, method)
    with error.value as response:
        return response.code, response.read()


def test_server(server):
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{20,}/", server.address)
    data, headers = answer(server.address)
    assert data == b"<p>"
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    data, headers = answer(server.address + "a/b.js?engine=wasm")
    assert (data, headers["Content-Length"]) == (b"1", "1")
    assert headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer(server.address + "a/b.js", "HEAD")[0] == b""
    assert answer(server.address + "c.tflite")[0] == b""


def test_server_tells_nothing_without_its_word(server):
    base = server.address.removesuffix(server.path)
    word = server.path.strip("/")
    wrong = ["/", "/index.html", f"/{word}", f"/{word[:-1]}/", "/x/../a/b.js"]
    for path in [*wrong, f"{server.path}a/", f"{server.path}../setup.cfg"]:
        assert refused(base + path) == (404, b"")
    assert refused(server.address, "POST")[0] == 501
    other = Server({"index.html": b""})
    other.stop()
    assert other.path != server.path


def test_server_says_nothing_of_whoever_goes_away(server, capfd):
    reset = struct.pack("ii", 1, 0)
    for request in (b"GET / HT", b"GET http://[ HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            client.sendall(request)
            time.sleep(0.1)
    time.sleep(0.3)
    assert answer(server.address)[0] == b"<p>"
    assert capfd.readouterr() == ("", "")


def test_server_listens_to_this_machine_alone_and_stops(server):
    assert server._server.server_address[0] == "127.0.0.1"
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", server.port).connect()


def test_runtime_is_what_its_page_says():
    """Nobody changed by the way what other people wrote."""
    page = (PAGE / "runtime" / "README.md").read_text()
    rows = re.findall(r"^\| `(\S+)` \| ([0-9a-f]{64}) \|$", page, re.M)
    told = {name: digest for name, digest in rows if not name.endswith(".tgz")}
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (PAGE / "runtime").iterdir()
        if path.name not in ("README.md", "LICENSE")
    }
    assert told == found


class Elements(html.parser.HTMLParser):
    """Tags, attributes and texts of a page."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def test_page_is_one_of_each_and_strict():
    files = {path.name for path in PAGE.iterdir() if path.is_file()}
    assert files == {"index.html", "explorer.js", "explorer.css"}
    elements = Elements((PAGE / "index.html").read_text()).found
    policy = next(
        attributes["content"]
        for tag, attributes in elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy
    assert "http" not in policy
    scripts = [a for tag, a in elements if tag == "script"]
    assert scripts == [{"src": "explorer.js", "defer": None}]
    assert not any(tag == "style" for tag, _ in elements)
    names = {name for _, attributes in elements for name in attributes}
    assert not [n for n in names if n.startswith("on") or n == "style"]


@pytest.mark.parametrize("kind", KINDS)
def test_network_of_every_kind(tmp_path, kind):
    generator = make_generator(8, **KINDS[kind])
    difference = export_generator(generator, tmp_path / "site", "web")
    assert difference < 1e-4
    about = json.loads((tmp_path / "site" / "network.json").read_text())
    # Of a model alone nothing tells the colours of lower resolutions.
    assert [level["height"] for level in about["levels"]] == [8]
    assert about["classes"] == [f"class {i}" for i in range(3)] * (
        kind == "classes"
    )
    directions = np.fromfile(tmp_path / "site" / "directions.bin", "<f4")
    directions = directions.reshape(10, 12)
    np.testing.assert_allclose(directions @ directions.T, np.eye(10), atol=1e-5)


def test_network_in_half_precision(tmp_path):
    generator = make_generator(8, fmap_max=24)
    sizes = {}
    for precision in ("float32", "float16"):
        path = tmp_path / precision
        difference = export_generator(
            generator, path, "web", precision=precision
        )
        sizes[precision] = (path / "network.tflite").stat().st_size
    assert 1e-5 < difference < 0.02
    assert sizes["float16"] < 0.7 * sizes["float32"]
    with pytest.raises(UserError, match="float32, float16 for the format web"):
        check_request("web", tmp_path / "x", "bfloat16")


def test_levels_that_the_run_never_trained_are_left_out(tmp_path):
    run = make_run(tmp_path / "run", growing=False, total_kimg=0.1)
    generator = open_generator(str(run))
    assert [x.shape[1] for x in levels_of(generator).outputs] == [16]
    run = make_run(
        tmp_path / "later",
        fade_kimg={8: 0},
        stable_kimg={4: 0.01, 8: 0},
        total_kimg=30,
    )
    generator = open_generator(str(run))
    assert [x.shape[1] for x in levels_of(generator).outputs] == [4, 16]


def test_levels_are_the_resolutions_of_the_run(run_dir):
    # 16x16 still fades, so 8x8 is the highest that is finished.
    generator = open_generator(str(run_dir))
    latents = seeded_latents(range(3), 16)
    levels = levels_of(generator)(latents)
    assert [level.shape[1] for level in levels] == [4, 8]
    for level in levels:
        expected = load_generator(run_dir, level.shape[1])(latents)
        np.testing.assert_allclose(level, expected, atol=1e-6)


def test_export_writes_a_site(run_dir, tmp_path):
    path = tmp_path / "site"
    generator = open_generator(str(run_dir))
    export_generator(generator, path, "web")
    names = {p.relative_to(path).as_posix() for p in path.rglob("*")}
    assert {"README.md", "network.json", "network.tflite"} <= names
    assert {"index.html", "runtime/litert.js", "runtime/LICENSE"} <= names
    latents = seeded_latents([3], 16)
    images = network_images(path)({"latent_vector": latents})
    expected = (load_generator(run_dir)(latents).numpy() + 1) / 2
    np.testing.assert_allclose(images, expected.clip(0, 1), atol=1e-5)
    about = json.loads((path / "network.json").read_text())
    assert about["facts"]["images seen in training"] == "50,000"
    assert "David Revoy" in about["licence"]
    assert str(run_dir.parent) not in (path / "network.json").read_text()
    card = (path / "README.md").read_text()
    assert "50,000" in card and "http://127.0.0.1:8000/" in card
    # A newer one may take its place, and nothing else's.
    with pytest.raises(UserError, match="exists; choose another place"):
        check_request("web", path)
    check_request("web", path, overwrite=True)
    (path / "thesis.txt").write_text("")
    with pytest.raises(UserError, match="is not a site, or holds other files"):
        check_request("web", path, overwrite=True)
    with pytest.raises(UserError, match="is not a module"):
        check_request("hub", path, overwrite=True)
    with pytest.raises(UserError, match="expected a folder, not"):
        check_request("web", tmp_path / "site.tar.gz")


def test_site_of_a_module(tmp_path):
    model = make_generator(8, num_classes=3)
    export_saved_model(model, tmp_path / "module")
    files = site_files(open_generator(module=str(tmp_path / "module")))
    about = json.loads(files["network.json"])
    assert "directions" not in about and "directions.bin" not in files
    assert len(about["levels"]) == 1
    for name in ("network.json", "network.tflite"):
        (tmp_path / name).write_bytes(files[name])
    inputs = {
        "latent_vector": seeded_latents([1], 12),
        "labels": one_hot([1], 3),
    }
    images = network_images(tmp_path)(inputs)
    expected = model(list(inputs.values())).numpy() / 2 + 0.5
    np.testing.assert_allclose(images, expected.clip(0, 1), atol=1e-5)


def test_a_module_that_browsers_cannot_compute_is_told():
    class Odd(AnyGenerator):
        fingerprint = "odd"

        def __call__(self, latents, labels=None):
            images = tf.raw_ops.Betainc(
                a=tf.abs(latents) + 1, b=tf.abs(latents) + 1, x=latents * 0
            )
            return tf.reshape(images, (-1, 4, 4, 1))

    with pytest.raises(UserError, match="odd cannot be converted to LiteRT"):
        site_files(Odd("odd", 16, 0, (4, 4, 1)))
    with pytest.raises(UserError, match=r"1 \(grey\) or 3 \(RGB\) channels"):
        site_files(Odd("odd", 16, 0, (4, 4, 2)))


def test_a_model_that_browsers_cannot_compute_is_told(capfd):
    model = make_generator(8)
    larger = keras.layers.UpSampling2D(interpolation="bicubic")
    model = keras.Model(model.input, larger(model.output))
    with pytest.raises(UserError, match="not support the op.* ResizeBicubic$"):
        site_files(model)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("number", [0, np.nan])
def test_a_generator_without_directions(number):
    model = make_generator(8)
    first = next(x for x in model.layers if hasattr(x, "kernel"))
    first.kernel.assign(np.full(first.kernel.shape, number))
    for method in (sefa, pca):
        with pytest.raises(UserError, match="no directions"):
            method(model, 2)
    if number == 0:
        assert "directions" not in json.loads(site_files(model)[ABOUT_FILE])
    else:
        with pytest.raises(UserError, match="it has diverged"):
            site_files(model)


def started(*flags):
    return subprocess.Popen(
        [sys.executable, "-m", "progan_tf.explore", *flags],
        env={**os.environ, "PYTHONPATH": str(ROOT), "DISPLAY": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_command_serves_until_it_is_told_to_stop(run_dir):
    process = started(f"--run_dir={run_dir}", "--nobrowser")
    line = process.stdout.readline()
    (address,) = re.findall(r"^Open (http://\S+/) \(Ctrl-C stops it\)$", line)
    assert b"explorer.js" in answer(address)[0]
    about = json.loads(answer(address + "network.json")[0])
    assert [level["width"] for level in about["levels"]] == [4, 8]
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (0, "Stopped.\n", "")
    with pytest.raises(urllib.error.URLError):
        answer(address)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--run_dir=nowhere"], "no nowhere"),
        (["--run_dir=x", "--module=y"], "one of --run_dir and --module"),
    ],
)
def test_mistakes_of_the_command(flags, message):
    process = started(*flags)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    (line,) = errors.splitlines()
    assert message in line


def test_explore_in_a_notebook(monkeypatch):
    explorer = progan_tf.explore(make_generator(8), height=700)
    try:
        page = explorer._repr_html_()
        assert f'src="{explorer.address}"' in page and "700" in page
        assert explorer.address in repr(explorer)
        assert b"explorer.js" in answer(explorer.address)[0]
        shown = []
        display = types.SimpleNamespace(HTML=str, display=shown.append)
        monkeypatch.setitem(sys.modules, "IPython.display", display)
        explorer._ipython_display_()
        assert shown == [page]
        calls = []
        colab = types.SimpleNamespace(
            serve_kernel_port_as_iframe=lambda *a, **k: calls.append((a, k))
        )
        monkeypatch.setitem(sys.modules, "google.colab", colab)
        monkeypatch.setitem(sys.modules, "google.colab.output", colab)
        explorer._ipython_display_()
        ((port,), options) = calls[0]
        assert explorer.address.endswith(f":{port}{options['path']}")
    finally:
        explorer.close()
    with pytest.raises(urllib.error.URLError):
        answer(explorer.address)


def test_explore_takes_the_name_of_a_generator(run_dir):
    explorer = progan_tf.explore(run_dir, resolution=4)
    try:
        about = json.loads(answer(explorer.address + "network.json")[0])
        assert [level["width"] for level in about["levels"]] == [4]
    finally:
        explorer.close()
    with pytest.raises(UserError, match="no nowhere"):
        progan_tf.explore("nowhere")
