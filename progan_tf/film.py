"""Make a film of a run: how its samples changed from the first to the last.

  python -m progan_tf.film --run_dir=runs/cats-laptop-32 --out=growth.mp4
      the same 8 x 4 latents throughout, in 20 seconds
  python -m progan_tf.film --run_dir=runs/x --columns=4 --rows=2 --out=g.gif
      only the 4 x 2 in the upper left

The pictures are those in the run's folder samples/, also while it is still
training. A bar at the lower edge shows the progress of the film.
"""

from absl import flags

from progan_tf import command, pretrained
from progan_tf.config import load_config
from progan_tf.data import check_apart
from progan_tf.generation import films, run_film

FLAGS = flags.FLAGS


def define_flags():
    """Define the command's flags."""
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    text("run_dir", None, "a run directory", required=True)
    text("out", None, "FILE.mp4 or FILE.gif", required=True)
    flags.DEFINE_float("seconds", 20.0, "length of the film", 0.01, 3600)
    number("fps", 30, "frames per second", 1, 120)
    number("columns", None, "columns of the grid; by default up to 8", 1)
    number("rows", None, "rows of the grid; by default up to 4", 1)
    by_images = (
        "show each sample in proportion to the images seen until the next one; "
        "by default all equally long"
    )
    flags.DEFINE_boolean("by_images", False, by_images)


def main():
    """Read the samples and write the film."""
    pretrained.check_no_name(FLAGS.run_dir)
    films.check_place(FLAGS.out, (".mp4", ".gif"), FLAGS.fps)
    total = max(1, round(FLAGS.seconds * FLAGS.fps))
    frames = run_film.growth_frames(
        FLAGS.run_dir, total, FLAGS.columns, FLAGS.rows, FLAGS.by_images
    )
    check_apart(load_config(FLAGS.run_dir).data, FLAGS.out, "--out")
    films.write_film(frames, FLAGS.out, FLAGS.fps, total)


if __name__ == "__main__":
    command.run(main, define_flags)
