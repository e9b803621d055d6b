"""Time the metrics, without the generation of pictures.

  python benchmarks/metrics.py
      at 64x64, 256x256 and 1024x1024, as a table
  python benchmarks/metrics.py --resolution=128 --images=4096
      one size, with more pictures
  python benchmarks/metrics.py --features=path/of/module
      that network, too
  python benchmarks/metrics.py --json >> results.jsonl
      one JSON object a line

Pictures are noise. "sliced_wasserstein" computes the statistics of one set;
"nearest_neighbours" finds those of 16 samples. The last rows compare two sets
of random vectors, whose dimension is in the column resolution. Run nothing else
on the machine meanwhile.
"""

import json
import time

import numpy as np
from absl import flags
from measuring import four_digits, table_line

from progan_tf import command
from progan_tf.errors import UserError

FLAGS = flags.FLAGS
_HEADINGS = {name: name for name in ("resolution", "images", "seconds")}
_HEADINGS["images_per_second"] = "images/s"
# By default so many pixels are measured at a resolution.
_PIXELS = 2**26
_SAMPLES = 16


def define_flags():
    """Define the benchmark's flags."""
    number, most = flags.DEFINE_integer, "as many as have 64 million pixels"
    flags.DEFINE_list("resolution", "64,256,1024", "powers of two from 16 up")
    number("images", None, f"pictures of a set; by default {most}", _SAMPLES)
    flags.DEFINE_string("features", None, "what load_features takes")
    number("dimension", 2048, "numbers a vector", 1)
    number("vectors", 5000, "vectors of a set", _SAMPLES)
    flags.DEFINE_boolean("json", False, "print JSON lines, not a table")


def main():
    """Time every metric, and print each as it comes."""
    resolutions = [_resolution(text) for text in FLAGS.resolution]
    features = None
    if FLAGS.features:
        command.import_tensorflow()
        from progan_tf.metrics import load_features

        features = load_features(FLAGS.features)
    if not FLAGS.json:
        print(_line("metric", _HEADINGS), flush=True)
    random = np.random.default_rng(0)
    for size in resolutions:
        count = FLAGS.images or _PIXELS // size**2
        pictures = random.integers(0, 256, (count, size, size, 3), "uint8")
        for metric, call in picture_metrics(features).items():
            show(metric, size, count, call, pictures)
    shape = 2, FLAGS.vectors, FLAGS.dimension
    vectors = random.standard_normal(shape, "float32")
    for metric, call in vector_metrics().items():
        show(metric, FLAGS.dimension, FLAGS.vectors, call, vectors)


def show(metric, size, count, call, rows):
    """Time a metric of so many rows of a size, and print it."""
    start = time.perf_counter()
    call(rows)
    seconds = time.perf_counter() - start
    found = {"resolution": size, "images": count}
    found["seconds"] = four_digits(seconds)
    found["images_per_second"] = four_digits(count / seconds)
    as_json = json.dumps({"metric": metric, **found})
    print(as_json if FLAGS.json else _line(metric, found), flush=True)


def picture_metrics(features):
    """dict from name to function of pictures uint8 `[N, R, R, 3]`."""
    from progan_tf import metrics

    def sliced(images):
        with metrics.SlicedStatistics() as statistics:
            for batch in np.array_split(images, max(1, len(images) // 64)):
                statistics.add(batch)
            statistics.result()

    nearest, extract = metrics.nearest_neighbours, metrics.extract_features
    calls = {
        "sliced_wasserstein": sliced,
        "ms_ssim": metrics.ms_ssim,
        "nearest_neighbours": lambda images: nearest(images[:_SAMPLES], images),
    }
    if features:
        calls["features"] = lambda images: extract(features, images)
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
    number = int(text) if text.strip().isdecimal() else 0
    if number < 16 or number.bit_count() > 1:
        raise UserError(
            "expected --resolution of powers of two from 16 up, such as "
            f"64,256; received {text!r}"
        )
    return number


def _line(metric, values):
    return f"{metric:<18}  {table_line(values, _HEADINGS)}"


if __name__ == "__main__":
    command.run(main, define_flags)
