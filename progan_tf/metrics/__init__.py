"""Measures of generated pictures against the training data.

distance = sliced_wasserstein(reals, fakes)  # needs no network
similarity = ms_ssim(fakes)

features = load_features("path/of/module")
reals, fakes = (extract_features(features, x) for x in (reals, fakes))
distance = frechet_distance(*map(gaussian_statistics, (reals, fakes)))

Pictures are uint8 `[N, R, R, C]`, as one array or as an iterable of batches,
of which only one is then in memory. Results depend on the pictures and the
seed alone, not on how they are cut into batches.
"""

from progan_tf.metrics.batches import prefetched, regrouped
from progan_tf.metrics.features import (
    Features,
    extract_features,
    feature_batches,
    load_features,
)
from progan_tf.metrics.frechet import (
    FRECHET,
    frechet_distance,
    gaussian_statistics,
)
from progan_tf.metrics.kernel import KID, KernelDistance, kernel_distance
from progan_tf.metrics.manifold import (
    PRECISION_RECALL,
    PrecisionRecall,
    precision_recall,
)
from progan_tf.metrics.metric import Metric
from progan_tf.metrics.neighbours import (
    Neighbours,
    nearest_neighbours,
    neighbours_grid,
)
from progan_tf.metrics.score import (
    INCEPTION_SCORE,
    InceptionScore,
    inception_score,
)
from progan_tf.metrics.ssim import MS_SSIM, Similarity, ms_ssim
from progan_tf.metrics.swd import (
    SWD,
    SlicedDistance,
    SlicedStatistics,
    sliced_distance,
    sliced_wasserstein,
)

# The table of metrics, in the order in which they are shown. What a metric is
# stands in its row; a new one is a new file with a row, and a line here.
METRICS = {
    metric.name: metric
    for metric in (
        SWD,
        MS_SSIM,
        FRECHET,
        INCEPTION_SCORE,
        KID,
        PRECISION_RECALL,
    )
}

__all__ = [
    "METRICS",
    "Metric",
    "Features",
    "InceptionScore",
    "KernelDistance",
    "Neighbours",
    "PrecisionRecall",
    "Similarity",
    "SlicedDistance",
    "SlicedStatistics",
    "extract_features",
    "feature_batches",
    "frechet_distance",
    "gaussian_statistics",
    "inception_score",
    "kernel_distance",
    "load_features",
    "ms_ssim",
    "nearest_neighbours",
    "neighbours_grid",
    "precision_recall",
    "prefetched",
    "regrouped",
    "sliced_distance",
    "sliced_wasserstein",
]
