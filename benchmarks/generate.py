"""Time a generator, in Keras and in the formats of progan_tf.export.

  python benchmarks/generate.py
      64x64 to 1024x1024 in batches of 1 and 16, as a Markdown table
  python benchmarks/generate.py --resolutions=64 --targets=keras,onnx
      two of them at one resolution

The generator is that of the preset official, with all its feature maps and
random weights. Keras is a compiled function, as in progan_tf.generate; hub,
onnx and litert are exported, checked, and run by TensorFlow, onnxruntime and
LiteRT. TensorFlow uses a GPU if there is one, the others compute on the
CPU. The time includes copying the images to an array.

Each number is the median of calls over --seconds, at least one call per round.
The targets take turns, --rounds times, so that other load on the machine
affects all of them; each turn is a process of its own, whose start and first
call are not counted. Memory is the largest peak of these processes. Run nothing
else on the machine meanwhile.
"""

import datetime
import importlib.metadata
import os
import pathlib
import platform
import re
import statistics
import sys
import tempfile
import time

import numpy as np
from absl import flags
from measuring import (
    markdown_row,
    process_memory,
    run_apart,
    three_digits,
    words_of,
)

from progan_tf import command
from progan_tf.errors import UserError
from progan_tf.export import formats
from progan_tf.resolutions import check_resolution

FLAGS = flags.FLAGS
# What each target, which is also the format that it is exported in, is stored
# as, and the package that runs it.
_TARGETS = {
    "keras": ("generator.keras", "keras"),
    "hub": ("module", "tensorflow"),
    "onnx": ("generator.onnx", "onnxruntime"),
    "litert": ("generator.tflite", "ai-edge-litert"),
}


def define_flags():
    """Define the benchmark's flags."""
    sizes = "64,128,256,512,1024"
    flags.DEFINE_list("resolutions", sizes, "powers of two, 4 to 1024")
    flags.DEFINE_list("batch_sizes", "1,16", "images per call")
    flags.DEFINE_list("targets", list(_TARGETS), "of keras,hub,onnx,litert")
    flags.DEFINE_float("seconds", 15.0, "per number, over all rounds", 0.0)
    flags.DEFINE_integer("rounds", 3, "turns of each target", 1)
    flags.DEFINE_integer("fmap_max", 512, "feature maps at most", 1)


def main():
    """Measure every cell of the table, and print its rows as they come."""
    resolutions = _numbers("resolutions")
    for resolution in resolutions:
        check_resolution(resolution)
    batch_sizes = _numbers("batch_sizes")
    targets = words_of("targets", _TARGETS)
    for target in targets:
        # Their packages are missed now and not after minutes.
        formats.check_request(target, _TARGETS[target][0], overwrite=True)
    print(machine(targets), end="\n\n")
    headings = ["resolution", "batch"]
    headings += [f"{t}, {unit}" for unit in ("images/s", "MB") for t in targets]
    print(markdown_row(headings))
    print(markdown_row(["---"] * len(headings)), flush=True)
    failures = []
    for resolution in resolutions:
        with tempfile.TemporaryDirectory() as folder:
            for target in targets:
                action = f"exporting {target}"
                print(f"{resolution}x{resolution}: {action}", file=sys.stderr)
                what = folder, target, resolution, FLAGS.fmap_max
                _, status = run_apart(export, *what)
                if status:
                    raise UserError(f"{action} {_ended(status)}")
            for size in batch_sizes:
                cells, failed = measure_row(folder, resolution, size, targets)
                print(markdown_row([resolution, size, *cells]), flush=True)
                failures += failed
    if failures:
        print("", *failures, sep="\n")


