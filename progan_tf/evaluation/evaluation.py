"""Evaluating a run, a generator or a folder of pictures, with a report."""

import contextlib
import functools
import itertools
import pathlib
import shutil

import numpy as np

from progan_tf import metrics
from progan_tf.data import kind_named, open_source, split
from progan_tf.data.disk import files_fingerprint
from progan_tf.errors import UserError
from progan_tf.evaluation import measures
from progan_tf.evaluation.comparison import Comparison, Result
from progan_tf.evaluation.lines import FOLDER, lines_of
from progan_tf.evaluation.log import EvaluationLog
from progan_tf.evaluation.reals import Reals, at_resolution
from progan_tf.evaluation.statistics_cache import StatisticsCache
from progan_tf.files import writing
from progan_tf.images import nearest_up, save_png
from progan_tf.metrics.batches import prefetched
from progan_tf.progress import progress
from progan_tf.text import kimg_in_names

# Bars between its rows would tear the table apart.
_progress = functools.partial(progress, leave=False)
# Of the picture of nearest neighbours: samples in a row, and rows below it.
_SAMPLES, _NEIGHBOURS = 8, 3
# Samples, and held-out pictures, that are judged to be memorised or not.
_JUDGED = 256
# Its pictures are enlarged to this many pixels, to be seen without a lens.
_CELL = 64
_FIRST, _OTHERS = 30, 9  # Widths of the table's columns.


def reals_for(subjects, data=None, resolution=None, mirror=None):
    """The `Reals` that the pictures of `open_subjects` are compared with.

    By default the data, resolution and mirroring of the training, or the
    resolution of the generator or folder. Raises UserError if the data do not
    go with the pictures.
    """
    config, classes = subjects.config, subjects.num_classes
    data = data or subjects.data
    if data is None:
        raise UserError("expected --data=, the pictures to compare with")
    source = open_source(data, subjects.channels, classes > 0)
    if len(source) < 2:
        raise UserError(
            f"expected two or more pictures to compare with; {data} has "
            f"{len(source)}"
        )
    if classes not in (0, source.num_classes):
        raise UserError(
            f"expected data of {classes} classes, as the generator has; {data} "
            f"has {source.num_classes}"
        )
    if config and kind_named(data).absolute(data) == config.data:
        source, _ = split(source, config.seed, config.hold_out)
    if mirror is None:
        mirror = bool(config and config.mirror)
    return Reals(source, data, resolution or subjects.resolution, mirror)


def held_out_for(subjects, reals, data=None):
    """`Reals` that were not trained on, or None where none are known.

    They are those of `data`, if it is given. Otherwise they are what the run's
    `hold_out` kept of its own data, if `reals` are of that data, and there are
    as many pictures as in training. Raises UserError if they cannot be had at
    the resolution of `reals`, or if `data` is that of `reals`.
    """
    config = subjects.config
    if data is not None:
        if kind_named(data).absolute(data) == reals.data:
            raise UserError(
                "expected pictures that were not trained on; "
                f"--held_out={data} is the data itself"
            )
        source = open_source(
            data, subjects.channels, flag="--held_out", few=True
        )
    elif config and config.hold_out and reals.data == config.data:
        source = open_source(config.data, subjects.channels)
        kept, source = split(source, config.seed, config.hold_out)
        if len(kept) != config.num_images:
            print(
                f"The run was trained on {config.num_images:,} pictures, but "
                f"would now be on {len(kept):,}, so it is not known which were "
                "held out; give others with --held_out=FOLDER.",
                flush=True,
            )
            return None
    else:
        return None
    return Reals(source, data or config.data, reals.resolution)


