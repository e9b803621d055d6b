"""Helpers for tests of comparisons with the data."""

import numpy as np
from pictures import random_pixels

from progan_tf import metrics
from progan_tf.data import open_source
from progan_tf.evaluation import measures
from progan_tf.evaluation.comparison import Comparison
from progan_tf.evaluation.reals import Reals
from progan_tf.evaluation.statistics_cache import StatisticsCache

SIZE = 16
FAKES = random_pixels(64, SIZE, SIZE, 3, seed=1)
WITHOUT_FEATURES = ("swd", "ms_ssim")
ALL = tuple(metrics.METRICS)


class Projections(metrics.Features):
    """The simplest features: random projections of the pixels."""

    def __init__(self):
        self._matrix = np.random.RandomState(0).randn(SIZE * SIZE * 3, 5)
        self.seen = 0
        self.name = "projections"

    def _vectors(self, images):
        self.seen += len(images)
        pixels = images.reshape(len(images), -1) / 255.0
        return (pixels @ self._matrix).astype("float32")


def no_bar(items, total, unit, action, size=None):
    return items


def in_batches(images, *sizes):
    """The images in batches of these sizes; the last one repeats."""
    start = 0
    while start < len(images):
        size, sizes = sizes[0], sizes[1:] or sizes
        yield images[start : start + size]
        start += size


def comparison(reals, cache, names=WITHOUT_FEATURES, count=None, features=None):
    made = Comparison(
        measures.make_measures(names, features, "network"),
        reals,
        count,
        None,
        StatisticsCache(cache),
        no_bar,
    )
    made.prepare()
    return made


def values_of(results):
    return {result.metric: result.values for result in results}


def reals_in(folder, **options):
    return Reals(open_source(str(folder)), str(folder), SIZE, **options)