def measure_row(folder, resolution, batch_size, targets):
    """One row of the table: the targets by turns.

    Returns the cells, images/s and then MB of each target, and what failed.
    """
    case = f"{resolution}x{resolution}, batch {batch_size}"
    seconds, memory = ({target: [] for target in targets} for _ in range(2))
    failures = {}
    for number in range(1, FLAGS.rounds + 1):
        for target in targets:
            if target in failures:
                continue
            print(f"{case}, round {number}: {target}", file=sys.stderr)
            what = folder, target, resolution, batch_size
            turn = FLAGS.seconds / FLAGS.rounds
            result, status = run_apart(measure, *what, turn)
            if status:
                failures[target] = f"{target} at {case} {_ended(status)}"
                continue
            seconds[target] += result[0]
            memory[target].append(result[1])

    def cells(value_of):
        return [
            "failed" if target in failures else three_digits(value_of(target))
            for target in targets
        ]

    rates = cells(lambda t: batch_size / statistics.median(seconds[t]))
    sizes = cells(lambda t: max(memory[t]) / 1e6)
    return rates + sizes, list(failures.values())


def export(folder, target, resolution, fmap_max):
    """Write a random generator in the format of the target."""
    command.import_tensorflow()
    from progan_tf.config import resolve
    from progan_tf.export.exporting import export_generator
    from progan_tf.networks import Generator

    settings = {"resolution": resolution, "fmap_max": fmap_max}
    family = Generator.of(resolve("official", settings).architecture, seed=0)
    path = os.path.join(folder, _TARGETS[target][0])
    export_generator(family.at(resolution, fade=False), path, target)


def measure(folder, target, resolution, batch_size, least):
    """Time calls of one target, in this process, for at least so many seconds.

    Returns a list of the seconds of each call, and the most bytes of memory.
    """
    load = {
        "keras": load_keras,
        "hub": load_hub,
        "onnx": load_onnx,
        "litert": load_litert,
    }[target]
    latents = np.random.default_rng(0)
    latents = latents.standard_normal((batch_size, 512), "float32")
    images_of = load(os.path.join(folder, _TARGETS[target][0]))
    images_of(latents)  # Traces, plans memory and wakes the threads.
    seconds = []
    while not seconds or sum(seconds) < least:
        start = time.perf_counter()
        images = np.asarray(images_of(latents))
        seconds.append(time.perf_counter() - start)
    assert images.shape[1:] == (resolution, resolution, 3)
    return seconds, process_memory()


def load_keras(path):
    """A compiled function of the Keras model."""
    command.import_tensorflow()
    import keras
    import tensorflow as tf

    import progan_tf.layers  # noqa: F401, it registers the layers.

    generator = keras.saving.load_model(path)
    return tf.function(lambda z: generator(z, training=False), autograph=False)


def load_hub(path):
    """The module, as `hub.load` gives it."""
    command.import_tensorflow()
    import tensorflow as tf

    return tf.saved_model.load(path)


def load_onnx(path):
    """A session of onnxruntime."""
    import onnxruntime

    cpu = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(path, providers=cpu)
    return lambda latents: session.run(None, {"latent_vector": latents})[0]


def load_litert(path):
    """The signature of a LiteRT interpreter with a thread for each core."""
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(path, num_threads=os.cpu_count()).get_signature_runner()
    return lambda latents: run(latent_vector=latents)["default"]


def machine(targets):
    """One line: the processor, what runs on it, and the day."""
    info = pathlib.Path("/proc/cpuinfo")
    text = info.read_text(errors="replace") if info.exists() else ""
    name = re.search(r"model name\s*: (.*)", text)
    processor = name[1] if name else platform.processor()
    packages = [_TARGETS[target][1] for target in targets]
    versions = [f"{p} {importlib.metadata.version(p)}" for p in packages]
    return (
        f"{processor}, {os.cpu_count()} cores, {platform.system()}, "
        f"{', '.join(versions)}, {datetime.date.today()}"
    )


def _ended(status):
    return f"ended with status {status}; -6 and -9 mean too little memory"


def _numbers(name):
    numbers = FLAGS[name].value
    if not all(text.strip().isdecimal() and int(text) for text in numbers):
        text = ",".join(numbers)
        raise UserError(f"expected --{name} such as 4,16; received {text!r}")
    return [int(text) for text in numbers]


if __name__ == "__main__":
    command.run(main, define_flags)
