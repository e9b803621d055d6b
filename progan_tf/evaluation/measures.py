"""Metrics that share a pass over the pictures."""

from progan_tf.errors import UserError
from progan_tf.metrics import METRICS

# A picture, and what of it is a number: two passes over the data, not one.
NEIGHBOURS, MEMORISED = "neighbours", "memorised"
NAMES = (*METRICS, NEIGHBOURS)
# The metrics that need no network.
PLAIN = tuple(name for name, row in METRICS.items() if not row.in_features)


class Measure:
    """Metrics that share the statistics of a set: rows with one `collect`.

    `metrics` are their names; `in_features`, `compares`, `repeats` and `images`
    are as in `Metric`. `parameters`, which JSON can hold, is what statistics
    depend on beside the pictures.
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
    """Raises UserError for none, unknown ones, or ones that lack a network."""
    # No metric at all is as wrong as an unknown one.
    for name in names or [""]:
        if name not in NAMES:
            raise UserError(
                f"expected metrics of {', '.join(NAMES)}; received {name!r}"
            )
    needy = [name for name in names if name not in (*PLAIN, NEIGHBOURS)]
    if needy and not with_features:
        raise UserError(
            f"{', '.join(needy)} need --features=: the file "
            "classify_image_graph_def.pb (Inception-2015-12-05) for the "
            "published metrics, or the folder or address of any image feature "
            "module"
        )


def make_measures(names, features=None, fingerprint=""):
    """The `Measure`s of some metrics, but `NEIGHBOURS`.

    Features are `metrics.Features`, where a metric needs them; the fingerprint
    is that of their network.
    """
    groups = {}
    for name, row in METRICS.items():
        if name in names:
            groups.setdefault(row.collect, []).append(row)
    return [Measure(rows, features, fingerprint) for rows in groups.values()]
