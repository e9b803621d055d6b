"""Measure generated pictures against the training data.

  python -m progan_tf.evaluate --run_dir=runs/cats-laptop-32
      the newest snapshot by the metrics that need no network: swd, ms_ssim
  python -m progan_tf.evaluate --run_dir=runs/x --all --num_images=4096
      every checkpoint that was kept, with a plot over images seen
  python -m progan_tf.evaluate --run_dir=runs/x --metrics=frechet --features=X
      in the features of X, an image module or classify_image_graph_def.pb;
      likewise inception_score, kid, precision_recall
  python -m progan_tf.evaluate --run_dir=runs/x --metrics=neighbours
      --held_out=folder      samples with their nearest training pictures, as a
      picture, and the share of copies, beside that of held-out pictures
  python -m progan_tf.evaluate --module=folder --data=cats
      a TF-Hub module; or --images=folder, pictures of any generator

The row "reals" is the metric of other real pictures: the noise floor. Pictures
of a run that is still growing are enlarged to its final resolution and compared
there, as in the official code. The results of a run also go to
RUN/evaluation, as metrics.jsonl and a plot, and to TensorBoard.
"""

import os

from absl import flags

from progan_tf import command, pretrained
from progan_tf.config import CONFIG_FILE
from progan_tf.data import check_apart
from progan_tf.errors import UserError
from progan_tf.evaluation import evaluation, measures
from progan_tf.evaluation.opening import open_subjects
from progan_tf.generation import opening

FLAGS = flags.FLAGS


def define_flags():
    """Define the command's flags."""
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    text("run_dir", None, pretrained.RUN_DIR_HELP)
    text("module", None, opening.MODULE_HELP)
    text("images", None, "pictures instead: a folder, or FILE.npz")
    flags.DEFINE_boolean("all", False, "every snapshot of the run")
    text("data", None, "real data, as for training; by default the run's")
    mirror = "mirror half of the real data; by default as the run"
    flags.DEFINE_boolean("mirror", None, mirror)
    known = ",".join(measures.NAMES)
    flags.DEFINE_list("metrics", list(measures.PLAIN), f"some of {known}")
    text("features", None, "network: an image module, or Inception's .pb")
    number("num_images", None, "images per set; by default as published", 1)
    number("seed", 0, "seed of the first image", 0, 2**31)
    number("resolution", None, "compare at this, not the final resolution", 4)
    text("out", None, "folder for the results; by default RUN/evaluation")
    text("cache_dir", None, "for statistics of the data; by default the user's")
    text("held_out", None, "held-out pictures; by default those of --hold_out")
    opening.define_trust()


def main():
    """Open the subjects and the data, and evaluate them."""
    sources = FLAGS.run_dir, FLAGS.module, FLAGS.images
    if sum(source is not None for source in sources) > 1:
        raise UserError("expected one of --run_dir, --module and --images")
    if FLAGS.all and FLAGS.run_dir is None:
        raise UserError("--all needs --run_dir")
    if (FLAGS.module or FLAGS.images) and FLAGS.data is None:
        raise UserError("--module and --images need --data")
    if FLAGS.out and os.path.exists(os.path.join(FLAGS.out, CONFIG_FILE)):
        # Its metrics.jsonl is the log of the training, which may be running.
        raise UserError(
            f"--out={FLAGS.out} is a run directory; leave --out out to write "
            "the results of a run to RUN/evaluation, or choose another folder"
        )
    if FLAGS.held_out and measures.NEIGHBOURS not in FLAGS.metrics:
        raise UserError("--held_out needs --metrics=neighbours")
    measures.check_names(FLAGS.metrics, bool(FLAGS.features))
    # Only now, because TensorFlow takes seconds to import.
    if FLAGS.images is None or FLAGS.features:
        command.import_tensorflow()
    what = open_subjects(*sources, FLAGS.all, FLAGS.trust)
    of_data = FLAGS.data, FLAGS.resolution, FLAGS.mirror
    reals = evaluation.reals_for(what, *of_data)
    if FLAGS.out:
        images = FLAGS.images and os.path.abspath(FLAGS.images)
        for data in filter(None, (reals.data, images, FLAGS.held_out)):
            check_apart(data, FLAGS.out, "--out")
    options = FLAGS.features, FLAGS.num_images, FLAGS.seed, FLAGS.out
    options += FLAGS.cache_dir, FLAGS.trust
    if measures.NEIGHBOURS in FLAGS.metrics:
        options += (evaluation.held_out_for(what, reals, FLAGS.held_out),)
    evaluation.Evaluation(what, reals, FLAGS.metrics, *options).run()


if __name__ == "__main__":
    command.run(main, define_flags)
