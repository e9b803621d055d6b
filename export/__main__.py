"""Export a trained generator as a TF-Hub module or a Keras file.

  python -m progan_tf.export --run_dir=runs/cats-laptop-32 --out=module
      a module for hub.load, hub.KerasLayer and TFSMLayer
  python -m progan_tf.export --run_dir=runs/cats-laptop-32 --out=module.tar.gz
      the same for a web server, from which hub.load takes it
  python -m progan_tf.export --generator=generator.keras --out=m --trainable
      with variables, for fine-tuning
  python -m progan_tf.export --run_dir=runs/x --format=keras --out=x.keras
      a file for Keras, on any backend

The average of the weights, fully faded in, also while the run is training.
"""

import pathlib

from absl import flags

from progan_tf import command
from progan_tf.errors import UserError

FLAGS = flags.FLAGS


def define_flags():
    """Define the command's flags."""
    text = flags.DEFINE_string
    text("run_dir", None, "a run directory")
    text("generator", None, "a .keras file, in place of a run directory")
    text("out", None, "what to write", required=True)
    flags.DEFINE_enum("format", "hub", ("hub", "keras"), "of what is written")
    flags.DEFINE_integer(
        "resolution", None, "any finished; by default the highest", 4
    )
    flags.DEFINE_boolean("trainable", False, "keep the weights as variables")
    flags.DEFINE_boolean("overwrite", False, "replace what is at --out")


def main():
    """Load the generator and write it."""
    if (FLAGS.run_dir is None) == (FLAGS.generator is None):
        raise UserError("expected one of --run_dir and --generator")
    command.import_tensorflow()
    from progan_tf import export
    from progan_tf.checkpoint import load_generator
    from progan_tf.checkpoint import run_origin
    from progan_tf.export.card import card_files

    source = FLAGS.run_dir or FLAGS.generator
    generator = load_generator(source, FLAGS.resolution)
    if FLAGS.format == "keras":
        difference = export.export_keras_file(
            generator, FLAGS.out, FLAGS.overwrite
        )
    else:
        origin = run_origin(FLAGS.run_dir) if FLAGS.run_dir else None
        difference = export.export_saved_model(
            generator,
            FLAGS.out,
            FLAGS.trainable,
            FLAGS.overwrite,
            card_files(generator, origin),
        )
    out = pathlib.Path(FLAGS.out)
    print(
        f"Wrote {out}: on 8 seeds its images differ from the generator's by "
        f"{difference:.2g} at most, of 1."
    )


if __name__ == "__main__":
    command.run(main, define_flags)
