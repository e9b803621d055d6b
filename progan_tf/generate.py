"""Generate images with a trained generator.

  python -m progan_tf.generate --out=grid.png
      a grid of the images of seeds 0 to 63, from the included generator; or
      grid.jpg
  python -m progan_tf.generate --run_dir=runs/cats-laptop-32 --out=grid.png
      from the generator of a run
  python -m progan_tf.generate --run_dir=runs/x --seeds=1,5,9-12 --out=folder/
      a file for each seed: seed000001.png, seed000005.png, ...
  python -m progan_tf.generate --run_dir=runs/x --seeds=0-49999 --out=x.npz
      arrays: images uint8 [50000, R, R, 3], seeds, and labels of classes
  python -m progan_tf.generate --run_dir=generator.keras --class=3 --out=3.png
      images of one class
  python -m progan_tf.generate --module=folder --out=grid.png
      from a TF-Hub module, for example one written by progan_tf.export
  python -m progan_tf.generate --run_dir=runs/x --directions=folder
      --edit=2:1.5,0:-1 --out=grid.png
      moved along directions that progan_tf.directions found

A seed always gives the same image, whatever other seeds are drawn with it. If
interrupted, run the same command again: it continues where it stopped.
"""

from absl import flags

from progan_tf import command
from progan_tf.errors import UserError
from progan_tf.generation import array_files, image_files, opening
from progan_tf.generation.latent_directions import load_directions, parse_edit
from progan_tf.latents import parse_seeds

FLAGS = flags.FLAGS


def define_flags():
    """Define the command's flags."""
    opening.define_flags()
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    switch = flags.DEFINE_boolean
    text("seeds", "0-63", "seeds of the images, such as 0-63 or 1,5,9-12")
    places = "FOLDER/ for files, FILE.png or .jpg for a grid, .npy, .npz"
    text("out", None, places, required=True)
    kinds = image_files.FORMATS
    flags.DEFINE_enum("format", None, kinds, "file format; by default png")
    switch("overwrite", False, "replace the images of another request")
    switch("latest", False, "the weights of the last step, not their average")
    number("class", None, "class of all; by default seed modulo classes", 0)
    number("columns", None, "columns of the grid; by default about square", 1)
    text("directions", None, "output of progan_tf.directions, for --edit")
    text("edit", None, "DIRECTION:DISTANCE, ..., such as 2:1.5,0:-1")


def main():
    """Load the generator and write its images."""
    seeds, out = parse_seeds(FLAGS.seeds), FLAGS.out
    if (FLAGS.directions is None) != (FLAGS.edit is None):
        raise UserError("--edit needs --directions, and --directions --edit")
    # Now, so that an error does not appear only after all images are made.
    is_folder, ending = image_files.place_of(out, FLAGS.format)
    generator = opening.open_flagged(FLAGS, FLAGS.latest)
    offset = None
    if FLAGS.edit is not None:
        found = load_directions(FLAGS.directions, generator.latent_size)
        offset = parse_edit(FLAGS.edit, found)
    chosen = FLAGS["class"].value
    source = image_files.SeededImages(generator, chosen, offset)
    if not is_folder and ending in image_files.GRIDS:
        image_files.save_grid(source, seeds, out, FLAGS.columns)
        return
    if is_folder:
        to = out, ending, FLAGS.overwrite
        made = image_files.save_folder(source, seeds, *to)
    else:
        made = array_files.save_array(source, seeds, out, FLAGS.overwrite)
    if not made:
        print(f"{out} already holds these images; nothing was generated.")


if __name__ == "__main__":
    command.run(main, define_flags)
