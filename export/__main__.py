"""Export a trained generator for TensorFlow, ONNX, browsers and others.

  python -m progan_tf.export --run_dir=runs/cats-laptop-32 --out=module
      a TF-Hub module for hub.load, hub.KerasLayer and TFSMLayer
  python -m progan_tf.export --run_dir=runs/cats-laptop-32 --out=module.tar.gz
      the same, packed for a web server, from where hub.load can load it
  python -m progan_tf.export --generator=generator.keras --out=m --trainable
      with trainable variables, for fine-tuning
  python -m progan_tf.export --run_dir=cats-128 --class=3 --out=m
      one class only, which needs no labels
  python -m progan_tf.export --run_dir=runs/x --format=onnx --out=x.onnx
      a file for onnxruntime and others; --format=litert writes x.tflite for
      LiteRT, on phones and the like (in browsers with --batch_size=1), and
      --format=keras x.keras for Keras
  python -m progan_tf.export --run_dir=runs/x --format=web --out=site
      a folder with the page of progan_tf.explore, for any web server
  python -m progan_tf.export --run_dir=runs/x --push=hf://USER/MODEL
      to the Hugging Face Hub, from where --run_dir=hf://USER/MODEL and Keras
      load it; log in first with: hf auth login

Exports the moving average, fully faded in, also while the run is training. The
export is compared with the generator before it is moved to --out.
"""

from absl import flags

from progan_tf import addresses, command, pretrained
from progan_tf.config.precision import PRECISIONS
from progan_tf.errors import UserError
from progan_tf.export.formats import FORMATS, check_request

FLAGS = flags.FLAGS


def define_flags():
    """Define the command's flags."""
    text, choice = flags.DEFINE_string, flags.DEFINE_enum
    text("run_dir", None, pretrained.RUN_DIR_HELP)
    text("generator", None, "a .keras file, in place of a run directory")
    text("out", None, "file or folder to write")
    text("push", None, "hf://USER/MODEL in place of --out, as a Keras model")
    text("license", None, "licence for --push, as the Hub names it: cc-by-4.0")
    choice("format", "hub", list(FORMATS), "format of --out")
    choice("precision", "float32", PRECISIONS, "number format to compute in")
    flags.DEFINE_integer("resolution", None, "by default the highest", 4)
    of_one = "draw only this class, from latents alone"
    flags.DEFINE_integer("class", None, of_one, 0)
    for_hub = "with --format=hub: keep the weights as variables"
    flags.DEFINE_boolean("trainable", False, for_hub)
    for_litert = "with --format=litert: the fixed batch size"
    flags.DEFINE_integer("batch_size", None, for_litert, 1, 1024)
    flags.DEFINE_boolean("overwrite", False, "replace what is at --out")


def main():
    """Load the generator and write it, or push it."""
    push = FLAGS.push
    if (FLAGS.out is None) == (push is None):
        raise UserError("expected one of --out and --push")
    if push is not None:
        _push(push)
        return
    if FLAGS.license is not None:
        raise UserError("--license needs --push")
    form, out, precision = FLAGS.format, FLAGS.out, FLAGS.precision
    names = "trainable", "batch_size"
    options = {name: FLAGS[name].value for name in names if FLAGS[name].value}
    # Checked here, too, so that these errors do not wait for TensorFlow.
    check_request(form, out, precision, FLAGS.overwrite, options)
    generator, metrics = _opened()
    from progan_tf.export.exporting import export_generator

    arguments = generator, out, form, FLAGS.overwrite, precision
    difference = export_generator(*arguments, metrics=metrics, options=options)
    print(
        f"Wrote {out}. For 8 seeds its images, with values in [0, 1], differ "
        f"from the generator's by at most {difference:.2g}."
    )


def _push(name):
    """Check the name and the flags, and push the generator."""
    for flag in ("trainable", "batch_size", "overwrite"):
        if FLAGS[flag].value:
            raise UserError(f"--{flag} does not go with --push")
    if FLAGS["format"].present and FLAGS.format != "keras":
        raise UserError(
            "--push always writes the format keras; leave --format out"
        )
    addresses.repository(name)
    addresses.check(name, "generator")
    generator, metrics = _opened()
    from progan_tf.export.pushing import push

    url = push(generator, name, FLAGS.precision, metrics, FLAGS.license)
    print(f"Pushed to {url}; load it with --run_dir={name}")


def _opened():
    """The generator that the flags name, and its newest metrics, or None."""
    if FLAGS.run_dir is not None and FLAGS.generator is not None:
        raise UserError("expected one of --run_dir and --generator")
    from progan_tf.generation.opening import open_generator

    source, label = FLAGS.run_dir or FLAGS.generator, FLAGS["class"].value
    generator = open_generator(source, resolution=FLAGS.resolution)
    if label is not None:
        from progan_tf.export.one_class import of_one_class

        generator = of_one_class(generator, label)
    from progan_tf.evaluation.lines import newest_metrics

    # The metrics were measured on all classes.
    if label is not None or not generator.origin:
        return generator, None
    return generator, newest_metrics(*generator.origin, generator.resolution)


if __name__ == "__main__":
    command.run(main, define_flags)
