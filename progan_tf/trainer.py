"""The training loop: growth, maintenance, resume and a clean stop."""

import contextlib
import time

import tensorflow as tf

from progan_tf.checkpoint import Checkpoints, save_generator
from progan_tf.config import check_shared_evenly
from progan_tf.config.report import notices
from progan_tf.errors import UserError
from progan_tf.evaluation.training import TrainingEvaluation
from progan_tf.text import duration
from progan_tf.training import devices
from progan_tf.training.console import Progress, first_words
from progan_tf.training.estimate import TimeEstimate
from progan_tf.training.failures import not_finite, too_large
from progan_tf.training.feed import Feed, cadences
from progan_tf.training.run_data import open_data
from progan_tf.training.run_directory import (
    open_run_directory,
    own_run_directory,
)
from progan_tf.training.run_log import Averages, RunLog
from progan_tf.training.samples import SampleGrids
from progan_tf.training.step import TrainingStep
from progan_tf.training.stopping import StopRequest

_MOST_SKIPPED_IN_A_ROW = 50


class Trainer:
    """Trains a GAN as a `TrainConfig` says, or goes on where a run stopped.

    Args:
        config: `TrainConfig`.
        strategy: `tf.distribute.Strategy`; by default all local devices, or
            the cluster of `TF_CONFIG`.

    Raises:
        UserError: if the data cannot be had at the config's resolution, or a
            minibatch cannot be shared by the strategy's replicas.
    """

    def __init__(self, config, strategy=None):
        if config.deterministic:
            tf.config.experimental.enable_op_determinism()
        self.strategy = strategy or devices.make_strategy(config.devices)
        replicas = self.strategy.num_replicas_in_sync
        check_shared_evenly(config.batch_size, replicas)
        self._source, self.config = open_data(config)
        self.schedule = self.config.schedule()
        self._chief = devices.is_chief(self.strategy)
        self.images_seen = 0

    def train(self):
        """Train to the end of the schedule, or until SIGINT or SIGTERM.

        Either way everything is saved; the same config then goes on.

        Returns:
            bool, whether the end was reached.

        Raises:
            UserError: if the run directory cannot be written, holds a run
                with other settings or is another process's, if the data
                fails, or if gradients stay infinite.
        """
        with contextlib.ExitStack() as stack:
            if self._chief:
                stack.enter_context(
                    own_run_directory(
                        self.config.run_dir, lambda: self.images_seen
                    )
                )
            began_with = open_run_directory(self.config, self._chief)
            self._create_state()
            if began_with not in (0, self.config.num_images):
                self._progress.say(
                    f"The run began with {began_with} pictures; now there are "
                    f"{self.config.num_images}, so they come in another order."
                )
            self._stop = stack.enter_context(
                StopRequest(self.strategy, self._progress.say)
            )
            self._feed = Feed(
                self.config, self._source, self.strategy, cadences(self.config)
            )
            stack.callback(self._feed.close)
            stack.callback(self._progress.close)
            if self._log:
                stack.callback(self._log.close)
                stack.callback(self._evaluation.close)
            self._loop()
            self._finish()
        return self.images_seen >= self.schedule.total_images

    # ---- setting up ----

    def _create_state(self):
        config = self.config
        self.state = TrainingStep(config, self.strategy)
        self._checkpoints = Checkpoints(
            self.state, config.run_dir, config.keep_checkpoints
        )
        resumed = self._checkpoints.restore()
        self.images_seen = int(self.state.images_seen.numpy())
        self._saved_at = self.images_seen if resumed else -1
        total = self.schedule.total_images
        self._progress = Progress(self.images_seen, total, not self._chief)
        self._log = None
        if self._chief:
            size, classes = config.resolution, config.num_classes
            self._log = RunLog(config.run_dir, size, self.images_seen, classes)
            self._grids = SampleGrids(config, self._source, self._log)
            self._evaluation = TrainingEvaluation(
                config,
                self._source,
                self.state.average,
                self._progress.say,
                lambda: self._stop.told,
            )
        self._estimate = TimeEstimate(
            self.schedule,
            self.state.generator,
            self.state.discriminator,
            self.strategy.num_replicas_in_sync,
        )
        self._compiled_stage = self._estimated = None
        self._averages = Averages()
        where = devices.describe(self.strategy)
        words = first_words(config, self.images_seen, where, resumed)
        replicas = self.strategy.num_replicas_in_sync
        for line in (words, *notices(config, replicas)):
            self._progress.say(line)

    def _loop(self):
        previous = self.images_seen - 1
        if self._saved_at >= 0:
            previous = self.images_seen
            self._evaluate_what_was_left()
        while True:
            # Maintenance comes before the step, so that the untrained
            # networks are in the record too.
            self._maintain(previous)
            previous = self.images_seen
            if previous >= self.schedule.total_images or self._stop.made():
                return
            phase = self.schedule.at(previous)
            self.state.enter_stage(
                self.schedule.stage(previous), phase.learning_rate
            )
            self._train_some()

    def _train_some(self):
        """One call of several steps; nothing falls due within them."""
        call = self._feed.plan(self.images_seen)
        began = time.perf_counter()
        try:
            arguments = self._feed.arguments(call)
        except UserError:
            # The networks are as good as before; only the data has failed.
            if self.images_seen:
                self._save()
            raise
        try:
            means = self.state.run(**arguments)
        except tf.errors.ResourceExhaustedError as error:
            raise too_large(self.config, call) from error
        self.images_seen += call.images
        self._record(call, means, time.perf_counter() - began)
        self._check_skipped()

    def _record(self, call, means, seconds):
        # The first call of a stage also traces and compiles.
        stage = self.schedule.stage(call.start)
        compiled = stage == self._compiled_stage
        self._compiled_stage = stage
        self._averages.add(call, means, seconds, compiled)
        if compiled:
            self._estimate.add(call.resolution, seconds, call.steps)
        if not self._chief:
            return
        left = self._seconds_left()
        alpha = self.schedule.alpha(call.start)
        rate = call.images / seconds
        size = call.resolution
        self._progress.update(self.images_seen, size, alpha, rate, left, means)
        if compiled and size != self._estimated:
            self._estimated = size
            self._progress.say(
                f"At {size}x{size}, {rate:,.4g} images/s: about "
                f"{duration(left)} to the end of the run."
            )

    def _check_skipped(self):
        in_a_row = int(self.state.skipped_in_a_row.numpy())
        if in_a_row >= _MOST_SKIPPED_IN_A_ROW:
            raise not_finite(self.config, in_a_row, self.images_seen)

    # ---- maintenance ----

    def _maintain(self, previous):
        """Do what fell due since `previous` images were seen."""
        tick, sample, evaluate, save = (
            self.images_seen // every > previous // every
            for every in cadences(self.config)
        )
        if tick:
            self._tick()
        if sample:
            self._sample()
        if evaluate:
            self._evaluate()
        # The last, so that a run that is killed before does the others again.
        if save and self.images_seen:
            self._save()

    def _tick(self):
        """Report the means since the last tick."""
        averages, self._averages = self._averages, Averages()
        call = averages.call
        if call is None or not self._log:
            return
        last_step = call.start + call.images - call.batch_size
        phase = self.schedule.at(last_step)
        values = {
            "images_seen": self.images_seen,
            "resolution": phase.resolution,
            "alpha": self.schedule.alpha(last_step),
            "batch_size": phase.batch_size,
            "learning_rate": phase.learning_rate,
            **averages.values(),
            "steps_skipped": int(self.state.steps_skipped.numpy()),
        }
        self._log.write_metrics(values)
        self._progress.tick(values, self._seconds_left())

    def _seconds_left(self):
        evaluations = self._evaluation.seconds_left(self.images_seen)
        return self._estimate.seconds_left(self.images_seen) + evaluations

    def _sample(self):
        """The run's latents' images by the average, faded as it is now."""
        seen = self.images_seen
        resolution = self.schedule.at(seen).resolution
        # On every worker, because all of them hold the same variables.
        self.state.set_alpha(resolution, self.schedule.alpha(seen))
        if not self._log:
            return
        if not seen:
            self._grids.write_reals()
        self._grids.write_fakes(self.state.average.at(resolution), seen)

    def _evaluate(self):
        # On the first worker alone; the others wait in their next step.
        if self._log and self.config.eval_kimg:
            self._evaluation.run(self.images_seen)

    def _evaluate_what_was_left(self):
        """Of a resumed run the evaluation within which it was stopped."""
        _, _, every, _ = cadences(self.config)
        seen = self.images_seen
        before = seen - self.schedule.at(max(seen - 1, 0)).batch_size
        due = seen // every > before // every
        if due and self._log and not self._evaluation.is_known(seen):
            self._evaluate()

    def _save(self):
        if self._chief and self._saved_at != self.images_seen:
            self._checkpoints.save()
        self._saved_at = self.images_seen

    def _finish(self):
        """Save; at the end of the schedule also the finished generator."""
        self._tick()
        self._save()
        done = self.images_seen >= self.schedule.total_images
        if done:
            self._sample()
            if self._log and not self._evaluation.is_known(self.images_seen):
                self._evaluate()
        if not self._chief:
            return
        if done:
            path = save_generator(self.config.run_dir)
            self._progress.say(f"Done: {path} and {path.parent / 'samples'}.")
        else:
            self._progress.say(
                f"Stopped at {self.images_seen} images. Run the same command "
                "again to go on."
            )
