"""What is told of a metric in one place: its row in the table of metrics."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple


@dataclasses.dataclass(frozen=True)
class Metric:
    """One metric of a set of pictures, mostly against another set.

    A set leaves statistics, so that those of the training data are computed
    once. Metrics with the same `collect` look at the pictures in one pass, and
    what the same `keep` gives is kept once.

    Attributes:
        name: as users give it.
        title: of its plot, which says what is better.
        images: how many pictures of a set published numbers are of.
        collect: function of (resolution, stream, features) to a context
            manager that gives an object with `add(uint8 [n, R, R, C])`. Stream
            is 0 for reals and 1 for what is compared with them; features is a
            `Features`, or None unless `in_features`.
        keep: function of that object, with all pictures added, and `steps` to
            a dict of arrays, the statistics. `steps` gives back an iterable, to
            show progress.
        values: function of (reals, fakes, features, steps) to a dict from name
            to float. Reals and fakes are statistics, reals None unless
            `compares`.
        in_features: whether its values are those of one network.
        compares: whether it compares two sets; otherwise it looks at one alone.
        repeats: whether pictures may come again where there are not enough.
        logarithmic: whether its plot is.
        has_parts: whether its last value is the mean of the others.
    """

    name: str
    title: str
    images: int
    collect: Callable[..., Any]
    keep: Callable[..., dict]
    values: Callable[..., dict]
    in_features: bool = False
    compares: bool = True
    repeats: bool = False
    logarithmic: bool = False
    has_parts: bool = False


class MeanAndDeviation(NamedTuple):
    """A metric's mean over parts of the pictures, and its standard deviation.

    The deviation is None where there is one part.
    """

    mean: float
    deviation: float | None

    def values(self, name: str) -> dict:
        """What `Metric.values` gives."""
        return {name: self.mean, f"{name}_deviation": self.deviation}
