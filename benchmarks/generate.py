"""Time a generator: Keras, and what progan_tf.export makes of it.

  python benchmarks/generate.py
      64x64 to 1024x1024 in batches of 1 and 16, as a Markdown table
  python benchmarks/generate.py --resolutions=64 --targets=keras,onnx
      two of them at one resolution

The generator is that of the preset official, with all its feature maps and
random weights. Keras is a compiled function, as in progan_tf.generate; hub,
onnx and litert are exported, checked, and run by TensorFlow, onnxruntime and
LiteRT. TensorFlow takes a GPU where there is one, the others compute on the
CPU. Images count when they have arrived as an array.

Each number is the median of calls over --seconds, at least one call a round.
The targets take turns, --rounds times, so that they share whatever else the
machine does; each turn is a process of its own, whose start and first call do
not count. Memory is the most that one of these held. Let the machine do
nothing else meanwhile.
"""

import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from absl import flags

from progan_tf import command
from progan_tf.errors import UserError
from progan_tf.export import formats
from progan_tf.resolutions import check_resolution

FLAGS = flags.FLAGS
# Set in the environment of a process that does one task: its JSON.
_ONE_TASK = "PROGAN_TF_BENCHMARK_TASK"
# What each target is stored as; also the format that it is exported in.
_FILES = {
    "keras": "generator.keras",
    "hub": "module",
    "onnx": "generator.onnx",
    "litert": "generator.tflite",
}
_PACKAGES = {
    "keras": "keras",
    "hub": "tensorflow",
    "onnx": "onnxruntime",
    "litert": "ai-edge-litert",
}


def define_flags():
    """Define the benchmark's flags."""
    flags.DEFINE_list(
        "resolutions", "64,128,256,512,1024", "powers of two, 4 to 1024"
    )
    flags.DEFINE_list("batch_sizes", "1,16", "images a call")
    flags.DEFINE_list("targets", ",".join(_FILES), "of keras,hub,onnx,litert")
    flags.DEFINE_float("seconds", 15.0, "of calls a number, all rounds", 0.0)
    flags.DEFINE_integer("rounds", 3, "turns that each target has", 1)
    flags.DEFINE_integer("fmap_max", 512, "feature maps at most", 1)


def main():
    """Measure every cell of the table, and print its rows as they come."""
    if os.environ.get(_ONE_TASK):
        task = json.loads(os.environ[_ONE_TASK])
        print(json.dumps({"export": export, "time": measure}[task["do"]](task)))
        return
    resolutions = _numbers("resolutions")
    for resolution in resolutions:
        check_resolution(resolution)
    batch_sizes, targets = _numbers("batch_sizes"), _targets()
    print(machine(targets), end="\n\n")
    headings = ["resolution", "batch"]
    headings += [f"{t}, {unit}" for unit in ("images/s", "MB") for t in targets]
    print(_row(headings), _row(["---"] * len(headings)), sep="\n", flush=True)
    failures = []
    for resolution in resolutions:
        with tempfile.TemporaryDirectory() as folder:
            for target in targets:
                print(
                    f"{resolution}x{resolution}: exporting {target}",
                    file=sys.stderr,
                )
                result = run_apart("export", folder, resolution, target)
                if "failure" in result:
                    raise UserError(f"exporting {target} {result['failure']}")
            for size in batch_sizes:
                cells, failed = measure_row(folder, resolution, size, targets)
                print(_row([resolution, size, *cells]), flush=True)
                failures += failed
    if failures:
        print("", *failures, sep="\n")


def measure_row(folder, resolution, batch_size, targets):
    """One row of the table: the targets by turns.

    Returns:
        (list of str, images/s and then MB of each target; list of str, what
        failed).
    """
    case = f"{resolution}x{resolution}, batch {batch_size}"
    seconds, memory = ({target: [] for target in targets} for _ in range(2))
    failures = {}
    for number in range(1, FLAGS.rounds + 1):
        for target in targets:
            if target in failures:
                continue
            print(f"{case}, round {number}: {target}", file=sys.stderr)
            result = run_apart("time", folder, resolution, target, batch_size)
            if "failure" in result:
                failures[target] = f"{target} at {case} {result['failure']}"
                continue
            seconds[target] += result["seconds"]
            memory[target].append(result["memory"])

    def cells(value_of):
        return [
            "failed" if target in failures else _number(value_of(target))
            for target in targets
        ]

    rates = cells(lambda t: batch_size / statistics.median(seconds[t]))
    sizes = cells(lambda t: max(memory[t]) / 1e6)
    return rates + sizes, list(failures.values())


