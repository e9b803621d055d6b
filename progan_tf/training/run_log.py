"""What a run writes while it goes: metrics, TensorBoard and pictures."""

import json
import math
import pathlib

import numpy as np
import tensorflow as tf

from progan_tf.files import write_text_atomically, writing
from progan_tf.images import (
    box_down,
    grid_shape,
    make_grid,
    nearest_up,
    save_png,
)
from progan_tf.reading import open_file, parse_json, refusing

METRICS_FILE = "metrics.jsonl"
# Cells of a grid are enlarged to this many pixels, to be seen without a lens.
_CELL = 64
_LARGEST_CELL_ON_BOARD = 256


def metrics_lines(run_dir):
    """The whole lines of a run's metrics.jsonl.

    Args:
        run_dir: path of the run directory; it need not have any.

    Yields:
        (int, str), images seen and the line. What is damaged, as half a line
        of a run that was killed, is passed over.

    Raises:
        UserError: if it is there, but cannot be read.
    """
    path = pathlib.Path(run_dir) / METRICS_FILE
    text = ""
    if path.exists():
        with refusing(path), open_file(path) as file:
            text = file.read().decode("utf-8", "replace")
    for line in text.splitlines():
        try:
            seen = parse_json(line)["images_seen"]
        except (ValueError, TypeError, LookupError):
            continue
        if isinstance(seen, int):
            yield seen, line + "\n"


class RunLog:
    """Writes a run directory's metrics, TensorBoard and sample grids.

    Args:
        run_dir: path of the run directory.
        resolution: int, of the whole run: all grids have its cell size.
        images_seen: int, where the run goes on. Lines of `metrics.jsonl`
            beyond it are dropped: they will be written again. So is all that
            is no such line.
        classes: int, that grids have a row each of.
    """

    def __init__(self, run_dir, resolution, images_seen=0, classes=0):
        self._folder = pathlib.Path(run_dir)
        self._samples = self._folder / "samples"
        with writing(self._samples):
            self._samples.mkdir(parents=True, exist_ok=True)
        self._cell = max(resolution, _CELL)
        self._shape = grid_shape(self._cell, classes)
        self._metrics = self._folder / METRICS_FILE
        lines = list(metrics_lines(run_dir))
        if self._metrics.exists():
            kept = [line for seen, line in lines if seen <= images_seen]
            write_text_atomically(self._metrics, "".join(kept))
        board = self._folder / "tensorboard"
        with writing(board):
            board.mkdir(exist_ok=True)
        self._writer = tf.summary.create_file_writer(str(board))

    def write_metrics(self, values):
        """Append a line to `metrics.jsonl` and to TensorBoard.

        Args:
            values: dict of numbers, `images_seen` among them.
        """
        with (
            writing(self._metrics),
            open(self._metrics, "a", encoding="utf-8") as file,
        ):
            # JSON knows neither NaN nor infinity, which a skipped step has.
            known = {
                k: v if math.isfinite(v) else None for k, v in values.items()
            }
            file.write(json.dumps(known) + "\n")
        with self._writer.as_default(step=values["images_seen"]):
            for name, value in values.items():
                tf.summary.scalar(name, value)

    def write_grid(self, tag, name, images, images_seen):
        """Write a sample grid as PNG and to TensorBoard.

        Args:
            tag: TensorBoard's name for the series of grids.
            name: file name without its ending.
            images: uint8 `[N, R, R, C]`.
            images_seen: int.
        """
        images = nearest_up(images, self._cell // images.shape[1])
        grid = make_grid(images, self.columns)
        save_png(self._samples / f"{name}.png", grid)
        # A whole grid of large pictures would make TensorBoard's file huge.
        factor = max(1, images.shape[1] // _LARGEST_CELL_ON_BOARD)
        grid = np.rint(box_down(grid[np.newaxis], factor)).astype(np.uint8)
        with self._writer.as_default(step=images_seen):
            tf.summary.image(tag, grid)

    @property
    def columns(self):
        """Pictures in a row of a grid."""
        return self._shape[0]

    @property
    def cells(self):
        """Pictures in a grid."""
        columns, rows = self._shape
        return columns * rows

    def close(self):
        """Flush what TensorBoard buffers."""
        self._writer.close()
