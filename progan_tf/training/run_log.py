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
    """Yields (int images seen, str) of the lines of a run's metrics.jsonl.

    It need not be there. What is damaged, such as half a line of a run that was
    killed, is passed over. Raises UserError if the file cannot be read.
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
        if type(seen) is int and 0 <= seen < 2**63:
            yield seen, line + "\n"


class RunLog:
    """Writes a run directory's metrics, TensorBoard and sample grids.

    All grids have the cell size of the resolution, that of the whole run, and
    a row for each of its classes. Lines of `metrics.jsonl` beyond images_seen,
    where the run goes on, are dropped, as they will be written again; so is all
    that is no such line.

    Attributes:
        columns, cells: ints, pictures in a row of a grid and in all of it.
    """

    def __init__(self, run_dir, resolution, images_seen=0, classes=0):
        folder = pathlib.Path(run_dir)
        self._samples, board = folder / "samples", folder / "tensorboard"
        for each in (self._samples, board):
            with writing(each):
                each.mkdir(parents=True, exist_ok=True)
        self._cell = max(resolution, _CELL)
        self.columns, rows = grid_shape(self._cell, classes)
        self.cells = self.columns * rows
        self._metrics = folder / METRICS_FILE
        lines = list(metrics_lines(run_dir))
        if self._metrics.exists():
            kept = [line for seen, line in lines if seen <= images_seen]
            write_text_atomically(self._metrics, "".join(kept))
        self._writer = tf.summary.create_file_writer(str(board))

    def write_metrics(self, values):
        """Append a dict of numbers to `metrics.jsonl` and to TensorBoard."""
        # JSON knows neither NaN nor infinity, which a skipped step has.
        known = {k: v if math.isfinite(v) else None for k, v in values.items()}
        path = self._metrics
        with writing(path), open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(known) + "\n")
        with self._writer.as_default(step=values["images_seen"]):
            for name, value in values.items():
                tf.summary.scalar(name, value)

    def write_grid(self, tag, name, images, images_seen):
        """Write uint8 `[N, R, R, C]` as the grid NAME.png and to TensorBoard.

        There it belongs to the series of grids `tag`.
        """
        images = nearest_up(images, self._cell // images.shape[1])
        grid = make_grid(images, self.columns)
        save_png(self._samples / f"{name}.png", grid)
        # A whole grid of large pictures would make TensorBoard's file huge.
        factor = max(1, images.shape[1] // _LARGEST_CELL_ON_BOARD)
        grid = np.rint(box_down(grid[np.newaxis], factor)).astype(np.uint8)
        with self._writer.as_default(step=images_seen):
            tf.summary.image(tag, grid)

    def close(self):
        """Flush what TensorBoard buffers."""
        self._writer.close()
