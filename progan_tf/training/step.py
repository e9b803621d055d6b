"""One training step: the discriminator, the average, the generator.

The step is a pure function of the checkpointed state and of images seen: all
random numbers come from (seed, images seen), so that a resumed run draws what
the uninterrupted one would have drawn.
"""

import contextlib
import functools

import numpy as np
import tensorflow as tf

from progan_tf.augmentation import ADA_TARGET, adapted
from progan_tf.family import Family
from progan_tf.training import devices
from progan_tf.training.gradients import REAL_SIGN, Gradients, term_names
from progan_tf.training.inputs import step_inputs
from progan_tf.training.state import TrainingState

try:
    # A private module of TensorFlow, which may move. A run without it works,
    # but keeps more memory; see `_no_gradient_registered`.
    from tensorflow.python.framework.ops import gradient_registry
except ImportError:
    gradient_registry = None

# How float16's loss scale moves, in powers of two: up a little with every good
# step, down with every one that overflowed, as in the official code.
_SCALE_UP, _SCALE_DOWN = 0.0005, 1.0
# The two networks in what has one entry for each: models, optimizers, scales.
_DISCRIMINATOR, _GENERATOR = 0, 1
_NOT_FINITE = "replicas_not_finite"
# Summed beside the metrics: how many steps moved the generator.
_GENERATOR_STEPS = "generator_steps"


class TrainingStep(TrainingState):
    """The state of a run, and how a training step moves it.

    Attributes:
        metrics: tuple of str, what `run` measures, as metrics.jsonl has it.
    """

    def __init__(self, config, strategy):
        super().__init__(config, strategy)
        self._functions = {}
        self.metrics = term_names(config)
        if self.augment is not None:
            self.metrics += ("augment_p",)

    def run(
        self,
        reals,
        alphas,
        steps,
        labels=None,
        fake_labels=None,
        mirrored=None,
        rates=None,
    ):
        """Take several steps at one resolution in one call.

        Args:
            reals: uint8 per-replica `[K, b, R, R, C]`, minibatches of this
                replica; only the first `steps` of the K are used.
            alphas: float32 `[K]`, the fade of each step; all 1 outside fades.
            steps: int, from 1 to K.
            labels: int64 per-replica `[K, b]`, the classes of `reals`.
            fake_labels: int64 per-replica `[K, b]`, for the generator's step.
            mirrored: bool per-replica `[K, b]`, the reals shown mirrored.
            rates: float32 `[K]`, the learning rate of each step; by default
                that which `enter_stage` has set.

        Returns:
            dict of floats, the mean of each of `metrics` over the steps. That
            of the generator's loss is over the steps that moved the generator,
            and left out where none did.
        """
        local = self.strategy.experimental_local_results(reals)[0]
        resolution = local.shape[2]
        key = (resolution, bool(resolution > 4 and min(alphas[:steps]) < 1))
        if key not in self._functions:
            # One resolution at a time: graphs of large networks are large.
            self._functions = {
                key: tf.function(self._steps_function(*key), autograph=False)
            }
        given = {"labels": labels, "fake_labels": fake_labels}
        given |= {"reals": reals, "mirrored": mirrored}
        with _no_gradient_registered():
            sums = self._functions[key](
                {name: x for name, x in given.items() if x is not None},
                tf.constant(alphas),
                None if rates is None else tf.constant(rates),
                tf.constant(steps),
            )
        counts = dict.fromkeys(self.metrics, np.float32(steps))
        counts["generator_loss"] = sums[_GENERATOR_STEPS].numpy()
        return {
            name: float(sums[name].numpy() / count)
            for name, count in counts.items()
            if count
        }

    def _steps_function(self, resolution, fading):
        step = _Step(self, resolution, fading)

        def run_steps(batches, alphas, rates, steps):
            def body(i, sums):
                if rates is not None:
                    self.set_learning_rate(rates[i])
                taken = step.take(batches, alphas[i], i)
                return i + 1, {name: sums[name] + taken[name] for name in sums}

            zeros = dict.fromkeys((*self.metrics, _GENERATOR_STEPS), 0.0)
            _, sums = tf.while_loop(
                lambda i, _: i < steps, body, (0, zeros), parallel_iterations=1
            )
            return sums

        # TensorFlow counts retracings by a function's code, and warns of a
        # new function for each stage, but not of one without code of its own.
        return functools.partial(run_steps)


