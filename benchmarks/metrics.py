"""Time the metrics, the making of pictures left out.

  python benchmarks/metrics.py
      at 64x64, 256x256 and 1024x1024, as a table
  python benchmarks/metrics.py --resolution=128 --images=4096
      one size, with more pictures
  python benchmarks/metrics.py --features=path/of/module
      that network, too
  python benchmarks/metrics.py --json >> results.jsonl
      one JSON object a line

Pictures are noise. "sliced_wasserstein" is of one set, from its pictures to
what is compared with another set's; "nearest_neighbours" looks for those of 16
samples. The last rows compare two sets of random vectors, so many numbers each
as the column resolution says. Let the machine do nothing else meanwhile.
"""

import json
import time

import numpy as np
from absl import flags

from progan_tf import command
from progan_tf.errors import UserError

FLAGS = flags.FLAGS
_HEADINGS = {
    "metric": "metric",
    "resolution": "resolution",
    "images": "images",
    "seconds": "seconds",
    "images_per_second": "images/s",
}
# By default so many pixels are measured at a resolution.
_PIXELS = 2**26
_SAMPLES = 16


def define_flags():
    """Define the benchmark's flags."""
    flags.DEFINE_list("resolution", "64,256,1024", "powers of two from 16 up")
    flags.DEFINE_integer(
        "images",
        None,
        "pictures of a set; by default as many as have 64 million pixels",
        lower_bound=_SAMPLES,
    )
    flags.DEFINE_string("features", None, "what load_features takes")
    flags.DEFINE_integer("dimension", 2048, "numbers a vector", lower_bound=1)
    flags.DEFINE_integer(
        "vectors", 5000, "vectors of a set", lower_bound=_SAMPLES
    )
    flags.DEFINE_boolean("json", False, "print JSON lines, not a table")


def main():
    """Time every metric, and print each as it comes."""
    resolutions = [_resolution(text) for text in FLAGS.resolution]
    features = _features()
    if not FLAGS.json:
        print(_line(_HEADINGS), flush=True)
    cases = [
        (metric, resolution, FLAGS.images or _PIXELS // resolution**2, call)
        for resolution in resolutions
        for metric, call in picture_metrics(features).items()
    ] + [
        (metric, FLAGS.dimension, FLAGS.vectors, call)
        for metric, call in vector_metrics().items()
    ]
    for metric, size, count, call in cases:
        rows = _noise(metric, size, count)
        start = time.perf_counter()
        call(rows)
        seconds = time.perf_counter() - start
        result = {
            "metric": metric,
            "resolution": size,
            "images": count,
            "seconds": float(f"{seconds:.4g}"),
            "images_per_second": float(f"{count / seconds:.4g}"),
        }
        print(json.dumps(result) if FLAGS.json else _line(result), flush=True)


def picture_metrics(features):
    """dict from name to function of pictures uint8 `[N, R, R, 3]`."""
    from progan_tf import metrics

    def sliced(images):
        with metrics.SlicedStatistics() as statistics:
            for batch in np.array_split(images, max(1, len(images) // 64)):
                statistics.add(batch)
            statistics.result()

    calls = {
        "sliced_wasserstein": sliced,
        "ms_ssim": metrics.ms_ssim,
        "nearest_neighbours": lambda images: metrics.nearest_neighbours(
            images[:_SAMPLES], images
        ),
    }
    if features:
        calls["features"] = lambda images: metrics.extract_features(
            features, images
        )
    return calls


def vector_metrics():
    """dict from name to function of two sets of vectors `[2, N, D]`."""
    from progan_tf import metrics

    def frechet(sets):
        metrics.frechet_distance(*map(metrics.gaussian_statistics, sets))

    return {
        "frechet_distance": frechet,
        "kernel_distance": lambda sets: metrics.kernel_distance(*sets),
        "precision_recall": lambda sets: metrics.precision_recall(*sets),
        "inception_score": lambda sets: metrics.inception_score(sets[0]),
    }


def _resolution(text):
    if (
        not text.strip().isdecimal()
        or int(text) < 16
        or int(text).bit_count() > 1
    ):
        raise UserError(
            "expected --resolution of powers of two from 16 up, such as "
            f"64,256; received {text!r}"
        )
    return int(text)


def _features():
    if not FLAGS.features:
        return None
    command.import_tensorflow()
    from progan_tf.metrics import load_features

    return load_features(FLAGS.features)


def _noise(metric, size, count):
    random = np.random.default_rng(0)
    if metric in vector_metrics():
        return random.standard_normal((2, count, size), "float32")
    return random.integers(0, 256, (count, size, size, 3), "uint8")


def _line(values):
    """A line of cells, from a dict with the table's keys."""
    cells = [f"{values['metric']:<18}"]
    for name, heading in [*_HEADINGS.items()][1:]:
        value = values[name]
        if isinstance(value, float):
            value = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
        cells.append(f"{value:>{max(len(heading), 9)}}")
    return "  ".join(cells)


if __name__ == "__main__":
    command.run(main, define_flags)
