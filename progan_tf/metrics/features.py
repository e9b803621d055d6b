"""Pictures as vectors: what a network trained for something else makes of them.

Distances in such a space follow what a network sees, not single pixels. They
compare only with numbers from the same network.
"""

import contextlib
import functools

import numpy as np

from progan_tf.errors import UserError
from progan_tf.metrics.batches import (
    as_rgb,
    check_count,
    check_images,
    checked_batches,
    regrouped,
)
from progan_tf.metrics.metric import Metric

# Where the Inception-2015-12-05 graph is published, this is its name.
GRAPH_FILE = "classify_image_graph_def.pb"
# A network sees pictures in groups of one size, the last one filled up: another
# size is computed by other kernels, whose numbers differ in the last digits.
_GROUP = 16
# As many groups as go through it from one batch to the next, at least.
_PASSED = 4 * _GROUP


def extract_features(features, images):
    """The vectors of pictures, the same in whatever batches they come.

    Args:
        features: `Features`.
        images: uint8 `[N, R, R, C]` or an iterable of batches of those.

    Returns:
        float32 `[N, D]`.

    Raises:
        UserError: for other pictures, or none.
    """
    vectors = [*feature_batches(features, images)]
    check_count("features", len(vectors), 1)
    return np.concatenate(vectors)


def feature_batches(features, images):
    """`extract_features` some at a time: iterator of float32 `[n, D]`."""
    for group in regrouped(checked_batches(images), _GROUP):
        yield features(group)


class Features:
    """A network that turns pictures into vectors.

    Attributes:
        name: str, where it comes from.
        files: str, path of its file or folder; by default the name.
        dimension: int, numbers a vector.
        is_inception_2015: bool, whether it is the network of the FID.
            Distances by others must not be called so.

    Raises:
        UserError: if a call gives something else than finite `[N, D]`.
    """

    is_inception_2015 = False

    def __init__(self, name, files=None):
        self.name = name
        self.files = files or name
        # Only a call shows for sure what the network gives.
        self.dimension = self(np.zeros((1, 64, 64, 3), "uint8")).shape[1]

    def __call__(self, images):
        """uint8 `[N, R, R, C]`, N at least 1, C 1 or 3, to float32 `[N, D]`."""
        check_images(images)
        images, vectors = as_rgb(images), []
        for start in range(0, len(images), _GROUP):
            some = images[start : start + _GROUP]
            filled = np.resize(some, (_GROUP, *some.shape[1:]))
            vectors.append(self._vectors(filled)[: len(some)])
        vectors = np.concatenate(vectors)
        if not np.all(np.isfinite(vectors)):
            raise UserError(
                f"expected finite features; {self.name} gave NaN or infinity"
            )
        return vectors

    def logits(self, vectors):
        """Scores of classes, float32 `[N, D]` to `[N, classes]`.

        A module's are its vectors, so it must be a classifier.
        """
        return vectors

    def _vectors(self, images):
        """uint8 `[16, R, R, 3]` to float32 `[16, D]`."""
        raise NotImplementedError


class _FeatureVectors:
    """Features of pictures that come some at a time."""

    def __init__(self, features):
        self._features = features
        self._waiting = []
        self._vectors = []

    def add(self, images):
        """Take uint8 `[n, R, R, C]` in."""
        self._waiting.append(images)
        if sum(map(len, self._waiting)) >= _PASSED:
            images = np.concatenate(self._waiting)
            whole = len(images) // _PASSED * _PASSED
            self._vectors.append(self._features(images[:whole]))
            self._waiting = [images[whole:]]

    def vectors(self):
        """float32 `[N, D]`."""
        waiting = [images for images in self._waiting if len(images)]
        if waiting:
            self._vectors.append(self._features(np.concatenate(waiting)))
            self._waiting = []
        return np.concatenate(self._vectors)


def _collect(resolution, stream, features):
    return contextlib.nullcontext(_FeatureVectors(features))


def _keep(collected, steps):
    return {"vectors": collected.vectors()}


# A `Metric` in features, which may keep less. Published numbers are of 50,000
# pictures; by default the statistics are "vectors", float32 `[N, D]`.
FeaturesMetric = functools.partial(
    Metric, images=50_000, collect=_collect, keep=_keep, in_features=True
)
