"""What a run leaves behind while it trains, and what it says meanwhile."""

import json
import math
import pathlib

from progan_tf.augmentation import leaks
from progan_tf.checkpoint import FOLDER, save_generator
from progan_tf.config.report import notices
from progan_tf.evaluation.training import TrainingEvaluation
from progan_tf.files import write_text_atomically, writing
from progan_tf.reading import read_json
from progan_tf.text import duration
from progan_tf.training import devices
from progan_tf.training.console import Progress, first_words
from progan_tf.training.estimate import TimeEstimate
from progan_tf.training.held_out import scores_apart
from progan_tf.training.run_log import RunLog, metrics_lines
from progan_tf.training.samples import SampleGrids

PLOT_FILE = "scores.png"


class SilentRecorder:
    """A `Recorder` that does nothing, of the workers but the first."""

    def __getattr__(self, name):
        assert hasattr(Recorder, name), name
        return lambda *args, **kwargs: None


class Recorder:
    """Log, sample grids, evaluations, checkpoints and messages of a run.

    The first process of a run has it; the others have a `SilentRecorder`.

    Args:
        config: `TrainConfig`.
        state: `TrainingStep`, which is read and never changed.
        checkpoints: `Checkpoints` of the state.
        source: `data.Source` of the reals.
        held_out: `data.Source` of reals that are not trained on, or None.
        resumed: bool, whether the state comes from a checkpoint.
        stopped: function that tells whether to break off an evaluation.
    """

    def __init__(
        self, config, state, checkpoints, source, held_out, resumed, stopped
    ):
        self._config, self._state = config, state
        self._schedule = config.schedule()
        self._checkpoints = checkpoints
        self._source, self._held_out = source, held_out
        seen = int(state.images_seen.numpy())
        self._saved_at = seen if resumed else -1
        self._progress = Progress(seen, self._schedule.total_images)
        self._since_tick = pathlib.Path(config.run_dir, FOLDER, "tick.json")
        self._averages = self._resumed_averages(seen)
        # The line of an early tick is written again, as a whole one.
        whole = seen - bool(self._averages.saved()["steps"])
        self._log = RunLog(
            config.run_dir, config.resolution, whole, config.num_classes
        )
        self._grids = SampleGrids(config, source, self._log)
        self._evaluation = TrainingEvaluation(
            config, source, state.average, self.say, stopped
        )
        replicas = state.strategy.num_replicas_in_sync
        self._estimate = TimeEstimate(
            config, state.generator, state.discriminator, replicas
        )
        self._compilation = Compilation(config)
        self._estimated = None
        self._leaks = ""  # What was said of them.
        where = devices.describe(state.strategy)
        self.say(first_words(config, seen, where, resumed))
        if missed := devices.missed_gpu(state.strategy, config.devices):
            self.say(missed)
        for line in notices(config, replicas):
            self.say(line)

    def say(self, text):
        """Print a line."""
        self._progress.say(text)

    def steps(self, steps, means, seconds):
        """Count steps and move the bar.

        Args:
            steps: `data.Steps`.
            means: dict of floats, what `TrainingStep.run` measured.
            seconds: float, how long they took.
        """
        stage = self._schedule.stage(steps.start)
        compiled = self._compilation.ended_before(stage, steps.count)
        self._averages.add(steps, means, seconds, compiled)
        size, rate = steps.resolution, steps.images / seconds
        if compiled:
            self._estimate.add(size, seconds, steps.count)
        seen = steps.start + steps.images
        left = self._seconds_left(seen)
        alpha = self._schedule.alpha(steps.start)
        # The means since the last tick: this call alone may have had neither a
        # penalty nor a step of the generator.
        means = self._averages.values()
        self._progress.update(seen, size, alpha, rate, left, means)
        if compiled and size != self._estimated:
            self._estimated = size
            self.say(
                f"At {size}x{size}, {rate:,.4g} images/s: about "
                f"{duration(left)} to the end of the run."
            )

    def tick(self, early=False):
        """Report the means over the steps since the last tick.

        An early one comes only because the run stops: when that goes on, a
        whole line takes this one's place.
        """
        averages = self._averages
        steps = averages.last
        if steps is None:
            return
        seen = steps.start + steps.images
        last_step = seen - steps.batch_size
        size, alpha = steps.resolution, self._schedule.alpha(last_step)
        measured = averages.values()
        if self._held_out:
            where = size, alpha, steps.batch_size
            measured |= scores_apart(
                self._state, self._held_out, self._source, *where
            )
        values = {
            "images_seen": seen,
            "resolution": size,
            "alpha": alpha,
            "batch_size": steps.batch_size,
            "learning_rate": self._schedule.learning_rate(last_step),
            **measured,
            "steps_skipped": int(self._state.steps_skipped.numpy()),
        }
        self._log.write_metrics(values)
        if not early:
            self._averages = Averages()
        if not self._leaks:
            p = values.get("augment_p", 0.0)
            self._leaks = leaks(self._config.augment, p)
            if self._leaks:
                self.say(self._leaks)
        self._progress.tick(values, self._seconds_left(seen))

    def sample(self, images_seen):
        """Write a grid of what the average draws, faded in as far as it is."""
        if not images_seen:
            self._grids.write_reals()
        resolution = self._schedule.at(images_seen).resolution
        self._grids.write_fakes(self._state.average.at(resolution), images_seen)

    def evaluate(self, images_seen, again=True):
        """Evaluate the average; the other workers wait in their next step.

        With `again` also where the log has the numbers already: a run that was
        killed just then may not have kept its best generator.
        """
        known = not again and self._evaluation.is_known(images_seen)
        if self._config.eval_kimg and not known:
            self._evaluation.run(images_seen)

    def save(self, images_seen):
        """Write a checkpoint, where there is none of so many images yet."""
        if self._saved_at != images_seen:
            averages = {"images_seen": images_seen, **self._averages.saved()}
            with writing(self._since_tick):
                self._since_tick.parent.mkdir(exist_ok=True)
            write_text_atomically(self._since_tick, json.dumps(averages))
            self._checkpoints.save()
            self._plot_scores()
        self._saved_at = images_seen

    def _plot_scores(self):
        """Plot the scores that show whether the discriminator overfits."""
        if self._held_out or self._state.augment is not None:
            run_dir = pathlib.Path(self._config.run_dir)
            lines = [json.loads(line) for _, line in metrics_lines(run_dir)]
            # Here, because matplotlib takes a second to import.
            from progan_tf.evaluation.plot import save_score_plot

            save_score_plot(run_dir / PLOT_FILE, lines, self._schedule)

    def done(self):
        """Write the finished generator."""
        path = save_generator(self._config.run_dir)
        self.say(f"Done: {path} and {path.parent / 'samples'}.")

    def close(self):
        """Leave the bar as it stands, and flush what is buffered."""
        self._evaluation.close()
        self._log.close()
        self._progress.close()

    def _resumed_averages(self, images_seen):
        """The `Averages` that belong to the checkpoint; empty if unknown."""
        try:
            saved = read_json(self._since_tick)
            if saved["images_seen"] == images_seen:
                return Averages.restored(saved, self._state.metrics)
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
        ):
            pass  # There are none, or damaged ones: not worth an end.
        return Averages()

    def _seconds_left(self, images_seen):
        """Seconds to the end of the run; None while no step was measured."""
        left = self._estimate.seconds_left(images_seen)
        if left is None:
            return None
        return left + self._evaluation.seconds_left(images_seen)


