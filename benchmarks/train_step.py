"""Time the training step, and compare it with the machine's peak.

  python benchmarks/train_step.py
      4x4 to 64x64 in float32 and bfloat16, as a table
  python benchmarks/train_step.py --resolution=64 --precision=bfloat16
      one case
  python benchmarks/train_step.py --augment=color,translation,cutout
      the step with augmentation
  python benchmarks/train_step.py --json >> results.jsonl
      one JSON object a line

It is the step of `progan_tf.train`, outside of fades and without data loading,
on all local GPUs or the CPU. GFLOP/s count the step's convolutions and dense
layers. The peak is the faster of a 4096x4096 matrix product and a 3x3
convolution with 128 feature maps in the same precision; the ratio is the step's
share of it. Memory is the peak of the process on a CPU, or of the fullest GPU.
Each case runs in a process of its own. Run nothing else on the machine
meanwhile.
"""

import functools
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np
from absl import flags
from measuring import four_digits, process_memory, table_line, words_of

from progan_tf import command
from progan_tf.config import check_shared_evenly, resolve
from progan_tf.config.precision import PRECISIONS
from progan_tf.errors import UserError
from progan_tf.faults import FAULT_STATUS, USER_ERROR_STATUS

FLAGS = flags.FLAGS
# Set in the environment of the process that measures one case.
_ONE_CASE = "PROGAN_TF_BENCHMARK_CASE"
# Flags that are settings of a run, with one value for all cases.
_SETTINGS = ("batch_size", "fmap_max", "fmap_base", "augment", "augment_p")
# By default a call takes about this many operations, and steps from 2 to 64.
_CALL_FLOPS = {"CPU": 2e11, "GPU": 1e13}
_CALLS, _SECONDS = 5, 2.0  # At least, both.
# A product takes a GPU less than a millisecond, so many are timed together.
_PRODUCTS_TOGETHER = {"CPU": 1, "GPU": 50}
_HEADINGS = {
    "resolution": "resolution",
    "precision": "precision",
    "batch_size": "minibatch",
    "images_per_second": "images/s",
    "gflops": "GFLOP/s",
    "peak_gflops": "peak GFLOP/s",
    "ratio": "ratio",
    "peak_memory_mb": "memory, MB",
}


def define_flags():
    """Define the benchmark's flags."""
    sizes, formats = "4,8,16,32,64", ", ".join(PRECISIONS)
    flags.DEFINE_list("resolution", sizes, "powers of two from 4 to 1024")
    flags.DEFINE_list("precision", "float32,bfloat16", f"of {formats}")
    for name, value, text in (
        ("batch_size", 16, "images a step, all devices together"),
        ("fmap_max", 128, "feature maps at most"),
        ("fmap_base", 8192, "resolution r has 2 * fmap_base / r feature maps"),
        ("steps", None, "steps per call; by default a fraction of a second"),
    ):
        flags.DEFINE_integer(name, value, text, lower_bound=1)
    flags.DEFINE_string("augment", None, "as of training")
    flags.DEFINE_float("augment_p", None, "as of training")
    flags.DEFINE_boolean("json", False, "print JSON lines, not a table")


def main():
    """Measure every case in its own process, and print each as it comes."""
    configs = case_configs()
    line_of = functools.partial(table_line, headings=_HEADINGS)
    if os.environ.get(_ONE_CASE):
        print(json.dumps(measure(configs[0], FLAGS.steps)))
        return
    if not FLAGS.json:
        print(line_of(_HEADINGS), flush=True)
    for number, config in enumerate(configs, start=1):
        case = f"{config.resolution}x{config.resolution} {config.precision}"
        print(f"{number}/{len(configs)}: {case}", file=sys.stderr)
        result = measure_apart(config)
        line = json.dumps(result) if FLAGS.json else line_of(result)
        print(line, flush=True)


def case_configs():
    """A `TrainConfig` for each resolution and precision of the flags."""
    configs, given = [], given_settings()
    for text in FLAGS.resolution:
        if not text.strip().isdecimal():
            raise UserError(
                f"expected --resolution such as 32,64; received {text!r}"
            )
        for precision in words_of("precision", PRECISIONS):
            case = {"resolution": int(text), "precision": precision}
            configs.append(resolve("official", given | case))
    return configs


def given_settings():
    """dict of the flags that are settings of a run, where they have a value."""
    values = {name: FLAGS[name].value for name in _SETTINGS}
    return {name: x for name, x in values.items() if x is not None}


