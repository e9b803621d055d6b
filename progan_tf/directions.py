"""Find directions in a generator's latent space along which pictures change.

  python -m progan_tf.directions --run_dir=runs/x --out=folder/
      the ten leading directions of its first layer's weights (SeFa)
  python -m progan_tf.directions --run_dir=runs/x --method=pca --out=folder/
      the principal components of its first convolution's output (GANSpace)
  python -m progan_tf.directions --run_dir=runs/x --method=attributes --out=d/
      towards each class, as the run's own discriminator classifies pictures
  python -m progan_tf.directions --method=attributes --samples=glasses/ --out=d/
      from samples of progan_tf.generate that you sorted into sub-folders of
      glasses/: towards the second of two, or each of several (InterFaceGAN)
  python -m progan_tf.walk --run_dir=runs/x --directions=folder --direction=2
      --out=walk.gif      a film along one of them
  python -m progan_tf.generate --run_dir=runs/x --directions=folder
      --edit=2:1.5,0:-1 --out=grid.png      pictures that are moved along two

Writes directions.npz (unit vectors and their strengths) and directions.png,
with a row for each direction and columns from -3 to 3. Moves stay on the sphere
on which latents lie.
"""

import pathlib

from absl import flags

from progan_tf import command, pretrained
from progan_tf.errors import UserError
from progan_tf.files import check_folder, making
from progan_tf.generation import opening
from progan_tf.generation.attribute_directions import (
    from_classifier,
    from_samples,
)
from progan_tf.generation.latent_directions import (
    DIRECTIONS_FILE,
    METHODS,
    PICTURE_FILE,
    picture,
    save_directions,
)
from progan_tf.images import save_png

FLAGS = flags.FLAGS


def define_flags():
    """Define the command's flags."""
    opening.define_flags()
    number, text = flags.DEFINE_integer, flags.DEFINE_string
    text("out", None, "FOLDER/ for the files", required=True)
    methods = [*METHODS, "attributes"]
    flags.DEFINE_enum("method", "sefa", methods, "how to find the directions")
    text("samples", None, "for attributes: samples, a sub-folder per class")
    text("labels_file", None, "classes of --samples, instead of sub-folders")
    made = "for attributes: pictures to classify; by default 4096"
    number("num_samples", None, made, 64, 1_000_000)
    number("count", 10, "number of directions", 1)
    number("seed", 0, "seed of the latent in directions.png", 0, 2**32 - 1)
    number("class", None, "class in directions.png; by default by the seed", 0)


def main():
    """Load the generator, find directions and write them."""
    out = pathlib.Path(FLAGS.out)
    check_folder(out)
    if FLAGS.method != "attributes":
        for name in ("samples", "labels_file", "num_samples"):
            if FLAGS[name].value is not None:
                raise UserError(f"--{name} needs --method=attributes")
    if FLAGS.labels_file is not None and FLAGS.samples is None:
        raise UserError("--labels_file needs --samples")
    generator = opening.open_flagged(FLAGS)
    if FLAGS.samples is not None:
        given = FLAGS.samples, FLAGS.labels_file, FLAGS.count
        directions = from_samples(generator, *given)
    elif FLAGS.method == "attributes":
        directions = _from_discriminator(generator)
    else:
        directions = METHODS[FLAGS.method](generator, FLAGS.count)
    grid = picture(generator, directions, FLAGS.seed, FLAGS["class"].value)
    with making(out):
        save_directions(out, directions)
        save_png(out / PICTURE_FILE, grid)
    for number, strength in enumerate(directions.strengths):
        name = f"  {directions.names[number]}" if directions.names else ""
        print(f"direction {number:3}: {strength:6.2%}{name}")
    print(f"Wrote {out / DIRECTIONS_FILE} and {out / PICTURE_FILE}")


def _from_discriminator(generator):
    """`Directions` of the classes, by the discriminator of the run."""
    if FLAGS.module or not (generator.origin and generator.num_classes):
        raise UserError(
            "expected a run with classes, whose discriminator tells them "
            "apart; for any other generator, give sorted samples with --samples"
        )
    from progan_tf.weights import read_published

    networks = read_published(FLAGS.run_dir or pretrained.DEFAULT)
    model = networks.discriminator.at(generator.resolution, fade=False)
    given = FLAGS.count, FLAGS.num_samples or 4096
    return from_classifier(generator, lambda x: model(x)[1], *given)


if __name__ == "__main__":
    command.run(main, define_flags)
