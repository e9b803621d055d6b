"""The snapshots of a run: what its average drew at each checkpoint."""

import logging
import os
from typing import NamedTuple

from progan_tf.checkpoint import (
    check_size,
    checkpoints_of,
    images_seen_in,
    restore_networks,
)
from progan_tf.config import load_config
from progan_tf.errors import UserError
from progan_tf.evaluation.subjects import Subject
from progan_tf.networks import Generator
from progan_tf.sampling import as_generator

_log = logging.getLogger("progan_tf")


class Snapshot(NamedTuple):
    """A point of a run of which there is a checkpoint."""

    checkpoint: str  # Its path prefix.
    images_seen: int
    resolution: int  # Which is trained or fades in there.
    alpha: float  # How far that is faded in, in [0, 1].


class Snapshots:
    """The snapshots of a run directory, also of one that is still training.

    They are iterated over as `Subject`s: with `every` all, the oldest first,
    otherwise the newest alone. Those that cannot be read are named in the log
    and left out; where none can, a UserError is raised. They share the weights
    of one network: a subject can be used until the next one is asked for.

    `config`, `data`, `resolution`, `channels` and `num_classes` are those of
    the run; `snapshots` is a list of `Snapshot` by images seen.
    """

    available = None  # There is no end to its pictures.

    def __init__(self, run_dir, every=False):
        self._run_dir, self._every = run_dir, every
        self.config = load_config(run_dir)
        self.data = self.config.data
        self.resolution = self.config.resolution
        self.channels = self.config.channels
        self.num_classes = self.config.num_classes
        self._refresh()
        check_size([x.checkpoint for x in self.snapshots], self.config)
        self._family = Generator.of(self.config.architecture)

    def __len__(self):
        return len(self.snapshots) if self._every else 1

    def __iter__(self):
        # It may be hours since they were listed, if the data were measured.
        self._refresh()
        read, error = False, None
        # The newest that can be read, or all of these.
        order = self.snapshots if self._every else reversed(self.snapshots)
        for snapshot in order:
            path, seen, size, alpha = snapshot
            try:
                model = self.generator(snapshot)
            except UserError as caught:
                error = caught
                if os.path.exists(f"{path}.index"):
                    _log.warning("%s", error)
                else:  # By the run itself, which is still going.
                    _log.warning("%s was removed meanwhile", path)
                continue
            fade = f" alpha {alpha:.2f}" if alpha < 1 else ""
            name = f"{seen / 1000:,.1f} kimg, {size}x{size}{fade}"
            # Several snapshots share a model, which is compiled once.
            yield Subject(name, seen, as_generator(model).stream)
            read = True
            if not self._every:
                return
        if not read:
            raise error

    def generator(self, snapshot):
        """The averaged generator at a snapshot: a `keras.Model`.

        It draws the snapshot's resolution, faded in as far as it was then. All
        snapshots share one set of weights, so only the model of the last call
        can be used. Raises UserError if the checkpoint cannot be read any more.
        """
        restore_networks(snapshot.checkpoint, average=self._family)
        fading = snapshot.alpha < 1
        if fading:
            self._family.set_alpha(snapshot.resolution, snapshot.alpha)
        return self._family.at(snapshot.resolution, fade=fading)

    def _refresh(self):
        """List the snapshots anew: a run that is going replaces its own."""
        schedule, found, error = self.config.schedule(), {}, None
        for path in checkpoints_of(self._run_dir):
            try:
                seen = images_seen_in(path)
            except UserError as caught:
                error = caught
                _log.warning("%s", error)
                continue
            size, alpha = schedule.at(seen).resolution, schedule.alpha(seen)
            # Of two with the same number the newer one counts.
            found[seen] = Snapshot(path, seen, size, alpha)
        if not found:
            raise error
        self.snapshots = [found[seen] for seen in sorted(found)]
