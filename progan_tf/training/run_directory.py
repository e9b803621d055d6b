"""Opening the folder of a run, new or resumed, before anything is trained."""

import pathlib

from progan_tf.checkpoint import images_seen_in
from progan_tf.checkpoint import latest_checkpoint
from progan_tf.config import CONFIG_FILE
from progan_tf.config import load_config
from progan_tf.config.resume import check_resumable
from progan_tf.errors import UserError


def open_run_directory(config, write):
    """Check a run directory against its run and write config.json.

    Args:
        config: `TrainConfig`, whose `run_dir` it is; it need not exist.
        write: bool, False for workers but the first.

    Returns:
        int, the pictures that its run began with; 0 for a new run.

    Raises:
        UserError: if it holds a run with other settings, or one that is
            beyond the end of this one, or cannot be written.
    """
    folder = pathlib.Path(config.run_dir)
    began_with = 0
    if (folder / CONFIG_FILE).exists():
        stored = load_config(folder)
        check_resumable(stored, config)
        _check_not_beyond(config, stored)
        began_with = stored.num_images
    if write:
        config.save_config(folder)
    return began_with


def _check_not_beyond(config, stored):
    """Refuse an end that the run has passed.

    Its schedule would end with a lower resolution than that of the networks,
    and generator.keras would be written anew with that.
    """
    end = config.schedule().total_images
    if end >= stored.schedule().total_images:
        return
    try:
        seen = images_seen_in(latest_checkpoint(config.run_dir))
    except UserError:
        return  # There is none, or an older one must be read.
    if seen > end:
        raise UserError(
            f"{config.run_dir} has seen {seen / 1000:g} kimg, more than "
            f"--total_kimg={end / 1000:g}; give at least as many"
        )
