"""From the machine to a distribution strategy."""

import functools
import json
import os
import re
import sys

import tensorflow as tf

from progan_tf.errors import UserError
from progan_tf.text import first_line, shortened

_JOBS = ("chief", "worker")
_MOST_CPUS = 64  # Logical ones, which are for tests.


def make_strategy(devices=""):
    """The strategy of this process.

    Args:
        devices: `""` for all local GPUs, or the CPU where there is none; or a
            list such as `"GPU:0,GPU:1"`. `"CPU:0,CPU:1"` splits the CPU into
            logical devices, which is for tests.

    Returns:
        `MultiWorkerMirroredStrategy` where the environment variable
        `TF_CONFIG` names a cluster, otherwise `MirroredStrategy`; the same
        one each time. Must first be called before TensorFlow has run its
        first operation.

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


def is_chief(strategy):
    """True where this process writes the run directory.

    Of several workers only the first does; a process on its own always.
    """
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    if resolver.task_type == "chief":
        return True
    has_chief = "chief" in resolver.cluster_spec().jobs
    return (
        resolver.task_type == "worker"
        and resolver.task_id == 0
        and not has_chief
    )


def worker_count(strategy):
    """How many processes train together."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return 1
    spec = resolver.cluster_spec()
    return sum(
        spec.num_tasks(job) for job in spec.jobs if job in ("chief", "worker")
    )


def worker_index(strategy):
    """The number of this process among them, from 0, the chief first."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return 0
    has_chief = "chief" in resolver.cluster_spec().jobs
    first = 1 if has_chief and resolver.task_type == "worker" else 0
    return first + resolver.task_id


def count_replicas(devices=""):
    """How many replicas `make_strategy` will have, without making it.

    Making it would wait for the other workers of a cluster. They are taken to
    have as many GPUs as this one.

    Raises:
        UserError: as `make_strategy`.
    """
    names = _device_names(devices)
    return len(names) * _cluster_size()


def has_gpu(strategy):
    """True where the replicas are GPUs."""
    return "GPU" in strategy.extended.worker_devices[0].upper()


def describe(strategy):
    """What the replicas are, such as "2 GPU devices"."""
    count = strategy.num_replicas_in_sync
    kind = "GPU" if has_gpu(strategy) else "CPU"
    return f"{count} {kind} device{'s' if count > 1 else ''}"


def _cluster():
    """The addresses of each job in TF_CONFIG; {} where it names no cluster.

    Raises:
        UserError: for what TensorFlow would take for another cluster, wait
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
    if not isinstance(cluster, dict) or not cluster:
        raise ValueError('expected a cluster such as {"worker": ["host:port"]}')
    for job, addresses in cluster.items():
        if job not in _JOBS:
            raise ValueError(f"expected jobs {' and '.join(_JOBS)}, not {job}")
        if not isinstance(addresses, list) or not addresses:
            raise ValueError(f"expected a list of addresses for {job}")
        for address in addresses:
            if not re.fullmatch(r".+:\d{1,5}", str(address)):
                raise ValueError(f"expected host:port, not {address!r}")
    if len(cluster.get("chief", [])) > 1:
        raise ValueError("expected one chief")
    if not isinstance(task, dict) or not {"type", "index"} <= task.keys():
        example = '{"type": "worker", "index": 0}'
        raise ValueError(f"expected a task such as {example}")
    job, index = task["type"], task["index"]
    if job not in cluster:
        raise ValueError(f"its task is a {job!r}, its cluster has none")
    if str(index) not in map(str, range(len(cluster[job]))):
        raise ValueError(
            f"its task has the index {index!r}; its cluster has "
            f"{len(cluster[job])} of type {job}, counted from 0"
        )
    return cluster


def _cluster_size():
    return sum(map(len, _cluster().values())) or 1


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
    for name in names:
        if not re.fullmatch(r"(CPU|GPU):\d+", name):
            raise UserError(
                "expected --devices such as GPU:0,GPU:1 or CPU:0; "
                f"received {name!r}"
            )
        if name.startswith("GPU") and int(name[4:]) >= gpus:
            raise UserError(
                f"--devices names {name}, but TensorFlow can use {gpus} GPUs "
                "here; leave the flag out to use all there are"
            )
        if name.startswith("CPU") and int(name[4:]) >= _MOST_CPUS:
            raise UserError(
                f"expected --devices from CPU:0 to CPU:{_MOST_CPUS - 1}; "
                f"received {shortened(name)}"
            )
    if len(set(names)) < len(names):
        raise UserError(f"--devices names a device twice: {devices!r}")
    cpus = [int(name[4:]) for name in names if name.startswith("CPU")]
    _make_logical_cpus(max(cpus, default=0) + 1)
    return names


def _make_logical_cpus(count):
    physical = tf.config.list_physical_devices("CPU")[0]
    present = tf.config.get_logical_device_configuration(physical)
    if count > max(1, len(present or [])):
        tf.config.set_logical_device_configuration(
            physical, [tf.config.LogicalDeviceConfiguration()] * count
        )
