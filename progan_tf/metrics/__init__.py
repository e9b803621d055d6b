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

from progan_tf.metrics.features import Features as Features
from progan_tf.metrics.features import extract_features as extract_features
from progan_tf.metrics.features import feature_batches as feature_batches
from progan_tf.metrics.frechet import FRECHET
from progan_tf.metrics.frechet import frechet_distance as frechet_distance
from progan_tf.metrics.frechet import (
    gaussian_statistics as gaussian_statistics,
)
from progan_tf.metrics.kernel import KID
from progan_tf.metrics.kernel import kernel_distance as kernel_distance
from progan_tf.metrics.loading import load_features as load_features
from progan_tf.metrics.manifold import PRECISION_RECALL
from progan_tf.metrics.manifold import precision_recall as precision_recall
from progan_tf.metrics.metric import Metric as Metric
from progan_tf.metrics.neighbours import Neighbours as Neighbours
from progan_tf.metrics.neighbours import memorised as memorised
from progan_tf.metrics.neighbours import (
    nearest_neighbours as nearest_neighbours,
)
from progan_tf.metrics.neighbours import neighbours_grid as neighbours_grid
from progan_tf.metrics.score import INCEPTION_SCORE
from progan_tf.metrics.score import inception_score as inception_score
from progan_tf.metrics.ssim import MS_SSIM
from progan_tf.metrics.ssim import Similarity as Similarity
from progan_tf.metrics.ssim import ms_ssim as ms_ssim
from progan_tf.metrics.swd import SWD
from progan_tf.metrics.swd import SlicedStatistics as SlicedStatistics
from progan_tf.metrics.swd import sliced_distance as sliced_distance
from progan_tf.metrics.swd import sliced_wasserstein as sliced_wasserstein

# The table of metrics, in the order in which they are shown. What a metric is
# stands in its row; a new one is a new file with a row, and a line here.
_ROWS = SWD, MS_SSIM, FRECHET, INCEPTION_SCORE, KID, PRECISION_RECALL
METRICS = {metric.name: metric for metric in _ROWS}
