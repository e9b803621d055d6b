"""Generate images with a trained generator.

  python -m progan_tf.generate --run_dir=runs/cats-laptop-32 --out=grid.png
      a grid of the images of seeds 0 to 63
  python -m progan_tf.generate --run_dir=runs/x --seeds=1,5,9-12 --out=folder/
      a file for each seed: seed000001.png, seed000005.png, ...
  python -m progan_tf.generate --run_dir=generator.keras --class=3 --out=3.png
      images of one class

The same seed gives the same image, whatever other seeds it comes with.
"""

import itertools
import os

import tqdm
from absl import flags

from progan_tf import command
from progan_tf import sampling
from progan_tf.errors import UserError

FLAGS = flags.FLAGS


def define_flags():
    """Define the command's flags."""
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    text("run_dir", None, "a run directory or a .keras file", required=True)
    text("seeds", "0-63", "such as 0-63 or 1,5,9-12")
    text("out", None, "FILE.png for a grid, FOLDER/ for files", required=True)
    number("resolution", None, "any finished; by default the highest", 4)
    flags.DEFINE_boolean(
        "latest", False, "the weights of the last step, not their average"
    )
    number("class", None, "of all images; by default seed modulo classes", 0)
    number("columns", None, "of the grid; by default about square", 1)
    number("batch_size", 32, "images handed on together; changes none", 1)


def main():
    """Load the generator and write its images."""
    seeds, out = sampling.parse_seeds(FLAGS.seeds), FLAGS.out
    # A mistake should not show only when all images are made.
    sampling.is_folder(out)
    if FLAGS.latest and os.path.isfile(FLAGS.run_dir):
        raise UserError(
            "--latest needs a run directory; a .keras file holds one generator"
        )
    # Only now, because TensorFlow takes seconds to import.
    command.import_tensorflow()
    from progan_tf.checkpoint import load_generator

    generator = load_generator(
        FLAGS.run_dir, FLAGS.resolution, average=not FLAGS.latest
    )
    chosen = FLAGS["class"].value
    labels = None if chosen is None else [chosen] * len(seeds)
    batches = sampling.iterate_images(
        generator, seeds, labels, FLAGS.batch_size
    )
    images = tqdm.tqdm(
        itertools.chain.from_iterable(batches),
        total=len(seeds),
        unit="image",
        # Only where stderr is a terminal.
        disable=None,
    )
    sampling.save_images(images, seeds, out, FLAGS.columns)


if __name__ == "__main__":
    command.run(main, define_flags)
