"""The training loop: growth, maintenance, resume and a clean stop."""

import contextlib
import dataclasses
import pathlib
import signal
import time

import numpy as np
import tensorflow as tf

from progan_tf import arithmetic
from progan_tf import devices
from progan_tf.checkpoint import Checkpoints
from progan_tf.checkpoint import finished_resolutions
from progan_tf.config import check_shared_evenly
from progan_tf.data import Loader
from progan_tf.data import check_resolution
from progan_tf.data import open_source
from progan_tf.errors import UserError
from progan_tf.estimate import TimeEstimate
from progan_tf.images import nearest_up
from progan_tf.run_log import Progress
from progan_tf.run_log import RunLog
from progan_tf.run_log import duration
from progan_tf.sampling import generate_images
from progan_tf.step import TrainingStep

# A call takes as many steps as make about this many operations, which is a
# fraction of a second: long enough that Python costs nothing, short enough
# that Ctrl-C is answered at once.
_CALL_FLOPS = {"CPU": 1e11, "GPU": 5e12}
_MOST_STEPS_A_CALL = 64
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
        check_shared_evenly(config, replicas)
        source = open_source(config.data, config.channels, config.labels)
        check_resolution(source, config.resolution)
        classes = source.num_classes if config.labels else 0
        self.config = dataclasses.replace(config, num_classes=classes)
        self.schedule = self.config.schedule()
        self._source = source
        self._chief = devices.is_chief(self.strategy)
        self._stop = False

    def train(self):
        """Train to the end of the schedule, or until SIGINT or SIGTERM.

        Either way everything is saved; the same config then goes on.

        Returns:
            bool, whether the end was reached.

        Raises:
            UserError: if the run directory cannot be written, or gradients
                stay infinite.
        """
        self._open_run_directory()
        self._create_state()
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._catching_signals())
            self._loader = stack.enter_context(
                Loader(
                    self._source,
                    self.config.seed,
                    self.config.mirror,
                    self.config.labels,
                )
            )
            stack.callback(self._progress.close)
            if self._log:
                stack.callback(self._log.close)
            self._loop()
            self._finish()
        return self.images_seen >= self.schedule.total_images

    # ---- setting up ----

    def _open_run_directory(self):
        folder = pathlib.Path(self.config.run_dir)
        if self._chief:
            self.config.save_config(folder)

    def _create_state(self):
        config = self.config
        self.state = TrainingStep(config, self.strategy)
        self._checkpoints = Checkpoints(
            self.state, config.run_dir, config.keep_checkpoints
        )
        resumed = self._checkpoints.restore()
        self.images_seen = int(self.state.images_seen.numpy())
        self._saved_at = self.images_seen if resumed else -1
        self._stage = self.schedule.stage(self.images_seen)
        self.state.set_learning_rate(
            self.schedule.at(self.images_seen).learning_rate
        )
        total = self.schedule.total_images
        self._progress = Progress(self.images_seen, total, not self._chief)
        self._log = None
        if self._chief:
            self._log = RunLog(
                config.run_dir, config.resolution, self.images_seen
            )
        self._estimate = TimeEstimate(
            self.schedule,
            self.state.generator,
            self.state.discriminator,
            self.strategy.num_replicas_in_sync,
        )
        self._measured_stage = self._estimated = None
        self._sums, self._steps, self._seconds = {}, 0, 0.0
        self._progress.say(self._first_words(resumed))

    def _first_words(self, resumed):
        count = self.strategy.num_replicas_in_sync
        kind = "GPU" if devices.has_gpu(self.strategy) else "CPU"
        where = f"{count} {kind} device{'s' if count > 1 else ''}"
        verb = "Resuming" if resumed else "Training"
        return (
            f"{verb} {self.config.run_dir} at {self.images_seen / 1000:,.1f} "
            f"of {self.schedule.total_images / 1000:,.1f} kimg: "
            f"{self.config.data}, up to {self.config.resolution}x"
            f"{self.config.resolution}, {self.config.precision}, {where}"
        )

    @contextlib.contextmanager
    def _catching_signals(self):
        """SIGINT and SIGTERM end the loop after the call in hand."""

        def handle(number, frame):
            if self._stop and number == signal.SIGINT:
                raise KeyboardInterrupt
            self._stop = True
            self._progress.say("Stopping: saving everything first.")

        numbers = (signal.SIGINT, signal.SIGTERM)
        old = {number: signal.signal(number, handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)

    # ---- the loop ----

    def _loop(self):
        previous = self.images_seen - 1
        if self._saved_at >= 0:
            previous = self.images_seen
        while True:
            # Maintenance comes before the step, so that the untrained
            # networks are in the record too.
            self._maintain(previous)
            previous = self.images_seen
            if previous >= self.schedule.total_images or self._must_stop():
                return
            self._enter_stage()
            self._train_some()

    def _enter_stage(self):
        """Forget the optimizers' moments at both ends of a fade."""
        stage = self.schedule.stage(self.images_seen)
        if stage != self._stage:
            self._stage = stage
            self.state.reset_optimizers()
            rate = self.schedule.at(self.images_seen).learning_rate
            self.state.set_learning_rate(rate)

    def _train_some(self):
        """One call of several steps; no due time lies within them."""
        start, steps, batch, resolution = plan = self._plan(self.images_seen)
        began = time.perf_counter()
        chunk = self._loader.chunk(*plan, rows=self._rows(batch))
        self._loader.prefetch(
            *(following := self._plan(start + steps * batch)),
            rows=self._rows(following[2]),
        )
        alphas = np.ones(self._call_steps(resolution), "float32")
        alphas[:steps] = [
            self.schedule.alpha(start + i * batch) for i in range(steps)
        ]
        distribute = self._distributor(len(alphas))
        means = self.state.run(
            distribute(chunk.images),
            alphas,
            steps,
            distribute(chunk.labels),
            distribute(chunk.fake_labels),
        )
        self.images_seen = start + steps * batch
        self._record(plan, means, time.perf_counter() - began)
        self._check_skipped()

    def _plan(self, images_seen):
        """(start, steps, minibatch, resolution) of the next call."""
        phase = self.schedule.at(images_seen)
        due = min(
            self.schedule.next_boundary(images_seen),
            *(_next_multiple(images_seen, every) for every in self._cadences()),
        )
        until = max(1, self.schedule.steps_until(images_seen, due))
        steps = min(until, self._call_steps(phase.resolution))
        return images_seen, steps, phase.batch_size, phase.resolution

    def _cadences(self):
        config = self.config
        kimg = config.tick_kimg, config.sample_kimg, config.checkpoint_kimg
        return [max(1, round(1000 * every)) for every in kimg]

    def _call_steps(self, resolution):
        """Steps of one call: a function of the config, equal on all workers."""
        config = self.config
        batch = config.batch_size[resolution]
        flops = batch * arithmetic.step_flops_per_image(
            resolution,
            config.latent_size,
            config.num_classes,
            config.channels,
            config.fmap_base,
            config.fmap_max,
            config.fused_scale,
        )
        kind = "GPU" if devices.has_gpu(self.strategy) else "CPU"
        steps = int(_CALL_FLOPS[kind] / flops)
        return min(max(steps, 1), _MOST_STEPS_A_CALL)

    def _rows(self, batch):
        """The rows of each minibatch that this process feeds."""
        share = batch // devices.worker_count(self.strategy)
        first = devices.worker_index(self.strategy) * share
        return first, first + share

    def _distributor(self, call_steps):
        """A function from `[steps, rows, ...]` to a per-replica value.

        It is filled up to the steps of a full call, so that a shorter one
        needs no graph of its own.
        """
        workers = devices.worker_count(self.strategy)
        local = self.strategy.num_replicas_in_sync // workers

        def distribute(array):
            if array is None:
                return None
            full = np.zeros([call_steps, *array.shape[1:]], array.dtype)
            full[: len(array)] = array
            shares = np.split(full, local, axis=1)
            return self.strategy.experimental_distribute_values_from_function(
                lambda context: tf.constant(
                    shares[context.replica_id_in_sync_group % local]
                )
            )

        return distribute

    def _record(self, plan, means, seconds):
        start, steps, batch, resolution = plan
        for name, mean in means.items():
            self._sums[name] = self._sums.get(name, 0.0) + mean * steps
        self._steps += steps
        self._seconds += seconds
        # The first call of a stage also traces and compiles.
        measured = self._stage == self._measured_stage
        self._measured_stage = self._stage
        if measured:
            self._estimate.add(resolution, seconds, steps)
        if not self._chief:
            return
        left = self._estimate.seconds_left(self.images_seen)
        alpha = self.schedule.alpha(start)
        rate = steps * batch / seconds
        self._progress.update(self.images_seen, resolution, alpha, rate, left)
        if measured and resolution != self._estimated:
            self._estimated = resolution
            self._progress.say(
                f"At {resolution}x{resolution}, {rate:,.4g} images/s: about "
                f"{duration(left)} to the end of the run."
            )

    def _check_skipped(self):
        in_a_row = int(self.state.skipped_in_a_row.numpy())
        if in_a_row >= _MOST_SKIPPED_IN_A_ROW:
            raise UserError(
                f"the gradients of {in_a_row} steps in a row were not finite "
                f"at {self.images_seen} images; {self.config.run_dir} keeps "
                f"the last good checkpoint, of {max(self._saved_at, 0)} "
                "images: continue from there with a lower --learning_rate or "
                "--precision=float32 in a new run"
            )

    def _must_stop(self):
        """Whether any worker was told to stop; all of them then do."""
        if devices.worker_count(self.strategy) == 1:
            return self._stop
        flag = tf.constant(1 if self._stop else 0)
        per_replica = self.strategy.run(lambda: tf.identity(flag))
        total = self.strategy.reduce("SUM", per_replica, axis=None)
        self._stop = int(total.numpy()) > 0
        return self._stop

    # ---- maintenance ----

    def _maintain(self, previous):
        """Do what fell due since `previous` images were seen."""
        tick, sample, save = (
            self.images_seen // every > previous // every
            for every in self._cadences()
        )
        if tick and self._steps:
            self._tick()
        if sample:
            self._sample()
        if save and self.images_seen:
            self._save()

    def _tick(self):
        start = self.images_seen - 1  # Of the minibatches just trained on.
        phase = self.schedule.at(start)
        rate = self._images_since_tick() / self._seconds
        values = {
            "images_seen": self.images_seen,
            "resolution": phase.resolution,
            "alpha": self.schedule.alpha(start),
            "batch_size": phase.batch_size,
            "learning_rate": phase.learning_rate,
            **{name: s / self._steps for name, s in self._sums.items()},
            "images_per_second": rate,
            "steps_skipped": int(self.state.steps_skipped.numpy()),
        }
        self._sums, self._steps, self._seconds = {}, 0, 0.0
        if self._log:
            self._log.write_metrics(values)
            left = self._estimate.seconds_left(self.images_seen)
            self._progress.tick(values, left)

    def _images_since_tick(self):
        phase = self.schedule.at(self.images_seen - 1)
        return self._steps * phase.batch_size

    def _sample(self):
        """The same latents' images, by the average, as they are now."""
        if not self._log:
            return
        config, seen = self.config, self.images_seen
        count, columns = self._log.cells, self._log.columns
        if not (self._log.folder / "samples" / "reals.png").exists():
            shown = self._source.images(
                np.arange(count) % len(self._source), config.resolution
            )
            self._log.write_grid("reals", shown, seen)
        phase = self.schedule.at(seen)
        self.state.set_alpha(phase.resolution, self.schedule.alpha(seen))
        labels = None
        if config.num_classes:  # One class a row.
            labels = np.arange(count) // columns % config.num_classes
        images = generate_images(
            self.state.average.at(phase.resolution),
            config.seed + np.arange(count),
            labels,
        )
        images = nearest_up(images, config.resolution // phase.resolution)
        self._log.write_grid(f"fakes-{self._kimg_name(seen)}", images, seen)

    def _kimg_name(self, images_seen):
        """Thousands of images, with a fraction where grids come that often."""
        if self.config.sample_kimg % 1:
            return f"{images_seen / 1000:010.3f}"
        return f"{images_seen // 1000:06d}"

    def _save(self):
        if self._chief and self._saved_at != self.images_seen:
            self._checkpoints.save()
        self._saved_at = self.images_seen

    def _finish(self):
        """Save; at the end of the schedule also the finished generator."""
        if self._steps:
            self._tick()
        self._save()
        done = self.images_seen >= self.schedule.total_images
        if not self._chief:
            return
        if not done:
            self._progress.say(
                f"Stopped at {self.images_seen} images. Run the same command "
                "again to go on."
            )
            return
        self._sample()
        resolution = finished_resolutions(self.schedule, self.images_seen)[-1]
        path = pathlib.Path(self.config.run_dir) / "generator.keras"
        model = self.state.average.at(resolution, fade=False)
        save_model_atomically(model, path)
        self._progress.say(f"Done: {path} and {path.parent / 'samples'}.")


def save_model_atomically(model, path):
    """Save a Keras model as a `.keras` file, whole or not at all.

    Raises:
        UserError: if it cannot be written.
    """
    temporary = path.with_name(f".{path.stem}.tmp.keras")
    try:
        model.save(temporary)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {error}") from error


def _next_multiple(number, step):
    return (number // step + 1) * step