class Evaluation:
    """Measures pictures, and shows and keeps what it finds.

    Args:
        subjects: what `open_subjects` gave.
        reals: `Reals` that their pictures are compared with.
        names: of metrics, which `measures.check_names` allows.
        features: the source that `load_features` takes, or None. With one,
            neighbours are the nearest in its features, not in pixels.
        num_images: int, pictures of either set; by default as published, and
            for neighbours all of the data.
        seed: int, of the first picture.
        out: folder for the files; by default `evaluation` in the run directory,
            and without a run nothing is written.
        cache_dir: folder for statistics of the data; by default in the user's
            cache.
        trust: bool, as of `load_features`.
        held_out: `Reals` that were not trained on, for neighbours, or None.

    Raises:
        UserError: if these do not go together.
    """

    def __init__(
        self,
        subjects,
        reals,
        names,
        features=None,
        num_images=None,
        seed=0,
        out=None,
        cache_dir=None,
        trust=False,
        held_out=None,
    ):
        there, config = subjects.available, subjects.config
        if there and (num_images or 0) > there:
            raise UserError(
                f"expected {num_images:,} pictures to evaluate; there are "
                f"{there:,}"
            )
        board = out  # The folder that holds TensorBoard's.
        if out is None and config:
            board, out = config.run_dir, pathlib.Path(config.run_dir, FOLDER)
        self._neighbours = measures.NEIGHBOURS in names
        if self._neighbours and out is None:
            raise UserError(
                "--metrics=neighbours writes a picture; give --out=, its folder"
            )
        self._subjects, self._reals = subjects, reals
        self._num_images, self._seed, self._out = num_images, seed, out
        self._held_out = held_out
        self._log = contextlib.nullcontext()
        if out is not None:
            board = config and pathlib.Path(board, "tensorboard")
            self._log = EvaluationLog(out, config, board)
        self._features_name = features
        self._features, fingerprint = None, ""
        if features:
            self._features = metrics.load_features(features, trust)
            fingerprint = files_fingerprint(self._features.files)
        rows = measures.make_measures(names, self._features, fingerprint)
        cache = StatisticsCache(cache_dir)
        self._comparison = Comparison(
            rows, reals, num_images, there, cache, _progress
        )

    def run(self):
        """Evaluate all subjects.

        Returns a list of pairs of a `Subject` and its list of `Result`. Raises
        UserError if pictures cannot be made, read or measured; what was found
        before is written.
        """
        notices = self._comparison.notices()
        if self._subjects.available:
            size = f"{self._reals.resolution}x{self._reals.resolution}"
            notices.insert(0, f"pictures that are not {size} are resized to it")
        for notice in notices:
            print(notice, flush=True)
        found, table, count = [], Table(), self._comparison.images
        # First of all, because it shows whether the place can be written.
        with self._log as log:
            self._comparison.prepare()
            for number, subject in enumerate(self._subjects, 1):
                of, results = len(self._subjects), []
                action = subject.name
                if of > 1:
                    action += f" ({number} of {of})"
                if count:
                    batches = self._batches(subject, count)
                    results = self._comparison.results(batches, action)
                table.show(subject.name, results)
                if self._neighbours:
                    results = [*results, self._memorised(subject)]
                found.append((subject, results))
                if log and results:
                    about = self._reals, self._seed, self._features_name
                    log.write(lines_of(results, subject, *about))
        return found

    def _batches(self, subject, count):
        """The first pictures of a subject at the resolution of the reals."""
        labels = None
        if self._subjects.num_classes:
            labels = self._reals.fake_labels(self._seed, count)
        numbers = range(self._seed, self._seed + count)
        for images in subject.stream(numbers, labels):
            yield at_resolution(images, self._reals.resolution)

    def _memorised(self, subject):
        """The `Result` of how many samples are copies of pictures of the data.

        Also writes a PNG of some of them over the pictures nearest to them.
        """
        reals, there = self._reals, self._subjects.available
        count = min(self._num_images or len(reals), len(reals))
        judged = min(_JUDGED, there or _JUDGED)
        samples = np.concatenate([*self._batches(subject, judged)])
        unseen = self._held_out and min(_JUDGED, len(self._held_out))
        others = self._held_out.batches(0, unseen) if unseen else ()
        found = metrics.nearest_neighbours(
            np.concatenate([samples, *others]),
            self._pictures(count),
            _NEIGHBOURS,
            self._features,
            _SAMPLES,
        )
        copies = 1 + reals.mirror
        flags = metrics.memorised(
            found, self._pictures(count), self._features, copies
        )
        self._write_neighbours(subject, samples, found)
        share, normal = flags[:judged].mean(), None
        text = (
            f"Memorised: {share:.1%} of {judged} samples are nearer to a "
            "picture of the data than any other picture of the data is"
        )
        if unseen:
            normal = float(flags[judged:].mean())
            text += (
                f"; the same holds for {normal:.1%} of {unseen} held-out "
                "pictures"
            )
        print(f"{text}.", flush=True)
        name = measures.MEMORISED
        return Result(
            name,
            self._features is not None,
            judged,
            {name: float(share)},
            {name: normal},
            unseen or 0,
        )

    def _pictures(self, count):
        """Iterator of the first pictures of the data, uint8 `[1, R, R, C]`."""
        ahead = prefetched(self._reals.batches(0, count))
        with contextlib.closing(ahead) as batches:
            reals = itertools.chain.from_iterable(batches)
            reals = _progress(reals, count, "picture", "compared")
            for image in reals:
                yield image[np.newaxis]
                if self._reals.mirror:
                    # Training shows both ways, so it may have learnt either.
                    yield image[np.newaxis, :, ::-1]

    def _write_neighbours(self, subject, samples, found):
        """A PNG of the first samples over the pictures nearest to them."""
        name = "neighbours.png"
        if subject.images_seen is not None:
            name = f"neighbours-{kimg_in_names(subject.images_seen)}.png"
        path = pathlib.Path(self._out, name)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        shown = metrics.Neighbours(*(array[:_SAMPLES] for array in found))
        grid = metrics.neighbours_grid(samples[:_SAMPLES], shown)[np.newaxis]
        factor = max(1, _CELL // self._reals.resolution)
        save_png(path, nearest_up(grid, factor)[0])
        print(
            f"Samples, each above its {_NEIGHBOURS} nearest pictures of the "
            f"data: {path}",
            flush=True,
        )


class Table:
    """Prints a row for each subject, below one of other reals.

    Where the terminal is too narrow for all columns, all rows, the head as
    well, go on in another line.
    """

    def __init__(self):
        self._widths = None
        self._screen = shutil.get_terminal_size().columns

    def show(self, name, results):
        """Print the row of a subject's `Result`s; before the first the head."""
        if not results:
            return
        if not self._widths:
            for x in results:
                counts = f"{x.images:,} images, {x.reals_images:,} other reals"
                print(f"{x.metric}: {counts}")
            names = [name for x in results for name in x.values]
            self._widths = [max(_OTHERS, len(name)) for name in names]
            self._print("", names)
            self._print("reals", [n for x in results for n in x.reals.values()])
        self._print(name, [n for x in results for n in x.values.values()])

    def _print(self, name, cells):
        lines = [f"{name:<{_FIRST}}"]
        if len(name) > _FIRST:
            # On a line of its own, so that columns stay where they are.
            lines.append(" " * _FIRST)
        for cell, width in zip(cells, self._widths, strict=True):
            if not isinstance(cell, str):
                cell = "-" if cell is None else f"{cell:.4g}"
            empty = len(lines[-1]) == _FIRST
            if not empty and len(lines[-1]) + 1 + width > self._screen:
                lines.append(" " * _FIRST)
            lines[-1] += f" {cell:>{width}}"
        print("\n".join(lines), flush=True)