def run_apart(do, folder, resolution, target, batch_size=1):
    """Run a task, "export" or "time", in a process of its own.

    Returns:
        dict, what the task returned; `failure` tells how its process ended
        where it did not.
    """
    task = {
        "do": do,
        "path": os.path.join(folder, _FILES[target]),
        "resolution": resolution,
        "target": target,
        "batch_size": batch_size,
        "fmap_max": FLAGS.fmap_max,
        "seconds": FLAGS.seconds / FLAGS.rounds,
    }
    child = subprocess.run(
        [sys.executable, __file__],
        env={**os.environ, _ONE_TASK: json.dumps(task)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if child.returncode:
        status = f"ended with status {child.returncode}"
        return {"failure": f"{status}; -6 and -9 mean too little memory"}
    return json.loads(child.stdout.splitlines()[-1])


def export(task):
    """Write a random generator in the format of the target."""
    command.import_tensorflow()
    from progan_tf.config import resolve
    from progan_tf.export.exporting import export_generator
    from progan_tf.networks import Generator

    settings = {name: task[name] for name in ("resolution", "fmap_max")}
    family = Generator.of(resolve("official", settings).architecture, seed=0)
    generator = family.at(task["resolution"], fade=False)
    return {
        "difference": export_generator(generator, task["path"], task["target"])
    }


def measure(task):
    """Time one target, in this process.

    Returns:
        dict of `seconds`, a list of each call's, and `memory`, bytes.
    """
    load = {
        "keras": load_keras,
        "hub": load_hub,
        "onnx": load_onnx,
        "litert": load_litert,
    }[task["target"]]
    shape = task["batch_size"], 512
    latents = np.random.default_rng(0).standard_normal(shape, "float32")
    images_of = load(task["path"])
    images_of(latents)  # Traces, plans memory and wakes the threads.
    seconds = []
    while not seconds or sum(seconds) < task["seconds"]:
        start = time.perf_counter()
        images = np.asarray(images_of(latents))
        seconds.append(time.perf_counter() - start)
    assert images.shape[1:] == (task["resolution"], task["resolution"], 3)
    return {"seconds": seconds, "memory": process_memory()}


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


def process_memory():
    """The most bytes that this process held."""
    # Here, because Windows has no such module.
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in kibibytes, macOS in bytes.
    return most if sys.platform == "darwin" else most * 1024


def machine(targets):
    """One line: the processor, what runs on it, and the day."""
    info = pathlib.Path("/proc/cpuinfo")
    text = info.read_text(errors="replace") if info.exists() else ""
    name = re.search(r"model name\s*: (.*)", text)
    processor = name[1] if name else platform.processor()
    packages = [_PACKAGES[target] for target in targets]
    versions = [f"{p} {importlib.metadata.version(p)}" for p in packages]
    return (
        f"{processor}, {os.cpu_count()} cores, {platform.system()}, "
        f"{', '.join(versions)}, {datetime.date.today()}"
    )


def _targets():
    targets = [target.strip() for target in FLAGS.targets]
    for target in targets:
        if target not in _FILES:
            expected = f"--targets of {', '.join(_FILES)}"
            raise UserError(f"expected {expected}; received {target!r}")
        # Their packages are missed now and not after minutes.
        formats.check_request(target, _FILES[target], overwrite=True)
    return targets


def _numbers(name):
    numbers = FLAGS[name].value
    if not all(text.strip().isdecimal() and int(text) for text in numbers):
        text = ",".join(numbers)
        raise UserError(f"expected --{name} such as 4,16; received {text!r}")
    return [int(text) for text in numbers]


def _row(cells):
    return f"| {' | '.join(map(str, cells))} |"


def _number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    command.run(main, define_flags)