class _Step:
    """A step at one resolution, with or without a fade."""

    def __init__(self, state, resolution, fading):
        self.state = state
        self.config = config = state.config
        self.strategy = state.strategy
        self.resolution = resolution
        self.fading = fading
        self.models = (
            state.discriminator.at(resolution, fading),
            state.generator.at(resolution, fading),
        )
        self.optimizers = (
            state.discriminator_optimizer,
            state.generator_optimizer,
        )
        self.scaled = config.precision == "float16"
        automatic = devices.has_gpu(state.strategy)
        jit = {"on": True, "off": False}.get(config.xla, automatic)
        function = functools.partial(
            tf.function, autograph=False, jit_compile=jit
        )
        discriminator, generator = self.models
        gradients = Gradients(config, generator, discriminator, resolution)
        self._d_function = function(gradients.discriminator)
        self._unpenalized_d_function = function(
            functools.partial(gradients.discriminator, penalized=False)
        )
        self._g_function = function(gradients.generator)
        self._statistics = gradients.statistics

    def take(self, batches, alpha, i):
        """The discriminator's step, the average, the generator's step.

        In this order, as in the official code: the average follows with the
        discriminator's step and lags the generator by one. The step is number
        i of the K in the batches, as `TrainingStep.run` has them. Returns a
        dict of float32 scalars: the metrics, means over the whole minibatch,
        and under `_GENERATOR_STEPS` 1 where the generator was moved, else 0.
        """
        state = self.state
        if self.fading:
            for family in (state.generator, state.discriminator):
                family.block(self.resolution).fade.alpha.assign(alpha)
        # Of the optimizer, because a checkpoint has it: a resumed run takes
        # the penalty and the generator's steps where they were due.
        taken = state.discriminator_optimizer.iterations.value.read_value()
        penalized = tf.equal(taken % self.config.penalty_every, 0)
        seen = state.images_seen.read_value()
        scales = tf.pow(2.0, state.log2_scales.read_value())
        # As `step_inputs` takes them.
        given = (batches, i, seen, alpha if self.fading else None)
        p = state.augment_p
        d_means, d_finite = self._half_step(
            _DISCRIMINATOR, given, scales, penalized
        )
        if state.augment is not None:
            d_means["augment_p"] = p
            self._adapt(d_means[REAL_SIGN], d_finite, batches["reals"])

        def generator_step():
            self._update_average()
            return self._half_step(_GENERATOR, given, scales)

        every = self.config.discriminator_steps
        due = tf.equal(taken % every, every - 1)
        if every == 1:
            # Whatever became of the discriminator's step, as in the official
            # code.
            g_means, g_finite = generator_step()
        else:
            # A skipped step of the discriminator is made up for first, or the
            # generator would move after it and again after that.
            due &= d_finite
            g_means, g_finite = tf.cond(
                due, generator_step, lambda: ({"generator_loss": 0.0}, True)
            )
        self._count(d_finite & g_finite, due, batches["reals"])
        moved = {_GENERATOR_STEPS: tf.cast(due, tf.float32)}
        return d_means | g_means | moved

    def _half_step(self, network, given, scales, penalized=True):
        """Move one network, `_DISCRIMINATOR` or `_GENERATOR`.

        Its gradients are applied, and its running statistics stored, only if
        the loss, its terms and the gradients of all replicas are finite.
        Returns a dict of means over the minibatch, and a bool tensor, whether
        they were finite.
        """
        scale = scales[network] if self.scaled else None
        means, gradients, statistics = self.strategy.run(
            self._replica, (network, *given, scale, penalized)
        )
        local = self.strategy.experimental_local_results
        means = {name: local(mean)[0] for name, mean in means.items()}
        finite = tf.equal(means.pop(_NOT_FINITE), 0.0)

        def update(gradients):
            # Adds the replicas' gradients before it applies them.
            weights = self.models[network].trainable_weights
            self.optimizers[network].apply(gradients, weights)

        def apply():
            self.strategy.run(update, (gradients,))
            return True

        tf.cond(finite, apply, lambda: True)
        if self.scaled:
            change = tf.where(finite, _SCALE_UP, -_SCALE_DOWN)
            self.state.log2_scales.assign_add(change * tf.one_hot(network, 2))

        def store(variable, value):
            return variable.assign(tf.where(finite, value, variable))

        if network == _GENERATOR:
            self._assign(self._statistics, statistics, store)
        return means, finite

    def _replica(self, network, batches, i, seen, alpha, scale, penalized):
        """What one replica computes of a `_half_step`, from its own pictures.

        Returns:
            dict of means over the minibatch of all replicas, the same on each.
                Under `_NOT_FINITE` it has the number of replicas whose
                terms or gradients are not finite.
            list of this replica's parts of the mean gradients, which are still
                to be added up over the replicas.
            list of the running statistics, means over the replicas; empty for
                the discriminator.
        """
        state, replica = self.state, tf.distribute.get_replica_context()
        of_generator = network == _GENERATOR
        inputs = step_inputs(
            state, batches, i, seen, alpha, scale, of_generator
        )
        statistics = []
        if of_generator:
            sums, gradients, statistics = self._g_function(inputs)
        elif self.config.penalty_every == 1:
            sums, gradients = self._d_function(inputs)
        else:
            sums, gradients = tf.cond(
                penalized,
                lambda: self._d_function(inputs),
                lambda: self._unpenalized_d_function(inputs),
            )
        if statistics:
            statistics = replica.all_reduce("MEAN", statistics)
        batch = self._batch(batches["reals"])
        gradients = [gradient / batch for gradient in gradients]
        # The terms, too: the square of a large score can overflow where its
        # gradient does not.
        finite = [
            tf.reduce_all(tf.math.is_finite(x))
            for x in [*gradients, *sums.values()]
        ]
        means = {name: total / batch for name, total in sums.items()}
        means[_NOT_FINITE] = tf.cast(~tf.reduce_all(finite), tf.float32)
        return replica.all_reduce("SUM", means), gradients, statistics

    def _adapt(self, sign, finite, reals):
        """Adapt the p of the augmentation, unless the step was skipped."""
        before = self.state.augment.read_value()
        (local, *_) = self.strategy.experimental_local_results(reals)
        target = self.config.ada_target or ADA_TARGET
        after = adapted(before, sign, self._batch(local), target)
        self.state.augment.assign(tf.where(finite, after, before))

    def _assign(self, variables, values, update):
        """Call `update(variable, value)` for each pair, on every replica."""
        for variable, value in zip(variables, values, strict=True):
            self.strategy.extended.update(variable.value, update, args=(value,))

    def _update_average(self):
        """Exponential moving average of the generator's weights.

        Of all resolutions so far, as in the official code: when a fade ends,
        the lower resolution's ToRGB leaves the networks that are trained, and
        its average still has a way to go to where it stopped.
        """
        rest = 1.0 - self.config.average_decay[self.resolution]

        def follow(average, weight):
            return average.assign_add((weight - average) * rest)

        def copy(average, weight):
            return average.assign(weight)

        for variables, update in (
            (Family.trainable_up_to, follow),
            # Running statistics are averages already, and of these weights.
            (Family.statistics_up_to, copy),
        ):
            averages, weights = (
                variables(family, self.resolution)
                for family in (self.state.average, self.state.generator)
            )
            self._assign(averages, [w.value for w in weights], update)

    def _batch(self, reals):
        """The minibatch of all replicas, an int, from a replica's pictures."""
        return reals.shape[1] * self.strategy.num_replicas_in_sync

    def _count(self, finite, generator_moved, reals):
        """Count the images of a step, and the step if it was skipped.

        A row of skipped steps ends with one that moved both networks: where the
        generator is not due in every step, a good one of the discriminator does
        not tell that the generator still learns.
        """
        state = self.state
        local = self.strategy.experimental_local_results(reals)[0]
        state.images_seen.assign_add(self._batch(local))
        skipped = tf.cast(~finite, tf.int64)
        state.steps_skipped.assign_add(skipped)
        in_a_row = state.skipped_in_a_row
        ended = finite & generator_moved
        count = in_a_row.read_value() + skipped
        in_a_row.assign(tf.where(ended, tf.zeros_like(count), count))


@contextlib.contextmanager
def _no_gradient_registered():
    """Takes back what is entered in TensorFlow's table of gradients meanwhile.

    It has an entry for every call of a function with a custom gradient, such
    as a sum over replicas, and each keeps the graph that is being traced for
    ever: at 128x128 50 MB a stage. Entries are read to differentiate a whole
    `tf.function`, and no step is.
    """
    table = getattr(gradient_registry, "_registry", {})
    before = set(table)
    try:
        yield
    finally:
        for name in table.keys() - before:
            del table[name]
