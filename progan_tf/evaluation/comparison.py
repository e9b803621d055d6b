"""Measuring sets of pictures against the training data.

What the data leave is kept in a `StatisticsCache`. One pass over the pictures
that are evaluated then does for all metrics.
"""

import contextlib
import json
import math
from typing import NamedTuple

import numpy as np

from progan_tf.evaluation.reals import batch_size
from progan_tf.metrics.batches import prefetched, regrouped


class Result(NamedTuple):
    """What a metric says of a set."""

    metric: str
    in_features: bool  # Whether its values are those of one network.
    images: int  # How many of the set's pictures it looked at.
    values: dict  # From name to float.
    reals: dict  # Likewise of other reals: the noise floor of a distance.
    reals_images: int  # How many those are.


class _Part(NamedTuple):
    """Pictures `first` to `first + count` of a pass, for one measure."""

    measure: object
    first: int
    count: int
    stream: int  # 0 for reals, 1 for what is compared with them.


class Comparison:
    """Measures sets of pictures, at most `available`, against `Reals`.

    There are `num_images` of either set, by default as published. `show` is
    `progress.progress` or a function like it.
    """

    def __init__(self, measures, reals, num_images, available, cache, show):
        self.reals = reals
        self._cache = cache
        self._show = show
        self._counts = {
            measure: min(num_images or measure.images, available or math.inf)
            for measure in measures
        }
        self._statistics, self._floors = {}, {}

    @property
    def images(self):
        """int, how many pictures of a set are looked at."""
        return max(self._counts.values(), default=0)

    def notices(self):
        """Warnings about the numbers, list of str."""
        there, told = len(self.reals), []
        for measure, count in self._counts.items():
            name = ", ".join(measure.metrics)
            if measure.repeats and count > there:
                told.append(
                    f"{name}: the data have {there:,} pictures, which are "
                    f"repeated to make {count:,}"
                )
            elif measure.compares and count > there:
                told.append(
                    f"{name}: compared with all {there:,} pictures of the data"
                )
            if measure.compares and 2 * count > there:
                told.append(
                    f"{name}: the value for reals compares two sets of "
                    f"{there // 2:,} pictures, fewer than are evaluated"
                )
        return told

    def prepare(self):
        """Load or compute the statistics of the data, in up to two passes.

        Raises UserError if the data cannot be read or have too few pictures.
        """
        fingerprint, missing = self.reals.fingerprint(), []
        for measure in self._counts:
            if measure.compares:
                part = _Part(measure, 0, self._reals_count(measure), 0)
                found = self._cache.load(self._cache_key(part), fingerprint)
                self._statistics[measure] = found
                if found is None:
                    missing.append(part)
        computed = self._statistics_of_reals(missing, "data")
        for part, found in zip(missing, computed, strict=True):
            self._statistics[part.measure] = found
            self._store(self._cache_key(part), fingerprint, found)
        self._prepare_floors(fingerprint)

    def results(self, batches, action):
        """list of `Result`, a metric each, of one set.

        It is an iterable of uint8 `[n, R, R, C]`, as many as `images`; `action`
        is what they are called while they are made. Raises UserError if they
        are no pictures of the reals' resolution.
        """
        parts = [_Part(m, 0, n, 1) for m, n in self._counts.items()]
        computed = self._statistics_in_one_pass(parts, batches, action)
        results = []
        for (measure, _, count, _), found in zip(parts, computed, strict=True):
            reals = self._statistics.get(measure)
            values = measure.values(reals, found, self._steps(measure))
            floors, floor_count = self._floors[measure]
            for name in measure.metrics:
                of = name, measure.in_features, count
                results.append(
                    Result(*of, values[name], floors[name], floor_count)
                )
        return results

    def _reals_count(self, measure):
        count = self._counts[measure]
        return count if measure.repeats else min(count, len(self.reals))

    def _prepare_floors(self, fingerprint):
        """Values of reals in the place of what is evaluated."""
        missing = []
        for measure, count in self._counts.items():
            parts = self._floor_parts(measure, count)
            key = {**self._cache_key(parts[-1]), "of": measure.metrics}
            found = self._cache.load(key, fingerprint)
            if found is None:
                missing.append((measure, parts, key))
            else:
                values = json.loads(found["values"].item())
                self._floors[measure] = values, parts[-1].count
        needed = [part for _, parts, _ in missing for part in parts]
        statistics = iter(self._statistics_of_reals(needed, "data again"))
        for measure, parts, key in missing:
            sets = [next(statistics) for _ in parts]
            # A set that the cache already had can serve as the first.
            reals = sets[0] if len(sets) > 1 else self._statistics.get(measure)
            values = measure.values(reals, sets[-1], self._steps(measure))
            self._floors[measure] = values, parts[-1].count
            text = np.array(json.dumps(values))
            self._store(key, fingerprint, {"values": text})

    def _floor_parts(self, measure, count):
        """The reals that are evaluated, last, and those to compare them with.

        The latter are left out where they are what all sets are compared with.
        """
        there = len(self.reals)
        if not measure.compares:
            return [_Part(measure, 0, min(count, there), 1)]
        half = min(count, there // 2)
        parts = [_Part(measure, half, half, 1)]
        if half != self._reals_count(measure):
            parts.insert(0, _Part(measure, 0, half, 0))
        return parts

    def _statistics_of_reals(self, parts, action):
        """Statistics of parts of the reals, in one pass over them."""
        if not parts:
            return []
        first = min(part.first for part in parts)
        end = max(part.first + part.count for part in parts)
        shifted = [part._replace(first=part.first - first) for part in parts]
        batches = self.reals.batches(first, end - first)
        return self._statistics_in_one_pass(shifted, batches, action)

    def _statistics_in_one_pass(self, parts, batches, action):
        """Statistics of parts of what the batches give, in one pass."""
        resolution = self.reals.resolution
        total = max(part.first + part.count for part in parts)
        with contextlib.ExitStack() as stack:
            collectors = [
                stack.enter_context(x.measure.collector(resolution, x.stream))
                for x in parts
            ]
            ahead = contextlib.closing(prefetched(batches))
            batches = stack.enter_context(ahead)
            # Groups of a generator are small, and metrics use all cores.
            batches = regrouped(batches, batch_size(resolution))
            start = 0
            for batch in self._show(batches, total, "picture", action, len):
                for part, collector in zip(parts, collectors, strict=True):
                    first = max(0, part.first - start)
                    end = max(0, part.first + part.count - start)
                    some = batch[first:end]
                    if len(some):
                        collector.add(some)
                start += len(batch)
            return [
                part.measure.statistics(collector, self._steps(part.measure))
                for part, collector in zip(parts, collectors, strict=True)
            ]

    def _steps(self, measure):
        """Shows the steps of what a measure computes in the end."""
        action = ", ".join(measure.metrics)
        return lambda items: self._show(items, len(items), "step", action)

    def _cache_key(self, part):
        """The key under which the statistics of a part are cached."""
        about = {name: getattr(part, name) for name in part._fields[1:]}
        return {**self.reals.cache_key(), **part.measure.parameters, **about}

    def _store(self, key, fingerprint, arrays):
        # The data may have changed while they were read.
        if self.reals.fingerprint() == fingerprint:
            self._cache.store(key, fingerprint, arrays)
