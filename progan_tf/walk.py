"""Make a film of a walk through the latents of a trained generator.

  python -m progan_tf.walk --run_dir=runs/x --seeds=1,5,9 --out=walk.mp4
      from seed 1 to 5 to 9 and back, two seconds each; or walk.gif
  python -m progan_tf.walk --run_dir=runs/x --seeds=1,5,9 --out=walk.png
      a strip of pictures on that way
  python -m progan_tf.walk --run_dir=runs/x --random=7 --grid=4x3 --out=r.mp4
      the official code's random walk, 20 seconds, in 4 columns and 3 rows
  python -m progan_tf.walk --run_dir=runs/x --directions=folder --direction=2
      --out=walk.gif      along a direction that progan_tf.directions found
A film ends where it begins. The same seeds always give the same film.
"""

import math

import numpy as np
from absl import flags

from progan_tf import command
from progan_tf.errors import UserError
from progan_tf.generation import films, opening, walks
from progan_tf.generation.latent_directions import (
    STEPS,
    direction,
    load_directions,
)
from progan_tf.latents import parse_seeds

FLAGS = flags.FLAGS
_CELL, _STRIP, _STRIP_LEG = 128, 8, 4  # Pixels; pictures per strip, per leg.
# The flag that selects each kind of walk, and the other flags that go with it.
_KINDS = {
    "seeds": ("loop",),
    "random": ("grid", "smoothing"),
    "directions": ("loop", "direction", "distance"),
}
_SECONDS = {"seeds": 2, "random": 20, "directions": 4}


def define_flags():
    """Define the command's flags."""
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    opening.define_flags()
    text("out", None, "FILE.mp4, .gif, or .png for a strip", required=True)
    text("seeds", None, "seeds to walk through, such as 1,5,9-12")
    number("random", None, "seed of a random walk instead", 0, 2**32 - 1)
    text("grid", None, "grid of a random walk, COLUMNSxROWS; by default 1x1")
    text("directions", None, "output of progan_tf.directions, to walk along")
    number("direction", 0, "number of the direction", 0)
    flags.DEFINE_float("distance", 3.0, "how far to go along it", 0, 1000)
    seconds = "per seed (2 by default), direction (4), or random walk (20)"
    flags.DEFINE_float("seconds", None, seconds, 0.01, 3600)
    number("fps", 30, "frames per second", 1, 120)
    flags.DEFINE_float("smoothing", 1.0, "of a random walk, in seconds", 0)
    flags.DEFINE_boolean("loop", True, "return from the last seed to the first")
    number("class", None, "class of all; by default by the seed (or cell)", 0)
    number("scale", None, "enlarges pixels; by default to cells of 128", 1)


def check_flags():
    """Refuse flags that do not go together; returns the kind of walk."""
    kinds = {name: FLAGS[name].value is not None for name in _KINDS}
    # Along a direction, seeds select the latents to be moved.
    if kinds["directions"]:
        kinds["seeds"] = False
    if sum(kinds.values()) != 1:
        raise UserError(
            "expected either --seeds=1,5,9 or --random=SEED or --directions=X"
        )
    (kind,) = (name for name, given in kinds.items() if given)
    for name in sorted({*sum(_KINDS.values(), ())} - {*_KINDS[kind]}):
        if FLAGS[name].present:
            raise UserError(f"--{name} does not go with --{kind}")
    return kind


def main():
    """Load the generator, walk, and write the film."""
    out, fps, strip = FLAGS.out, FLAGS.fps, FLAGS.out.lower().endswith(".png")
    films.check_place(out, (".mp4", ".gif", ".png"), fps)
    kind = check_flags()
    given = "0" if FLAGS.seeds is None else FLAGS.seeds
    seeds = parse_seeds(given)
    columns, cells = walks.parse_grid(FLAGS.grid or "1x1")
    generator = opening.open_flagged(FLAGS)
    size, chosen = generator.latent_size, FLAGS["class"].value
    count = max(1, round((FLAGS.seconds or _SECONDS[kind]) * fps))
    if kind == "seeds":
        leg, loop = _STRIP_LEG if strip else count, FLAGS.loop
        walk = walks.walk_through(seeds, leg, size, loop)[:, np.newaxis]
        labels = walks.classes_through(generator, seeds, leg, loop, chosen)
    elif kind == "random":
        sigma = FLAGS.smoothing * fps
        walk = walks.smooth_walk(FLAGS.random, count, cells, size, sigma)
        walk = walk[np.arange(_STRIP) * count // _STRIP] if strip else walk
        labels = generator.labels_of(range(cells), chosen)
    else:
        found = load_directions(FLAGS.directions, size)
        vector = direction(found, FLAGS.direction)
        frames, loop = (len(STEPS), False) if strip else (count, FLAGS.loop)
        way = vector, FLAGS.distance, frames, size, loop
        walk = walks.walk_along(seeds, *way)
        labels = generator.labels_of(seeds, chosen)
        columns = 1 if strip else math.ceil(math.sqrt(len(seeds)))
    scale = FLAGS.scale or max(1, _CELL // generator.resolution)
    frames = walks.walk_frames(generator, walk, columns, labels, scale)
    films.write_film(frames, out, fps, len(walk))


if __name__ == "__main__":
    command.run(main, define_flags)
