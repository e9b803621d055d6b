"""Convert weights: the official .pkl, a .pth of torch.hub, or a run's.

  python -m progan_tf.convert --weights=file.pkl --out=generator.keras
      the averaged generator as a Keras file, for generate, walk and others
  python -m progan_tf.convert --weights=file.pth --out=module --format=hub
      as a TF-Hub module; likewise --format=onnx and --format=litert
  python -m progan_tf.convert --weights=file.pkl --out=run --format=run
      --data=path      all networks, for progan_tf.train --run_dir=run
  python -m progan_tf.convert --weights=runs/x --out=runs/y --format=run
      --learning_rate=0.0005      a run that continues with other settings
  python -m progan_tf.convert --weights=cats-128 --out=runs/x --format=run
      --nolabels --data=path      a run that starts from the included networks,
      on pictures without classes
  python -m progan_tf.convert --weights=runs/x --blend=runs/y --blend_from=32
      --out=blend.keras      x with the layers from 32x32 up of a fine-tuned y
Nothing in a file is executed. The architecture follows from the file. Training
flags go with --format=run; those not given are taken from a run in --weights.
"""

import os

from absl import flags

from progan_tf import addresses, command, pretrained, settings
from progan_tf.config import NETWORK_SETTINGS, TrainConfig
from progan_tf.errors import UserError
from progan_tf.export.formats import FORMATS, check_request

FLAGS = flags.FLAGS


def define_flags():
    """Define the command's flags, and those of training."""
    text, switch = flags.DEFINE_string, flags.DEFINE_boolean
    kinds = "a published file, a run directory or cats-128"
    text("weights", None, kinds, required=True)
    text("out", None, "file or folder to write", required=True)
    flags.DEFINE_enum("format", "keras", [*FORMATS, "run"], "format of --out")
    switch("latest", None, "the generator of the last step, not the average")
    switch("trainable", None, "keep the weights of a module as variables")
    switch("overwrite", None, "replace what is at --out; never a run")
    flags.DEFINE_integer("images_seen", None, "image count a run starts at", 0)
    text("blend", None, "other weights, for the generator's higher layers")
    flags.DEFINE_integer("blend_from", None, "lowest resolution of --blend", 8)
    settings.define_flags(flags, TrainConfig, [*NETWORK_SETTINGS, "run_dir"])


def main():
    """Read the weights and write them in another format."""
    form, out, overwrite = FLAGS.format, FLAGS.out, FLAGS.overwrite
    given = settings.given_flags(FLAGS, TrainConfig)
    precision = given.get("precision", "float32")
    unsuited = {"latest", "overwrite"}
    if form != "run":
        check_request(form, out, precision, overwrite)
        unsuited = {*given, "images_seen"} - {"resolution", "precision"}
    options = {"trainable": FLAGS.trainable} if form == "hub" else {}
    unsuited |= {"trainable"} - options.keys()
    for name in sorted(unsuited):
        if FLAGS[name].value is not None:
            raise UserError(f"--{name} does not go with --format={form}")
    if (FLAGS.blend is None) != (FLAGS.blend_from is None):
        raise UserError("--blend and --blend_from go together; give both")
    highest = FLAGS.resolution if form != "run" else None
    if FLAGS.blend_from and highest and FLAGS.blend_from > highest:
        raise UserError(
            f"expected --blend_from of at most --resolution={highest}; "
            f"received {FLAGS.blend_from}, which would use nothing of --blend"
        )
    for name in ("weights", "blend"):
        place = FLAGS[name].value
        known = place is None or pretrained.named(place)
        addresses.check(place, "weights")
        known = known or addresses.is_address(place)
        if not known and not os.path.exists(place):
            raise UserError(
                f"expected a file or run directory as --{name}; there is no "
                f"{place}"
            )
    command.import_tensorflow()
    from progan_tf.data import check_apart
    from progan_tf.export.exporting import export_generator
    from progan_tf.training import fine_tuning
    from progan_tf.weights import blended, read_published

    if form == "run":
        fine_tuning.check_place(out, given)
    published = read_published(FLAGS.weights)
    if FLAGS.blend is not None:
        other = read_published(FLAGS.blend)
        published = blended(published, other, FLAGS.blend_from)
    data = published.info.settings.get("data")
    if data and form != "run" and FORMATS[form].has_picture:
        check_apart(data, out, "--out")
    print(published.describe(), end="", flush=True)
    if form == "run":
        config = fine_tuning.write_run(published, out, given, FLAGS.images_seen)
        for notice in fine_tuning.notices(published, config):
            print(notice)
        print(f"Wrote {out}; to train it, run progan_tf.train --run_dir={out}")
        return
    generator = published.finished(FLAGS.resolution, average=not FLAGS.latest)
    licence = f"\nLicence of the weights: {published.info.licence}.\n"
    difference = export_generator(
        generator, out, form, overwrite, precision, licence, options=options
    )
    print(
        f"Wrote {out}. For 8 seeds its images, with values in [0, 1], differ "
        f"from those of the original weights by at most {difference:.2g}."
    )


if __name__ == "__main__":
    command.run(main, define_flags)
