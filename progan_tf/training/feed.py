"""What each call of the training step gets: pictures, labels and alphas."""

import sys
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from progan_tf import arithmetic
from progan_tf.data import Loader
from progan_tf.training import devices

# A call takes as many steps as make about this many operations, which is a
# fraction of a second: long enough that Python costs nothing, short enough
# that Ctrl-C is answered at once.
_CALL_FLOPS = {"CPU": 1e11, "GPU": 5e12}
_MOST_STEPS_A_CALL = 64


class Call(NamedTuple):
    """Several training steps in a row, within one stage of the schedule."""

    start: int  # images seen before it
    steps: int
    batch_size: int  # over all replicas and workers
    resolution: int

    @property
    def images(self):
        """How many images the call shows."""
        return self.steps * self.batch_size


def cadences(config):
    """Images between two ticks, sample grids, evaluations and checkpoints.

    What is never done has more than there will be.
    """
    return [
        max(1, round(1000 * thousands)) if thousands else sys.maxsize
        for thousands in (
            config.tick_kimg,
            config.sample_kimg,
            config.eval_kimg,
            config.checkpoint_kimg,
        )
    ]


class Feed:
    """Plans calls and serves their data, read ahead by one call.

    A call is a function of the config and of images seen alone, so that all
    workers plan the same ones.

    Args:
        config: `TrainConfig`.
        source: `data.Source`.
        strategy: `tf.distribute.Strategy`.
        cadences: sequence of ints, images; no call goes beyond a multiple of
            one, because something is due there.
    """

    def __init__(self, config, source, strategy, cadences):
        self._config = config
        self._schedule = config.schedule()
        self._strategy = strategy
        self._cadences = cadences
        self._workers = devices.worker_count(strategy)
        self._worker = devices.worker_index(strategy)
        self._kind = "GPU" if devices.has_gpu(strategy) else "CPU"
        self._loader = Loader(source, config.seed, config.mirror, config.labels)

    def plan(self, images_seen):
        """The next `Call`."""
        phase = self._schedule.at(images_seen)
        due = min(
            self._schedule.next_boundary(images_seen),
            *((images_seen // c + 1) * c for c in self._cadences),
        )
        until = max(1, self._schedule.steps_until(images_seen, due))
        steps = min(until, self._most_steps(phase.resolution))
        return Call(images_seen, steps, phase.batch_size, phase.resolution)

    def arguments(self, call):
        """The arguments of `TrainingStep.run` for a call.

        Waits for the call's pictures, and starts to read the next one's.

        Raises:
            UserError: if the data cannot be read.
        """
        chunk = self._loader.chunk(*call, rows=self._rows(call))
        following = self.plan(call.start + call.images)
        self._loader.prefetch(*following, rows=self._rows(following))
        alphas = np.ones(self._most_steps(call.resolution), "float32")
        alphas[: call.steps] = [
            self._schedule.alpha(call.start + i * call.batch_size)
            for i in range(call.steps)
        ]
        return {
            "reals": self._distribute(chunk.images, len(alphas)),
            "alphas": alphas,
            "steps": call.steps,
            "labels": self._distribute(chunk.labels, len(alphas)),
            "fake_labels": self._distribute(chunk.fake_labels, len(alphas)),
        }

    def close(self):
        """Stop reading ahead."""
        self._loader.close()

    def _most_steps(self, resolution):
        config = self._config
        flops = config.batch_size[resolution] * arithmetic.step_flops_per_image(
            resolution,
            config.latent_size,
            config.num_classes,
            config.channels,
            config.fmap_base,
            config.fmap_max,
            config.fused_scale,
        )
        return min(
            max(int(_CALL_FLOPS[self._kind] / flops), 1), _MOST_STEPS_A_CALL
        )

    def _rows(self, call):
        """The rows of each minibatch that this process feeds."""
        share = call.batch_size // self._workers
        return self._worker * share, (self._worker + 1) * share

    def _distribute(self, array, steps):
        """`[steps, rows, ...]` to a per-replica value of `steps` steps.

        A shorter call is filled up, so that it needs no graph of its own.
        """
        if array is None:
            return None
        full = np.zeros([steps, *array.shape[1:]], array.dtype)
        full[: len(array)] = array
        local = self._strategy.num_replicas_in_sync // self._workers
        shares = np.split(full, local, axis=1)
        return self._strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(
                shares[context.replica_id_in_sync_group % local]
            )
        )
