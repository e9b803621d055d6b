"""How long a run will take, from a few measured steps."""

import time

import numpy as np
import tensorflow as tf

from progan_tf.losses import passes


class TimeEstimate:
    """Seconds that the rest of a run takes.

    The time of a step is measured at resolutions that have been trained. At
    those still to come it is estimated: a step is worth some forward passes of
    each network, which are timed, and what it costs beyond them is taken to be
    as much as at the highest resolution that was measured. A minibatch is
    shared by the replicas.
    """

    def __init__(self, config, generator, discriminator, replicas=1):
        self._schedule = config.schedule()
        self._passes_a_step = passes(config)
        self._families = generator, discriminator
        self._replicas = replicas
        self._measured = {}  # resolution -> (seconds, steps)
        self._predicted = {}  # resolution -> seconds a step

    def add(self, resolution, seconds, steps):
        """Count measured steps of a resolution, without those that compile."""
        old = self._measured.get(resolution, (0.0, 0))
        # Old steps fade out, so that the estimate follows the machine.
        new = (old[0] * 0.9 + seconds, old[1] * 0.9 + steps)
        self._measured[resolution] = new

    def seconds_left(self, images_seen):
        """Seconds from here to the end of the schedule, without pauses.

        None before any step was measured.
        """
        if not self._measured:
            return None
        total = 0.0
        for phase in self._schedule.phases:
            images = phase.end - max(phase.start, images_seen)
            if images > 0:
                steps = images / phase.batch_size
                total += steps * self._seconds_per_step(phase)
        return total

    def _seconds_per_step(self, phase):
        if phase.resolution in self._measured:
            seconds, steps = self._measured[phase.resolution]
            return seconds / steps
        highest = max(self._measured)
        seconds, steps = self._measured[highest]
        phases = {p.resolution: p for p in self._schedule.phases}
        overhead = max(0.0, seconds / steps - self._passes(phases[highest]))
        return self._passes(phase) + overhead

    def _passes(self, phase):
        """Seconds of a step's arithmetic, from timed forward passes."""
        resolution = phase.resolution
        if resolution not in self._predicted:
            generator, discriminator = (
                family.at(resolution, fade=False) for family in self._families
            )
            share = max(1, phase.batch_size // self._replicas)
            number = self._passes_a_step
            try:
                seconds = number["generator"] * _timed(
                    generator, _zeros(generator.input_shape, share)
                )
                seconds += number["discriminator"] * _timed(
                    discriminator, _zeros(discriminator.input_shape, share)
                )
            except tf.errors.ResourceExhaustedError:
                # Training will say so when it gets there; until then it goes.
                seconds = 0.0
            self._predicted[resolution] = seconds
        return self._predicted[resolution]


def _zeros(shape, batch):
    """Inputs of a model's `input_shape`, which is a list of several ones'."""
    if isinstance(shape, list):
        return [_zeros(each, batch) for each in shape]
    return np.zeros([batch, *shape[1:]], "float32")


def _timed(model, inputs):
    """Seconds of a forward pass, the second of two: the first compiles."""
    function = tf.function(model, autograph=False)
    for _ in range(2):
        start = time.perf_counter()
        outputs = function(inputs)
        first = outputs[0] if isinstance(outputs, list) else outputs
        first.numpy()
    return time.perf_counter() - start
