"""Find directions in a generator's latents along which pictures change.

  python -m progan_tf.directions --run_dir=runs/x --out=folder/
      the ten strongest in the weights of its first layer (SeFa), in a second
  python -m progan_tf.directions --run_dir=runs/x --method=pca --out=folder/
      the principal axes of what its first convolution gives (GANSpace)
  python -m progan_tf.walk --run_dir=runs/x --directions=folder --direction=2
      --out=walk.gif      a film along one of them
  python -m progan_tf.generate --run_dir=runs/x --directions=folder
      --edit=2:1.5,0:-1 --out=grid.png      pictures that are moved along two

Writes directions.npz (unit vectors and their strengths) and directions.png, a
row a direction, whose columns go from -3 to 3. Moves stay on the sphere on
which latents lie.
"""

import pathlib

from absl import flags

from progan_tf import command
from progan_tf.files import check_folder, making
from progan_tf.generation import opening
from progan_tf.generation.latent_directions import (
    DIRECTIONS_FILE,
    METHODS,
    PICTURE_FILE,
    Directions,
    load_directions,
    pca,
    picture,
    save_directions,
    sefa,
)
from progan_tf.images import save_png

__all__ = ["Directions", "load_directions", "pca", "sefa"]

FLAGS = flags.FLAGS


def define_flags():
    """Define the command's flags."""
    opening.define_flags()
    number = flags.DEFINE_integer
    flags.DEFINE_string("out", None, "FOLDER/ for the files", required=True)
    flags.DEFINE_enum("method", "sefa", list(METHODS), "how they are found")
    number("count", 10, "of directions", 1)
    number("seed", 0, "of the picture's latent", 0, 2**32 - 1)
    number("class", None, "of the picture; by default seed modulo classes", 0)


def main():
    """Load the generator, look for directions and write them."""
    out = pathlib.Path(FLAGS.out)
    check_folder(out)
    generator = opening.open_flagged(FLAGS)
    directions = METHODS[FLAGS.method](generator, FLAGS.count)
    grid = picture(generator, directions, FLAGS.seed, FLAGS["class"].value)
    with making(out):
        save_directions(out, directions)
        save_png(out / PICTURE_FILE, grid)
    for number, strength in enumerate(directions.strengths):
        print(f"direction {number:3}: {strength:6.2%}")
    print(f"Wrote {out / DIRECTIONS_FILE} and {out / PICTURE_FILE}")


if __name__ == "__main__":
    command.run(main, define_flags)
