"""Train a progressive GAN, or resume a run that was stopped.

  python -m progan_tf.train --preset=laptop
      a small network on cats, for a machine without a GPU
  python -m progan_tf.train --resolution=1024
      the official code's settings, on all local GPUs
  python -m progan_tf.train --preset=gpu-8gb --data=path/to/pictures
      your own pictures, on one GPU
  python -m progan_tf.train --resolution=1024 --dry_run
      the schedule and its cost, without training
  python -m progan_tf.train --data=path/to/pictures --resolution=256
      --augment=color,translation,cutout --preview_augment=seen.png
      augmented pictures as the discriminator would see them, without training

Progress, samples and weights go to --run_dir. Run the same command again to
resume. A flag that is not given has the preset's value.
"""

from absl import flags

from progan_tf import command, pretrained, settings
from progan_tf.config import TrainConfig, report, resume
from progan_tf.data import kind_named
from progan_tf.training.run_data import open_data


def define_flags():
    """Define a flag for every setting, and the command's own."""
    settings.define_flags(flags, TrainConfig)
    flags.DEFINE_boolean(
        "dry_run", False, "print the schedule and its cost, and exit"
    )
    flags.DEFINE_string(
        "preview_augment", None, "write FILE.png of augmented reals, and exit"
    )


def count_replicas(device_names):
    """How many devices share a minibatch, over all processes."""
    # TensorFlow takes seconds to import; --help and errors do not need it.
    command.import_tensorflow()
    from progan_tf.training import devices

    return devices.count_replicas(device_names)


def write_preview(config, path):
    """Write a picture of augmented reals."""
    # For the same reason as above.
    command.import_tensorflow()
    from progan_tf.training import preview

    preview.check_preview(config, path)
    source, _, config = open_data(config)
    preview.write_preview(config, source, path)


def main():
    """Resolve the settings and train, or print what would be trained."""
    given = settings.given_flags(flags.FLAGS, TrainConfig)
    pretrained.check_no_name(given.get("run_dir"))
    config, resumed = resume.resolve_for_run(given, count_replicas)
    if preview := flags.FLAGS.preview_augment:
        write_preview(config, preview)
    if flags.FLAGS.dry_run:
        if not kind_named(config.data).may_download:
            _, _, config = open_data(config)
        print(report.dry_run(config, resumed))
    if preview or flags.FLAGS.dry_run:
        return
    # For the same reason as above.
    from progan_tf.trainer import Trainer

    Trainer(config).train()


if __name__ == "__main__":
    command.run(main, define_flags)
