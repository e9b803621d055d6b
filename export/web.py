"""The format web: a folder with a page that draws pictures in the browser.

Any static web server will do; nothing is computed on the server. The page and
the runtime are copies of files of `progan_tf.explorer`.
"""

from progan_tf.export.format import CARD_FILE, Folder, Format

NETWORK_FILE, ABOUT_FILE = "network.tflite", "network.json"
DIRECTIONS_FILE = "directions.bin"


def _write(generator, path, precision, files, options):
    from progan_tf.export.site import site_files

    for name, data in (files | site_files(generator, precision)).items():
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_bytes(data)


def _load(path):
    from progan_tf.export.site import network_images

    return network_images(path)


def _snippet(latent_size, classes, count):
    return """import functools
import http.server

# To open the page on this machine; any static web server will do.
handler = functools.partial(
    http.server.SimpleHTTPRequestHandler, directory="path/to/this"
)
http.server.ThreadingHTTPServer(("127.0.0.1", 8000), handler).serve_forever()
"""


_NOTE = """Then open http://127.0.0.1:8000/. Or copy the folder to any web
server: it needs no special HTTP headers and loads nothing from elsewhere.
`network.tflite` can be used on its own, too: its signature takes
`latent_vector` (and `labels`) with a batch size of 1, and gives the images at
every resolution, about in [-1, 1], as `level_0`, `level_1` and so on.
"""

WEB = Format(
    name="web",
    ending="",
    write=_write,
    load=_load,
    snippet=_snippet,
    note=_NOTE,
    # The precision of the stored weights.
    precisions=("float32", "float16"),
    of_precision=" weights",
    images="level_N",
    values="about in [-1, 1]",
    folder=Folder(
        kind="site",
        mark=ABOUT_FILE,
        parts=frozenset(
            (NETWORK_FILE, ABOUT_FILE, DIRECTIONS_FILE, CARD_FILE)
            + ("index.html", "explorer.css", "explorer.js", "runtime")
        ),
    ),
    batch_size=1,
)
