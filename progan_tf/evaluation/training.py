"""Evaluating a run while it trains, and keeping its best generator."""

import contextlib
import json
import pathlib
import time

from progan_tf.errors import UserError
from progan_tf.evaluation import measures
from progan_tf.evaluation.comparison import Comparison
from progan_tf.evaluation.lines import FOLDER, lines_of, lines_of_snapshot
from progan_tf.evaluation.log import EvaluationLog
from progan_tf.evaluation.reals import Reals
from progan_tf.evaluation.statistics_cache import StatisticsCache
from progan_tf.evaluation.subjects import Subject
from progan_tf.files import write_text_atomically, writing
from progan_tf.keras_file import save_keras
from progan_tf.reading import read_json
from progan_tf.resolutions import LOWEST_EVALUATED
from progan_tf.sampling import as_generator
from progan_tf.text import kimg

BEST_FOLDER, BEST_FILE = "best", "best.json"
# What tells whether another one is better.
_NUMBERS = "images", "resolution", "swd_avg"


class TrainingEvaluation:
    """Measures the average by the metrics that need no network.

    Pictures are compared at the resolution that is being trained, so that the
    cost follows that of training; numbers of two resolutions do not compare.
    Nothing of the training state is changed.

    The average with the lowest sliced Wasserstein distance is kept as
    `best/generator.keras`, with its numbers in `best/best.json`. A higher
    resolution is always better, and one that still fades in never is.

    Args:
        config: `TrainConfig`.
        source: `data.Source` of the reals.
        average: `Generator` whose pictures are measured.
        say: function that is called with each result, a str.
        stopped: function that tells whether to break off an evaluation.
    """

    def __init__(self, config, source, average, say, stopped):
        self._config = config
        self._schedule = config.schedule()
        self._source = source
        self._average = average
        self._say = say
        self._stopped = stopped
        self._folder = pathlib.Path(config.run_dir)
        folder, board = self._folder / FOLDER, self._folder / "tensorboard"
        self._log = EvaluationLog(folder, config, board)
        self._comparison = self._stream = None
        self._evaluated = -1
        self._seconds = 0.0  # That the last one took.

    def run(self, images_seen):
        """Evaluate, unless the resolution is too low or this was just done.

        An error is told, and training can go on.
        """
        phase = self._schedule.at(images_seen)
        too_low = phase.resolution < LOWEST_EVALUATED
        if too_low or images_seen == self._evaluated:
            return
        self._evaluated = images_seen
        place = f"{kimg(images_seen)} kimg"
        try:
            self._prepare(phase.resolution)
            began = time.perf_counter()
            reals, count = self._comparison.reals, self._comparison.images
            labels = None
            if self._config.num_classes:
                labels = reals.fake_labels(0, count)
            with self._faded(phase.resolution, images_seen):
                batches = self._stream(range(count), labels)
                results = self._comparison.results(batches, "")
            subject = Subject("", images_seen, self._stream)
            self._log.write(lines_of(results, subject, reals))
            best = self._keep_best(results, phase, images_seen)
        except _Stopped:
            self._say(f"Broke off the evaluation at {place}.")
        except UserError as error:
            self._say(f"Not evaluated at {place}: {error}")
        else:
            self._seconds = time.perf_counter() - began
            numbers = [_in_words(result) for result in results]
            self._say(f"At {place}: {'; '.join(numbers)}{best}.")

    def is_known(self, images_seen):
        """Whether the log has the numbers of such an evaluation."""
        resolution = self._schedule.at(images_seen).resolution
        try:
            lines = lines_of_snapshot(self._config, images_seen, resolution)
        except UserError:
            return False  # To evaluate tells of a log that cannot be read.
        count = self._config.eval_images
        found = {x["metric"] for x in lines if x["images"] == count}
        return found.issuperset(measures.PLAIN)

    def seconds_left(self, images_seen):
        """Seconds that the evaluations to come take, each like the last one."""
        every = 1000 * self._config.eval_kimg
        left = self._schedule.total_images - images_seen
        return self._seconds * left / every if every else 0.0

    def close(self):
        """Flush what TensorBoard buffers."""
        self._log.close()

    def _prepare(self, resolution):
        """Statistics of the data at a resolution, once for all evaluations."""
        known, config = self._comparison, self._config
        if known and known.reals.resolution == resolution:
            return
        reals = Reals(self._source, config.data, resolution, config.mirror)
        rows, cache = measures.make_measures(measures.PLAIN), StatisticsCache()
        count, show = config.eval_images, self._unless_stopped
        comparison = Comparison(rows, reals, count, None, cache, show)
        for notice in comparison.notices():
            self._say(notice)
        comparison.prepare()
        self._comparison = comparison
        self._stream = as_generator(self._average.at(resolution)).stream

    @contextlib.contextmanager
    def _faded(self, resolution, images_seen):
        """Fades the average in as it is now; then as it was before.

        The alpha of the average is in the checkpoint, which must not depend on
        evaluations.
        """
        alpha = self._average.block(resolution).fade.alpha
        before = alpha.numpy()
        alpha.assign(self._schedule.alpha(images_seen))
        try:
            yield
        finally:
            alpha.assign(before)

    def _keep_best(self, results, phase, images_seen):
        """Keep the average if it is the best; what to say of it."""
        if images_seen < phase.fade_end:
            return ""
        (swd,) = (x for x in results if x.metric == "swd")
        new = {"images_seen": images_seen, "resolution": phase.resolution}
        new |= {"images": swd.images, "swd_avg": swd.values["swd_avg"]}
        folder = self._folder / BEST_FOLDER
        if not _is_better(new, _read(folder / BEST_FILE)):
            return ""
        with writing(folder):
            folder.mkdir(exist_ok=True)
        model = self._average.at(phase.resolution, fade=False)
        # In this order: should the second fail, the run goes on from before
        # here, finds the same numbers and writes both again.
        save_keras(model, folder / "generator.keras")
        text = json.dumps(new, indent=2) + "\n"
        write_text_atomically(folder / BEST_FILE, text)
        return ", the best so far"

    def _unless_stopped(self, items, *shown):
        """Gives back the items until training is to stop."""
        for item in items:
            if self._stopped():
                raise _Stopped
            yield item


class _Stopped(Exception):
    """Training is to stop, so that the evaluation is not finished."""


def _read(path):
    """The numbers of the best so far, or None."""
    try:
        numbers = read_json(path)
        wanted = {name: numbers[name] for name in _NUMBERS}
    except (UserError, KeyError, TypeError):
        return None
    good = all(type(value) in (int, float) for value in wanted.values())
    return wanted if good else None


def _is_better(new, old):
    """Whether a generator is better than the best so far."""
    if old is None or new["images"] != old["images"]:
        # Distances of other numbers of images do not compare.
        return True
    rank, best = ((x["resolution"], -x["swd_avg"]) for x in (new, old))
    return rank > best


def _in_words(result):
    """Such as "swd_avg 12.4 (reals 6.94)", of the last value."""
    *_, (name, value) = result.values.items()
    return f"{name} {value:.4g} (reals {result.reals[name]:.4g})"