class Compilation:
    """Whether steps run functions that were compiled before.

    A stage's first call traces and compiles. XLA compiles each kind of step,
    such as those without a penalty, when it first comes.
    """

    def __init__(self, config):
        self._stage, self._taken = None, 0
        self._kinds = max(config.penalty_every, config.discriminator_steps)

    def ended_before(self, stage, count):
        """Count steps of a stage; bool, whether all was compiled before."""
        if stage != self._stage:
            self._stage, self._taken = stage, 0
        taken, self._taken = self._taken, self._taken + count
        return taken >= self._kinds


class Averages:
    """Means of what the steps since the last tick measured.

    The arguments are those that `saved` gave before a run was interrupted.
    """

    def __init__(self, sums=None, steps=None):
        self.last = None  # The `data.Steps` that were counted last.
        # By name: the sum, and over how many steps. What a call did not
        # measure, as the generator's loss where it was not moved, is left out.
        self._sums, self._steps = sums or {}, steps or {}
        # Images and seconds, by whether the function was compiled before.
        self._timed = {True: [0, 0.0], False: [0, 0.0]}

    @classmethod
    def restored(cls, saved, names):
        """The averages of some names, from what `saved` gave and JSON kept."""
        sums, steps = saved["sums"], saved["steps"]
        if isinstance(steps, int):
            # Of a run that an older version began: one number for all.
            steps = dict.fromkeys(sums, steps)
        known = [name for name in names if steps.get(name, 0) > 0]
        return cls(
            {name: float(sums[name]) for name in known},
            {name: int(steps[name]) for name in known},
        )

    def add(self, steps, means, seconds, compiled):
        """Count `data.Steps`, a dict of their means, and their seconds.

        `compiled` tells whether they ran a function that was compiled before.
        """
        self.last = steps
        for name, mean in means.items():
            # Not of calls with a skipped step, as float16 has now and then.
            good = math.isfinite(mean)
            total, count = (mean * steps.count, steps.count) if good else (0, 0)
            self._sums[name] = self._sums.get(name, 0.0) + total
            self._steps[name] = self._steps.get(name, 0) + count
        timed = self._timed[compiled]
        timed[0] += steps.images
        timed[1] += seconds

    def saved(self):
        """dict of the arguments with which `Averages` goes on from here."""
        return {"sums": self._sums, "steps": self._steps}

    def values(self):
        """dict of the means and of `images_per_second`.

        What no call has measured as a finite number is NaN.
        """
        means = {
            name: total / self._steps[name] if self._steps[name] else math.nan
            for name, total in self._sums.items()
        }
        # Compilation is left out, unless there was nothing else.
        images, seconds = self._timed[self._timed[True][0] > 0]
        return {**means, "images_per_second": images / seconds}
