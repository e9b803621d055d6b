"""The snapshots of a run: what its average drew at each checkpoint."""

import logging
from typing import NamedTuple

from progan_tf.checkpoint import (
    checkpoints_of,
    images_seen_in,
    restore_generator,
)
from progan_tf.config import load_config
from progan_tf.errors import UserError
from progan_tf.networks import Generator

_log = logging.getLogger("progan_tf")


class Snapshot(NamedTuple):
    """A point of a run from which a checkpoint is there.

    Attributes:
        checkpoint: str, the checkpoint's path prefix.
        images_seen: int.
        resolution: int, which is trained or fades in there.
        alpha: float in [0, 1], how far it is faded in.
    """

    checkpoint: str
    images_seen: int
    resolution: int
    alpha: float


class Snapshots:
    """The snapshots of a run directory, also of one that is still training.

    Those whose checkpoint cannot be read are named in the log and left out.

    Args:
        run_dir: path of the run directory.

    Attributes:
        config: `TrainConfig` of the run.
        snapshots: list of `Snapshot`, by images seen.

    Raises:
        UserError: if there is none that can be read.
    """

    def __init__(self, run_dir):
        self._run_dir = run_dir
        self.config = load_config(run_dir)
        self.refresh()
        self._family = Generator.of(self.config.architecture)

    def refresh(self):
        """List the snapshots anew: a run that is going replaces its own.

        Raises:
            UserError: if there is none that can be read.
        """
        self.snapshots = _snapshots(self._run_dir, self.config.schedule())

    def generator(self, snapshot):
        """The averaged generator as it was at a snapshot.

        All snapshots share one set of weights: the generator of the last call
        is the one that can be used.

        Args:
            snapshot: one of `snapshots`.

        Returns:
            `keras.Model` to images of the snapshot's resolution, faded in as
            far as they were then.

        Raises:
            UserError: if its checkpoint cannot be read any more.
        """
        restore_generator(self._family, snapshot.checkpoint)
        fading = snapshot.alpha < 1
        if fading:
            self._family.set_alpha(snapshot.resolution, snapshot.alpha)
        return self._family.at(snapshot.resolution, fade=fading)


def _snapshots(run_dir, schedule):
    found, error = {}, None
    for checkpoint in checkpoints_of(run_dir):
        try:
            seen = images_seen_in(checkpoint)
        except UserError as caught:
            error = caught
            _log.warning("%s", error)
            continue
        # Of two with the same number the newer one counts.
        found[seen] = Snapshot(
            checkpoint, seen, schedule.at(seen).resolution, schedule.alpha(seen)
        )
    if not found:
        raise error
    return [found[seen] for seen in sorted(found)]
