"""What ends a run that cannot go on as it is, and how to go on after it."""

from progan_tf.errors import UserError


def too_large(config, call):
    """The error where the devices' memory does not hold a step.

    Args:
        config: `TrainConfig`.
        call: `feed.Call`, the steps that were to be taken.
    """
    size = call.resolution
    # A run that has not begun leaves nothing to go on from.
    how = _another_run(config) if call.start else "begin again"
    return UserError(
        f"the memory does not hold a step of {call.batch_size} images of "
        f"{size}x{size} in {config.precision}; {how}, with "
        f"--batch_size={size}:N, N below {call.batch_size}, or "
        "--precision=bfloat16"
    )


def not_finite(config, in_a_row, images_seen):
    """The error where step after step had to be skipped.

    Args:
        config: `TrainConfig`.
        in_a_row: int, how many of them.
        images_seen: int.
    """
    return UserError(
        f"the gradients of {in_a_row} steps in a row were not finite at "
        f"{images_seen} images; {_another_run(config)}, with a lower "
        "--learning_rate or --precision=float32"
    )


def _another_run(config):
    return (
        "go on in another run from the last checkpoint: python -m "
        f"progan_tf.convert --weights={config.run_dir} --format=run --out=NEW"
    )
