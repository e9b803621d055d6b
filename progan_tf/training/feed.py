"""What each call of the training step gets: its steps and their data."""

import numpy as np
import tensorflow as tf

from progan_tf.data import Loader, Steps
from progan_tf.training import devices

# A call takes as many steps as make about this many operations, which is a
# fraction of a second: long enough that Python costs nothing, short enough
# that Ctrl-C is answered at once.
_CALL_FLOPS = {"CPU": 1e11, "GPU": 5e12}
_MOST_STEPS_A_CALL = 64


class Feed:
    """Plans calls of the training step and serves their data.

    A call is a function of the config, of images seen and of whether a GPU
    trains, so that all workers plan the same ones. The data are read ahead by
    one call.
    """

    def __init__(self, config, source, strategy):
        self._config = config
        self._ramps = bool(config.rampup_kimg or config.rampdown)
        self._schedule = config.schedule()
        self._cadences = config.cadences()
        self._strategy = strategy
        self._workers = devices.worker_count(strategy)
        self._kind = "GPU" if devices.has_gpu(strategy) else "CPU"
        self._loader = Loader(
            source,
            config.seed,
            config.mirror,
            config.labels,
            devices.worker_index(strategy),
            self._workers,
        )

    def plan(self, images_seen):
        """The next `data.Steps`, up to a fade's end or what else falls due."""
        phase = self._schedule.at(images_seen)
        due = min(
            self._schedule.next_boundary(images_seen),
            self._cadences.next(images_seen),
        )
        until = max(1, self._schedule.steps_until(images_seen, due))
        count = min(until, self._most_steps(phase.resolution))
        return Steps(images_seen, count, phase.batch_size, phase.resolution)

    def arguments(self, steps):
        """The arguments of `TrainingStep.run` for some steps.

        Waits for their pictures, and starts to read the next ones'. Raises
        UserError if the data cannot be read.
        """
        chunk = self._loader.chunk(steps)
        self._loader.prefetch(self.plan(steps.start + steps.images))
        most = self._most_steps(steps.resolution)
        # Filled up to a full call, so that none needs a graph of its own.
        seen = [steps.start + i * steps.batch_size for i in range(steps.count)]
        alphas, rates = np.ones(most, "float32"), np.zeros(most, "float32")
        alphas[: steps.count] = [self._schedule.alpha(x) for x in seen]
        rates[: steps.count] = [self._schedule.learning_rate(x) for x in seen]
        arrays = chunk._asdict()
        arrays["reals"] = arrays.pop("images")
        return {
            "alphas": alphas,
            "rates": rates if self._ramps else None,
            "steps": steps.count,
            **{name: self._distribute(x, most) for name, x in arrays.items()},
        }

    def close(self):
        """Stop reading ahead."""
        self._loader.close()

    def _most_steps(self, resolution):
        flops = self._config.step_flops_per_image(resolution)
        flops *= self._config.batch_size[resolution]
        steps = max(int(_CALL_FLOPS[self._kind] / flops), 1)
        return min(steps, _MOST_STEPS_A_CALL)

    def _distribute(self, array, steps):
        """`[steps, rows, ...]` to a per-replica value of `steps` steps."""
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
