"""A page in the browser that draws a generator's pictures, and its server.

`page/` has the files of every site: one HTML file, one script, one style sheet,
and in `runtime/` LiteRT.js, which runs the network. The rest of a site, such as
the network, is made by `progan_tf.export.site`.
"""

import html
import importlib
import pathlib
import sys

from progan_tf.explorer.server import Server

PAGE = pathlib.Path(__file__).parent / "page"

__all__ = ["PAGE", "Explorer", "Server", "explore"]


def explore(generator=None, resolution=None, height=900):
    """Show a generator's pictures in a notebook, in Jupyter or Colab.

    If it is the last expression of a cell, the page appears below the cell. All
    pictures are computed in the browser; the kernel only serves the files.

    Args:
        generator: a run directory, a `.keras` file or the name of an included
            generator; or a `keras.Model` from latents (and one-hot labels) to
            images in [-1, 1], or an `AnyGenerator`. By default the included
            generator.
        resolution: int, for a run; by default the highest that is finished.
        height: int, of the page in the notebook, in pixels.

    Returns:
        `Explorer`.

    Raises:
        UserError: if it cannot be loaded or shown.
    """
    from progan_tf.export.site import site_files
    from progan_tf.generation.opening import open_generator

    if generator is None or isinstance(generator, (str, pathlib.Path)):
        if isinstance(generator, pathlib.Path):
            # A folder, even if it has the name of an included generator.
            generator = str(generator.absolute())
        generator = open_generator(generator, resolution=resolution)
    return Explorer(Server(site_files(generator)), height)


class Explorer:
    """A page that is served until `close` or the end of the process.

    Attributes:
        address: str, the page's URL; it works only on this machine.
    """

    def __init__(self, server, height=900):
        self._server = server
        self._height = int(height)
        self.address = server.address
        server.start()

    def close(self):
        """Stop serving the page."""
        self._server.stop()

    def __repr__(self):
        return f"Explorer at {self.address}"

    def _ipython_display_(self):
        display = importlib.import_module("IPython.display")
        # On Colab the browser is on another machine; Colab forwards the port.
        if "google.colab" in sys.modules:
            colab = importlib.import_module("google.colab.output")
            colab.serve_kernel_port_as_iframe(
                self._server.port, path=self._server.path, height=self._height
            )
            return
        display.display(display.HTML(self._repr_html_()))

    def _repr_html_(self):
        return (
            f'<iframe src="{html.escape(self.address)}" width="100%" '
            f'height="{self._height}" style="border: 0" '
            'title="Explorer of a generator" '
            'allow="clipboard-write; fullscreen"></iframe>'
        )
