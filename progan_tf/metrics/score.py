"""Inception score (Salimans et al. 2016), of any classifier's logits."""

import numpy as np

from progan_tf.metrics.batches import check_count
from progan_tf.metrics.features import FeaturesMetric
from progan_tf.metrics.metric import MeanAndDeviation

# Stands for the logarithm of 0, and is only ever multiplied by 0.
_TINY = 1e-300


def inception_score(logits, splits=10):
    """Inception score (Salimans et al. 2016, section 4).

    The exponential of the mean Kullback-Leibler divergence between the classes
    of a picture and those of all pictures in its split.

    Args:
        logits: float `[N, classes]`, in random order: `features.logits(...)`.
            Probabilities are taken, too. Published scores are of 50,000
            pictures.
        splits: int, parts that are scored each on its own.

    Returns:
        `MeanAndDeviation` over the splits: floats `mean`, from 1, the worst, to
        the number of classes, and `deviation`.

    Raises:
        UserError: for fewer pictures than splits.
    """
    check_count("inception score", len(logits), splits)
    scores = []
    for part in range(splits):
        start, end = (len(logits) * (part + i) // splits for i in (0, 1))
        logs = _log_probabilities(np.asarray(logits[start:end], "float64"))
        classes = np.exp(logs)
        marginal = np.log(np.maximum(classes.mean(axis=0), _TINY))
        divergences = np.sum(classes * (logs - marginal), axis=1)
        scores.append(np.exp(divergences.mean()))
    return MeanAndDeviation(float(np.mean(scores)), float(np.std(scores)))


def _log_probabilities(logits):
    """The logarithm of the softmax, float64 `[N, classes]`."""
    sums = logits.sum(axis=1)
    if logits.min() >= 0 and np.allclose(sums, 1, atol=1e-3):
        # Many a classifier ends with the softmax itself.
        return np.log(np.maximum(logits, _TINY))
    logits = logits - logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def _values(reals, fakes, features, steps):
    score = inception_score(features.logits(fakes["vectors"]))
    return score.values("inception_score")


INCEPTION_SCORE = FeaturesMetric(
    name="inception_score",
    title="inception score (higher is better)",
    values=_values,
    compares=False,
)
