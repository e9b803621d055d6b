"""Make a film of a walk through the latents of a trained generator.

  python -m progan_tf.walk --run_dir=runs/x --seeds=1,5,9 --out=walk.mp4
      from seed 1 to 5 to 9 and back, two seconds a leg; or walk.gif
  python -m progan_tf.walk --run_dir=runs/x --seeds=1,5,9 --out=walk.png
      a strip of pictures on that way
  python -m progan_tf.walk --run_dir=runs/x --random=7 --grid=4x3 --out=r.mp4
      the official code's random walk, 20 seconds, in 4 columns and 3 rows

A film ends where it begins. The same seeds always give the same film.
"""

import re

import numpy as np
from absl import flags

from progan_tf import command
from progan_tf import sampling
from progan_tf.errors import UserError
from progan_tf.generation import films
from progan_tf.generation import generator_flags
from progan_tf.generation import walks

FLAGS = flags.FLAGS
_CELL = 128  # pixels that one sees without a lens
_STRIP, _STRIP_LEG = 8, 4  # pictures of a random walk, and of a leg


def define_flags():
    """Define the command's flags."""
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    generator_flags.define_flags()
    text("out", None, "FILE.mp4, .gif, or .png for a strip", required=True)
    text("seeds", None, "to walk through, such as 1,5,9-12")
    number("random", None, "seed of a random walk instead", 0, 2**32 - 1)
    text("grid", None, "of the random walk, COLUMNSxROWS; by default 1x1")
    seconds = "of a leg (2 by default), or of a random walk (20)"
    flags.DEFINE_float("seconds", None, seconds, 0.01, 3600)
    number("fps", 30, "frames a second", 1, 120)
    flags.DEFINE_float("smoothing", 1.0, "seconds, of a random walk", 0)
    flags.DEFINE_boolean("loop", True, "go from the last seed to the first")
    number("class", None, "of all; by default seed (or cell) modulo classes", 0)
    number("scale", None, "enlarges pixels; by default to cells of 128", 1)


def main():
    """Load the generator, walk, and write the film."""
    out, fps, strip = FLAGS.out, FLAGS.fps, FLAGS.out.lower().endswith(".png")
    films.check_place(out, (".mp4", ".gif", ".png"), fps)
    if (FLAGS.seeds is None) == (FLAGS.random is None):
        raise UserError("expected either --seeds=1,5,9 or --random=SEED")
    seeds = FLAGS.random is None and sampling.parse_seeds(FLAGS.seeds)
    grid = re.fullmatch(r"([1-9]\d?)x([1-9]\d?)", FLAGS.grid or "1x1", re.A)
    if grid is None or (FLAGS.grid and seeds):
        raise UserError(f"expected --random with --grid=4x3; got {FLAGS.grid}")
    columns, rows = int(grid[1]), int(grid[2])
    generator = generator_flags.open_generator(
        FLAGS.run_dir, FLAGS.module, FLAGS.resolution
    )
    size, _ = sampling.input_sizes(generator)
    count = max(1, round((FLAGS.seconds or (2 if seeds else 20)) * fps))
    if seeds:
        leg = _STRIP_LEG if strip else count
        walk = walks.walk_through(seeds, leg, size, FLAGS.loop)[:, np.newaxis]
    else:
        cells, sigma = columns * rows, FLAGS.smoothing * fps
        walk = walks.smooth_walk(FLAGS.random, count, cells, size, sigma)
        walk = walk[np.arange(_STRIP) * count // _STRIP] if strip else walk
    firsts = seeds[:1] if seeds else range(columns * rows)
    labels = walks.cell_labels(generator, firsts, FLAGS["class"].value)
    scale = FLAGS.scale or max(1, _CELL // generator.output_shape[1])
    frames = walks.walk_frames(generator, walk, columns, labels, scale)
    films.write(frames, out, fps, len(walk))


if __name__ == "__main__":
    command.run(main, define_flags)
