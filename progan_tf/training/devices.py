"""From the machine to a distribution strategy."""

import functools
import json
import os
import re

import tensorflow as tf

from progan_tf.errors import UserError


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
    return _only_strategy(None if _in_cluster() else tuple(names))


@functools.cache
def _only_strategy(names):
    """The one strategy of these devices, or with None of the cluster.

    Two strategies of the same devices in one process would number their
    collective operations alike, and TensorFlow would mix them up.
    """
    if names is None:
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


def _cluster_config():
    """The dict in TF_CONFIG; empty where it is not set."""
    text = os.environ.get("TF_CONFIG", "").strip() or "{}"
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise UserError(
            "expected a JSON object in the environment variable TF_CONFIG; "
            f"it holds {text[:60]!r}; correct or unset it"
        ) from error


def _in_cluster():
    return "cluster" in _cluster_config()


def _cluster_size():
    cluster = _cluster_config().get("cluster", {"worker": [""]})
    return sum(len(cluster.get(job, [])) for job in ("chief", "worker"))


def _device_names(devices):
    """Checked names such as GPU:0; logical CPU devices are made for them."""
    gpus = len(tf.config.list_physical_devices("GPU"))
    names = [name.strip() for name in devices.split(",") if name.strip()]
    if not names:
        return [f"GPU:{i}" for i in range(gpus)] or ["CPU:0"]
    if _in_cluster():
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