def measure_apart(config):
    """`measure`, by the flags, in a process of its own, or UserError."""
    case = given_settings() | {"steps": FLAGS.steps}
    case |= {"resolution": config.resolution, "precision": config.precision}
    given = [
        f"--{name}={value}" for name, value in case.items() if value is not None
    ]
    child = subprocess.run(
        [sys.executable, __file__, *given],
        env={**os.environ, _ONE_CASE: "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if child.returncode in (USER_ERROR_STATUS, FAULT_STATUS):
        # It has said why.
        sys.exit(child.returncode)
    if child.returncode:
        raise UserError(
            f"the process that measured {config.resolution}x"
            f"{config.resolution} in {config.precision} ended with status "
            f"{child.returncode}; if memory is short, lower --batch_size"
        )
    return json.loads(child.stdout.splitlines()[-1])


def measure(config, steps=None):
    """Time the training step of a config: a dict, as `--json` prints it.

    Steps a call depend on their arithmetic by default. Raises UserError if the
    devices cannot share the minibatch.
    """
    command.import_tensorflow()
    # Not before it has been imported quietly.
    from progan_tf.training import devices
    from progan_tf.training.step import TrainingStep

    strategy = devices.make_strategy("")
    check_shared_evenly(config.batch_size, strategy.num_replicas_in_sync)
    kind = "GPU" if devices.has_gpu(strategy) else "CPU"
    batch = config.batch_size[config.resolution]
    flops = config.step_flops_per_image(config.resolution)
    steps = steps or min(max(int(_CALL_FLOPS[kind] / flops / batch), 2), 64)
    state = TrainingStep(config, strategy)
    reals = random_reals(config, strategy, steps)
    call = functools.partial(state.run, reals, np.ones(steps, "float32"), steps)
    call()  # It also traces and compiles.
    # Read before the peak is measured, whose matrices are no part of it.
    memory = peak_memory(strategy)
    before = peak_flops(config.precision, kind)
    seconds = median_seconds(call)
    # Once more, because the machine's clock may have changed meanwhile.
    peak = max(before, peak_flops(config.precision, kind))
    rate = steps * batch / seconds
    peak *= strategy.num_replicas_in_sync
    values = [rate, flops * rate / 1e9, peak / 1e9, flops * rate / peak]
    values = map(four_digits, [*values, memory / 1e6])
    case = [config.resolution, config.precision, batch]
    return dict(zip(_HEADINGS, [*case, *values], strict=True))


def random_reals(config, strategy, steps):
    """Noise in place of pictures: uint8 per-replica `[steps, b, R, R, C]`."""
    import tensorflow as tf

    r, replicas = config.resolution, strategy.num_replicas_in_sync
    shape = [steps, config.batch_size[r] // replicas, r, r, config.channels]
    noise = np.random.default_rng(0).integers(0, 256, shape, "uint8")
    return strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(noise)
    )


def median_seconds(call):
    """Median time of a call, over several."""
    seconds = []
    while len(seconds) < _CALLS or sum(seconds) < _SECONDS:
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def peak_memory(strategy):
    """The most bytes so far, of the process or of the fullest GPU."""
    import tensorflow as tf

    from progan_tf.training import devices

    if devices.has_gpu(strategy):
        return max(
            tf.config.experimental.get_memory_info(f"GPU:{i}")["peak"]
            for i in range(strategy.num_replicas_in_sync)
        )
    return process_memory()


def peak_flops(precision, kind):
    """Operations a second of one device, in the faster of two products.

    The precision is a dtype, the kind of the device CPU or GPU.
    """
    import tensorflow as tf

    def normal(shape, fan_in):
        numbers = tf.random.stateless_normal(shape, [0, 0])
        return tf.cast(numbers * fan_in**-0.5, precision)

    # Scaled so that products of products stay of one size.
    matrix = normal([4096, 4096], 4096)
    kernel = normal([3, 3, 128, 128], 9 * 128)
    maps = normal([16, 64, 64, 128], 1)
    products = _PRODUCTS_TOGETHER[kind]

    def best(attempts, x, product):
        times = [_seconds(products, x, product) for _ in range(attempts)]
        return products / min(times)

    matrices = best(3, matrix, lambda x: tf.matmul(x, matrix))
    convolutions = best(10, maps, lambda x: tf.nn.conv2d(x, kernel, 1, "SAME"))
    return max(
        matrices * 2 * 4096**3, convolutions * 2 * 16 * 64**2 * 9 * 128**2
    )


def _seconds(products, x, product):
    """Time of products, each of the one before."""
    start = time.perf_counter()
    for _ in range(products):
        x = product(x)
    x[0, 0].numpy()  # Waits for the device.
    return time.perf_counter() - start


if __name__ == "__main__":
    command.run(main, define_flags)
