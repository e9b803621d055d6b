"""The metrics that pictures are evaluated by, behind one face.

A set of pictures leaves statistics, and two sets of statistics give values. So
the statistics of the training data are computed once, and a single pass over
generated pictures does for all metrics.
"""

import abc
import contextlib

import numpy as np

from progan_tf import metrics
from progan_tf.errors import UserError

# Metrics in the features of a network. Each is published with as many pictures.
_FEATURES = ("frechet", "inception_score", "kid", "precision_recall")
_FEATURES_IMAGES = 50_000
NEIGHBOURS = "neighbours"
METRICS = ("swd", "ms_ssim", *_FEATURES, NEIGHBOURS)
NEED_FEATURES = _FEATURES
# Pictures that go through a network together, always as many: in other groups
# other kernels would compute other digits.
_GROUP = 64


class Measure(abc.ABC):
    """Metrics that share the statistics of a set.

    Attributes:
        metrics: tuple of str, their names.
        in_features: bool, whether their values are those of one network.
        images: int, how many pictures published numbers are of; those of the
            sliced Wasserstein distance and MS-SSIM are the official code's.
        compares: bool, whether they compare two sets; otherwise they look at
            one alone.
        repeats: bool, whether pictures may come again where there are not
            enough of them.
        parameters: dict that JSON can hold, what statistics depend on beside
            the pictures.
    """

    in_features = False
    compares = True
    repeats = False

    def __init__(self, names, images, parameters):
        self.metrics = tuple(names)
        self.images = images
        self.parameters = parameters

    @abc.abstractmethod
    def collector(self, resolution, stream):
        """What takes the pictures of a set.

        Args:
            resolution: int, R of the pictures.
            stream: int, 0 for reals and 1 for what is compared with them.

        Returns:
            A context manager that gives an object with
            `add(uint8 [n, R, R, C])`, for `statistics`.
        """

    @abc.abstractmethod
    def statistics(self, collector, steps):
        """dict of arrays, what the pictures leave.

        Args:
            collector: what `collector` gave, with all pictures added.
            steps: function that gives back an iterable, to show progress.
        """

    @abc.abstractmethod
    def values(self, reals, fakes, steps):
        """dict from metric to dict from name to float.

        Args:
            reals: statistics, or None unless `compares`.
            fakes: statistics.
            steps: function that gives back an iterable, to show progress.
        """


class _Sliced(Measure):
    """The sliced Wasserstein distance."""

    # As in the official code: patches are cut at other places each time.
    repeats = True

    def __init__(self):
        super().__init__(("swd",), 16_384, {"statistics": "swd"})

    def collector(self, resolution, stream):
        return metrics.SlicedStatistics(0, stream, resolution)

    def statistics(self, collector, steps):
        return collector.result(steps)

    def values(self, reals, fakes, steps):
        distance = metrics.sliced_distance(reals, fakes)
        values = {f"swd_{size}": x for size, x in distance.levels.items()}
        return {"swd": {**values, "swd_avg": distance.average}}


class _Pairs(Measure):
    """MS-SSIM between the pictures of a set."""

    compares = False

    def __init__(self):
        super().__init__(("ms_ssim",), 20_000, {"statistics": "ms_ssim"})

    def collector(self, resolution, stream):
        return contextlib.nullcontext(metrics.Similarity())

    def statistics(self, collector, steps):
        return collector.result()

    def values(self, reals, fakes, steps):
        return {"ms_ssim": {"ms_ssim": float(fakes["ms_ssim"])}}


class _InFeatures(Measure):
    """Metrics in the space of a network's features.

    Args:
        names: some of the metrics in `NEED_FEATURES`.
        features: `metrics.Features`.
        fingerprint: str, another one for another network.
    """

    in_features = True

    def __init__(self, names, features, fingerprint):
        # Vectors take much more space than a Gaussian.
        holds = [
            *(["gaussian"] if "frechet" in names else []),
            *(["vectors"] if set(names) != {"frechet"} else []),
        ]
        super().__init__(
            names,
            _FEATURES_IMAGES,
            {"statistics": "features", "network": fingerprint, "holds": holds},
        )
        self.compares = set(names) != {"inception_score"}
        self._features = features
        self._holds = holds

    def collector(self, resolution, stream):
        return contextlib.nullcontext(_Vectors(self._features))

    def statistics(self, collector, steps):
        vectors, found = collector.vectors(), {}
        if "gaussian" in self._holds:
            found |= metrics.gaussian_statistics(vectors)
        if "vectors" in self._holds:
            found["vectors"] = vectors
        return found

    def values(self, reals, fakes, steps):
        found = {}
        for name in self.metrics:
            if name == "frechet":
                # By other networks it must not be called the FID.
                inception = self._features.is_inception_2015
                key = "fid" if inception else "frechet_distance"
                found[name] = {key: metrics.frechet_distance(reals, fakes)}
            elif name == "inception_score":
                logits = self._features.logits(fakes["vectors"])
                score = metrics.inception_score(logits)
                found[name] = _with_deviation(name, score)
            elif name == "kid":
                sets = reals["vectors"], fakes["vectors"]
                distance = metrics.kernel_distance(*sets, progress=steps)
                found[name] = _with_deviation(name, distance)
            else:
                sets = reals["vectors"], fakes["vectors"]
                shares = metrics.precision_recall(*sets, progress=steps)
                found[name] = shares._asdict()
        return found


class _Vectors:
    """Features of pictures that come some at a time."""

    def __init__(self, features):
        self._features = features
        self._waiting = []
        self._vectors = []

    def add(self, images):
        """Take uint8 `[n, R, R, C]` in."""
        self._waiting.append(images)
        if sum(map(len, self._waiting)) >= _GROUP:
            images = np.concatenate(self._waiting)
            whole = len(images) // _GROUP * _GROUP
            self._vectors.append(self._features(images[:whole]))
            self._waiting = [images[whole:]]

    def vectors(self):
        """float32 `[N, D]`."""
        rest = [images for images in self._waiting if len(images)]
        rest = [self._features(np.concatenate(rest))] if rest else []
        return np.concatenate([*self._vectors, *rest])


def _with_deviation(name, found):
    return {name: found.mean, f"{name}_deviation": found.deviation}


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
        if name not in METRICS:
            raise UserError(
                f"expected metrics of {', '.join(METRICS)}; received {name!r}"
            )
    needy = [name for name in names if name in NEED_FEATURES]
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
    measures = []
    if "swd" in names:
        measures.append(_Sliced())
    if "ms_ssim" in names:
        measures.append(_Pairs())
    in_features = [name for name in _FEATURES if name in names]
    if in_features:
        measures.append(_InFeatures(in_features, features, fingerprint))
    return measures
