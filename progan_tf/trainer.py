"""The training loop: growth, maintenance, resume and a clean stop."""

import contextlib
import time

import tensorflow as tf

from progan_tf.checkpoint import Checkpoints
from progan_tf.config import check_shared_evenly
from progan_tf.errors import UserError
from progan_tf.training import devices
from progan_tf.training.feed import Feed
from progan_tf.training.recorder import Recorder, SilentRecorder
from progan_tf.training.run_data import open_data
from progan_tf.training.run_directory import (
    check_run_directory,
    own_run_directory,
)
from progan_tf.training.step import TrainingStep
from progan_tf.training.stopping import StopRequest

_MOST_SKIPPED_IN_A_ROW = 50


class Trainer:
    """Trains a GAN as a `TrainConfig` says, or goes on where a run stopped.

    Args:
        config: `TrainConfig`.
        strategy: `tf.distribute.Strategy`; by default all local devices, or
            the cluster of `TF_CONFIG`.

    Attributes:
        images_seen: int, real images shown to the discriminator so far.

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
        self._source, self._held_out, self.config = open_data(config)
        self.schedule = self.config.schedule()
        self._chief = devices.worker_index(self.strategy) == 0
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
        config = self.config
        with contextlib.ExitStack() as stack:
            if self._chief:
                own = own_run_directory(
                    config.run_dir, lambda: self.images_seen
                )
                stack.enter_context(own)
            began_with = check_run_directory(config)
            resumed = self._create_state()
            recorder = SilentRecorder()
            if self._chief:
                recorder = Recorder(
                    config,
                    self.state,
                    self._checkpoints,
                    self._source,
                    self._held_out,
                    resumed,
                    stopped=lambda: stop.told,
                )
                stack.callback(recorder.close)
                # Only now, when nothing that is there was found damaged.
                config.save_config()
            if began_with not in (0, config.num_images):
                others = ", and others are held out" * bool(self._held_out)
                recorder.say(
                    f"The run began with {began_with} pictures; now there are "
                    f"{config.num_images}, so they come in another order"
                    f"{others}."
                )
            stop = stack.enter_context(StopRequest(self.strategy, recorder.say))
            feed = Feed(config, self._source, self.strategy)
            stack.callback(feed.close)
            try:
                return self._loop(feed, recorder, stop, resumed)
            except tf.errors.OpError as error:
                if devices.worker_count(self.strategy) == 1:
                    raise
                raise UserError(
                    "a worker of TF_CONFIG has ended or is out of reach; start "
                    "all of them again, and they go on from the last checkpoint"
                ) from error

    def _create_state(self):
        """Make the state; True where a checkpoint was there to restore."""
        config = self.config
        self.state = TrainingStep(config, self.strategy)
        self._checkpoints = Checkpoints(
            self.state, config.run_dir, config.keep_checkpoints
        )
        resumed = self._checkpoints.restore()
        if config.freeze_discriminator and not resumed:
            raise UserError(
                "freeze_discriminator needs layers that were trained: begin "
                "the run with progan_tf.convert --weights=... --format=run "
                f"--freeze_discriminator={config.freeze_discriminator}"
            )
        self.images_seen = int(self.state.images_seen.numpy())
        return resumed

    def _loop(self, feed, recorder, stop, resumed):
        """Train until the end (True), or until told to stop; then save."""
        state, schedule = self.state, self.schedule
        cadences, total = self.config.cadences(), schedule.total_images
        seen = previous = self.images_seen
        if resumed:
            # The run may have been stopped in the middle of an evaluation,
            # which is then done now.
            before = seen - schedule.at(max(seen - 1, 0)).batch_size
            if "evaluate" in cadences.due(before, seen):
                recorder.evaluate(seen, again=False)
        else:
            previous = seen - 1
        while True:
            # Report, sample, evaluate and save: before the step, so that the
            # untrained networks are in the record too.
            due = cadences.due(previous, seen)
            if "tick" in due:
                self._tick(recorder)
            if "sample" in due:
                self._sample(recorder)
            if "evaluate" in due:
                recorder.evaluate(seen)
            # Last, so that a run that is killed before does the others again.
            if "save" in due and seen:
                recorder.save(seen)
            if seen >= total or stop.made():
                break

            # Take several steps; nothing falls due within them.
            state.enter_stage(
                schedule.stage(seen), schedule.learning_rate(seen)
            )
            steps = feed.plan(seen)
            began = time.perf_counter()
            try:
                with self._saved_if_data_fail(recorder):
                    arguments = feed.arguments(steps)
                means = state.run(**arguments)
            except tf.errors.ResourceExhaustedError as error:
                raise _too_large(self.config, steps) from error
            previous, seen = seen, seen + steps.images
            self.images_seen = seen
            recorder.steps(steps, means, time.perf_counter() - began)
            in_a_row = int(state.skipped_in_a_row.numpy())
            if in_a_row >= _MOST_SKIPPED_IN_A_ROW:
                raise UserError(
                    f"losses or gradients of {in_a_row} steps in a row were "
                    f"not finite at {seen} images; "
                    f"{_another_run(self.config)}, with a lower "
                    "--learning_rate or --precision=float32"
                )

        # Finish.
        self._tick(recorder, early=seen < total)
        recorder.save(seen)
        if seen < total:
            again = "Run the same command again to go on."
            recorder.say(f"Stopped at {seen} images. {again}")
            return False
        self._sample(recorder)
        recorder.evaluate(seen, again=False)
        recorder.done()
        return True

    def _tick(self, recorder, early=False):
        # It looks at pictures that are held out.
        with self._saved_if_data_fail(recorder):
            recorder.tick(early)

    @contextlib.contextmanager
    def _saved_if_data_fail(self, recorder):
        """Save before a UserError: the networks are as good as before."""
        try:
            yield
        except UserError:
            if self.images_seen:
                recorder.save(self.images_seen)
            raise

    def _sample(self, recorder):
        seen, schedule = self.images_seen, self.schedule
        size, alpha = schedule.at(seen).resolution, schedule.alpha(seen)
        # On every worker, because all of them hold the same variables.
        self.state.set_alpha(size, alpha)
        recorder.sample(seen)


def _too_large(config, steps):
    """The error where the devices' memory does not hold a step."""
    size, batch = steps.resolution, steps.batch_size
    # A run that has not begun leaves nothing to go on from.
    how = _another_run(config) if steps.start else "begin again"
    return UserError(
        f"the memory does not hold a step of {batch} images of {size}x{size} "
        f"in {config.precision}; {how}, with a smaller --batch_size={size}:N "
        f"(N below {batch}) or --precision=bfloat16"
    )


def _another_run(config):
    return (
        "go on in another run from the last checkpoint: python -m "
        f"progan_tf.convert --weights={config.run_dir} --format=run --out=NEW"
    )
