"""Prepare pictures for training: a data set in one folder, read fast.

  python -m progan_tf.prepare --source=photos/ --resolution=256 --out=data/set
      a folder of pictures; with --labels its sub-folders are the classes
  python -m progan_tf.prepare --source=mnist.npz --channels=1 --out=data/mnist
  python -m progan_tf.prepare --source=tfds:cifar10 --labels --out=data/cifar10
  python -m progan_tf.prepare --inspect=data/set
      describe a prepared set, with a picture of samples
  python -m progan_tf.prepare --verify=data/set
      check that every record is intact
Then train with --data=data/set.
"""

from absl import flags

from progan_tf import command, preparation
from progan_tf.data import open_source
from progan_tf.data.sources import usage
from progan_tf.errors import UserError
from progan_tf.preparation import inspection
from progan_tf.preparation.writers import FORMS

FLAGS = flags.FLAGS


def define_flags():
    """Define the command's flags."""
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    text("source", None, usage(preparing=True))
    text("inspect", None, "FOLDER of a prepared set to describe")
    text("verify", None, "FOLDER of a prepared set to check, record by record")
    text("out", None, "FOLDER to write; with --inspect FILE.png for samples")
    number("resolution", None, "highest resolution; by default the source's", 4)
    number("max_images", None, "pictures at most; by default all", 1)
    number("shuffle_seed", 123, "-1 keeps the source's order", -1, 2**32 - 1)
    number("channels", 3, "3 for RGB, 1 for grey", 1, 3)
    flags.DEFINE_boolean("labels", False, "write the classes, too")
    text(
        "labels_file",
        None,
        "classes of a folder: .npy, or lines of CLASS or FILE,CLASS",
    )
    flags.DEFINE_enum("format", FORMS[0], FORMS, "uncompressed or compressed")
    text("name", None, "prefix of the files; by default the folder's name")
    flags.DEFINE_boolean("overwrite", False, "replace an existing set")


def main():
    """Prepare, inspect or verify."""
    # An empty value, as from an unset shell variable, counts as not given.
    if sum(map(bool, (FLAGS.source, FLAGS.inspect, FLAGS.verify))) != 1:
        raise UserError("expected one of --source, --inspect and --verify")
    if FLAGS.inspect:
        print(inspection.describe(FLAGS.inspect))
        print(f"samples: {inspection.save_samples(FLAGS.inspect, FLAGS.out)}")
        return
    out, overwrite = FLAGS.out, FLAGS.overwrite
    if FLAGS.source:
        preparation.check_place(out, overwrite, FLAGS.source)
    # Only now, because it takes seconds; it writes and checks records.
    command.import_tensorflow()
    if FLAGS.verify:
        print(inspection.verify(FLAGS.verify))
        return
    wanted = (FLAGS.channels, FLAGS.labels, FLAGS.labels_file)
    source = open_source(FLAGS.source, *wanted, preparing=True)
    seed, labels = FLAGS.shuffle_seed, bool(FLAGS.labels or FLAGS.labels_file)
    order = preparation.choose(source, FLAGS.max_images, seed)
    size = FLAGS.resolution or source.resolution
    preparation.prepare(
        source, order, out, size, FLAGS.format, FLAGS.name, labels, overwrite
    )
    print(inspection.describe(out))


if __name__ == "__main__":
    command.run(main, define_flags)
