"""From the machine to a distribution strategy."""

import functools
import json
import os
import re
import sys

import tensorflow as tf

from progan_tf.config.precision import gpu_capability
from progan_tf.errors import UserError
from progan_tf.text import first_line, shortened

_JOBS = ("chief", "worker")
_MOST_CPUS = 64  # Logical ones, which are for tests.


def make_strategy(devices=""):
    """The strategy of this process, the same one each time.

    It is a `MultiWorkerMirroredStrategy` where the environment variable
    `TF_CONFIG` names a cluster, otherwise a `MirroredStrategy`. Must first be
    called before TensorFlow has run its first operation.

    Args:
        devices: `""` for all local GPUs, or the CPU where there is none; or a
            list such as `"GPU:0,GPU:1"`. `"CPU:0,CPU:1"` splits the CPU into
            logical devices, which is for tests.

    Raises:
        UserError: for a device that is not there, devices together with
            TF_CONFIG, or an unreadable TF_CONFIG.
    """
    names = _device_names(devices)
    return _only_strategy(None if _cluster() else tuple(names))


@functools.cache
def _only_strategy(names):
    """The one strategy of these devices, or with None of the cluster.

    Two strategies of the same devices in one process would number their
    collective operations alike, and TensorFlow would mix them up.
    """
    if names is None:
        others = [x for job in _cluster().values() for x in job]
        if len(others) > 1:
            # TensorFlow waits for them without a word.
            print("Waiting for the workers", *others, file=sys.stderr)
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.MirroredStrategy(list(names))


def worker_count(strategy):
    """How many processes train together."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return 1
    spec = resolver.cluster_spec()
    return sum(spec.num_tasks(job) for job in spec.jobs if job in _JOBS)


def worker_index(strategy):
    """The number of this process among them, from 0, the chief first.

    Of several workers only the first writes the run directory.
    """
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return 0
    has_chief = "chief" in resolver.cluster_spec().jobs
    return resolver.task_id + (has_chief and resolver.task_type == "worker")


def count_replicas(devices=""):
    """How many replicas `make_strategy` will have, or UserError as there.

    Making it would wait for the other workers of a cluster. They are taken to
    have as many GPUs as this one.
    """
    workers = sum(map(len, _cluster().values())) or 1
    return len(_device_names(devices)) * workers


def has_gpu(strategy):
    """True where the replicas are GPUs."""
    return "GPU" in strategy.extended.worker_devices[0].upper()


def describe(strategy):
    """What the replicas are, such as "2 GPU devices"."""
    count = strategy.num_replicas_in_sync
    kind = "GPU" if has_gpu(strategy) else "CPU"
    return f"{count} {kind} device{'s' * (count > 1)}"


def missed_gpu(strategy, devices=""):
    """A line about a GPU of this machine that does not train, or None.

    TensorFlow says nothing where it was installed without CUDA's libraries.
    Who chose devices, here or by CUDA_VISIBLE_DEVICES, knows.
    """
    chosen = devices or "CUDA_VISIBLE_DEVICES" in os.environ
    if chosen or has_gpu(strategy) or gpu_capability() is None:
        return None
    return (
        "This machine has an NVIDIA GPU that TensorFlow cannot use, so the CPU "
        'trains; on Linux: pip install "tensorflow[and-cuda]"'
    )


def _cluster():
    """The addresses of each job in TF_CONFIG; {} where it names no cluster.

    Raises UserError for what TensorFlow would take for another cluster, wait
    for without a word, or fail on.
    """
    text = os.environ.get("TF_CONFIG", "").strip() or "{}"
    try:
        config = json.loads(text)
        if not isinstance(config, dict):
            raise ValueError("it is no JSON object")
        if "cluster" not in config:
            return {}
        return _checked_cluster(config["cluster"], config.get("task"))
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"the environment variable TF_CONFIG, {shortened(text)!r}: "
            f"{first_line(error)}; correct or unset it"
        ) from error


def _checked_cluster(cluster, task):
    """`cluster`, or ValueError for one that cannot be trained on."""

    def check(good, said):
        if not good:
            raise ValueError(said)

    example = 'a cluster such as {"worker": ["host:port"]}'
    check(isinstance(cluster, dict) and cluster, f"expected {example}")
    for job, addresses in cluster.items():
        check(job in _JOBS, f"expected jobs {' and '.join(_JOBS)}, not {job}")
        good = isinstance(addresses, list) and addresses
        check(good, f"expected a list of addresses for {job}")
        for address in addresses:
            good = re.fullmatch(r".+:\d{1,5}", str(address))
            check(good, f"expected host:port, not {address!r}")
    check(len(cluster.get("chief", [])) < 2, "expected one chief")
    good = isinstance(task, dict) and {"type", "index"} <= task.keys()
    example = 'a task such as {"type": "worker", "index": 0}'
    check(good, f"expected {example}")
    job, index = task["type"], task["index"]
    check(job in list(cluster), f"its task is a {job!r}, its cluster has none")
    count = len(cluster[job])
    check(
        str(index) in map(str, range(count)),
        f"its task has the index {index!r}; its cluster has {count} of type "
        f"{job}, counted from 0",
    )
    return cluster


def _device_names(devices):
    """Checked names such as GPU:0; logical CPU devices are made for them."""
    gpus = len(tf.config.list_physical_devices("GPU"))
    names = [name.strip() for name in devices.split(",") if name.strip()]
    if not names:
        return [f"GPU:{i}" for i in range(gpus)] or ["CPU:0"]
    if _cluster():
        raise UserError(
            "the workers of TF_CONFIG train on all of their devices; leave "
            "--devices out, and choose GPUs with CUDA_VISIBLE_DEVICES"
        )
    count = 1
    for name in names:
        if not re.fullmatch(r"(CPU|GPU):\d+", name):
            raise UserError(
                "expected --devices such as GPU:0,GPU:1 or CPU:0; "
                f"received {name!r}"
            )
        number = int(name[4:])
        if name.startswith("CPU"):
            count = max(count, number + 1)
        elif number >= gpus:
            raise UserError(
                f"--devices names {name}, but TensorFlow can use {gpus} GPUs "
                "here; leave the flag out to use all there are"
            )
        if count > _MOST_CPUS:
            raise UserError(
                f"expected --devices from CPU:0 to CPU:{_MOST_CPUS - 1}; "
                f"received {shortened(name)}"
            )
    if len(set(names)) < len(names):
        raise UserError(f"--devices names a device twice: {devices!r}")
    _make_logical_cpus(count)
    return names


def _make_logical_cpus(count):
    physical = tf.config.list_physical_devices("CPU")[0]
    present = tf.config.get_logical_device_configuration(physical)
    if count > max(1, len(present or [])):
        tf.config.set_logical_device_configuration(
            physical, [tf.config.LogicalDeviceConfiguration()] * count
        )
