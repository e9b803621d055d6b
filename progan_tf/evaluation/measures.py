"""Metrics that share a pass over the pictures."""

from progan_tf.errors import UserError
from progan_tf.metrics import METRICS

NEIGHBOURS = "neighbours"  # Which is a picture, not a number.
NAMES = (*METRICS, NEIGHBOURS)
# The metrics that need no network.
PLAIN = tuple(name for name, row in METRICS.items() if not row.in_features)


class Measure:
    """Metrics that share the statistics of a set.

    Args:
        rows: list of `Metric`, all with the same `collect`.
        features: `metrics.Features`, where one of them needs it.
        fingerprint: str, of that network.

    Attributes:
        metrics: tuple of str, their names.
        in_features, compares, repeats: bools, see `Metric`.
        images: int, how many pictures published numbers are of.
        parameters: dict that JSON can hold, what statistics depend on beside
            the pictures.
    """

    def __init__(self, rows, features=None, fingerprint=""):
        self.metrics = tuple(row.name for row in rows)
        self.in_features = any(row.in_features for row in rows)
        self.compares = any(row.compares for row in rows)
        self.repeats = any(row.repeats for row in rows)
        self.images = max(row.images for row in rows)
        self._rows, self._features = rows, features
        # Each once, in an order that does not depend on that of the metrics.
        self._keep = sorted({row.keep for row in rows}, key=_name)
        self.parameters = {"statistics": [_name(keep) for keep in self._keep]}
        if self.in_features:
            self.parameters["network"] = fingerprint

    def collector(self, resolution, stream):
        """What takes the pictures of a set: see `Metric.collect`."""
        return self._rows[0].collect(resolution, stream, self._features)

    def statistics(self, collector, steps):
        """dict of arrays, what the pictures leave: see `Metric.keep`."""
        found = {}
        for keep in self._keep:
            found |= keep(collector, steps)
        return found

    def values(self, reals, fakes, steps):
        """dict from metric to dict from name to float: see `Metric.values`."""
        return {
            row.name: row.values(reals, fakes, self._features, steps)
            for row in self._rows
        }


def _name(function):
    return f"{function.__module__}.{function.__qualname__}"


def check_names(names, with_features):
    """Make sure that metrics can be computed.

    Args:
        names: list of str.
        with_features: bool, whether there is a network of features.

    Raises:
        UserError: for none, an unknown one, or one that needs a network.
    """
    # No metric at all is as wrong as an unknown one.
    for name in names or [""]:
        if name not in NAMES:
            raise UserError(
                f"expected metrics of {', '.join(NAMES)}; received {name!r}"
            )
    needy = [name for name in names if name not in (*PLAIN, NEIGHBOURS)]
    if needy and not with_features:
        raise UserError(
            f"{', '.join(needy)} compare features: give --features=, the file "
            "classify_image_graph_def.pb (Inception-2015-12-05) for the "
            "published metrics, or any image module's folder or address"
        )


def make_measures(names, features=None, fingerprint=""):
    """The measures of some metrics, but `NEIGHBOURS`.

    Args:
        names: list of str, checked by `check_names`.
        features: `metrics.Features`, where one of them needs it.
        fingerprint: str, of that network.

    Returns:
        list of `Measure`.
    """
    groups = {}
    for name, row in METRICS.items():
        if name in names:
            groups.setdefault(row.collect, []).append(row)
    return [Measure(rows, features, fingerprint) for rows in groups.values()]
