"""Many devices: equal replicas, and the same update as one device."""

import dataclasses
import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tiny import tiny_config

from progan_tf.training.devices import make_strategy
from progan_tf.training.step import TrainingStep

ROOT = pathlib.Path(__file__).resolve().parent.parent


def train_steps(devices, config, pictures, labels, alphas):
    """A `TrainingStep` after steps on pictures shared by the devices."""
    strategy = make_strategy(devices)
    step = TrainingStep(config, strategy)

    def shared(array):
        parts = np.split(array, strategy.num_replicas_in_sync, axis=1)
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )

    metrics = step.run(
        shared(pictures), alphas, len(alphas), shared(labels), shared(labels)
    )
    return step, metrics


@pytest.mark.parametrize(
    ("loss", "penalty", "every", "augment"),
    [
        ("wgan", "wgan_gp", 1, "none"),
        ("logistic", "r1", 2, "ada"),
        ("hinge", "none", 1, "none"),
        ("lsgan", "wgan_gp", 2, "none"),
        ("relativistic", "r1_r2", 1, "color,translation,cutout"),
    ],
)
def test_two_replicas_make_the_update_of_one(
    tmp_path, loss, penalty, every, augment
):
    # Groups of the minibatch standard deviation lie within a replica, so
    # without that layer nothing depends on how the minibatch is cut.
    config = dataclasses.replace(
        tiny_config(
            tmp_path,
            minibatch_stddev_group=0,
            labels=True,
            loss=loss,
            penalty=penalty,
            penalty_every=every,
            discriminator_steps=every,
            augment=augment,
        ),
        num_classes=3,
    )
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (2, 8, 8, 8, 3), np.uint8)
    labels = random.integers(0, 3, (2, 8))
    alphas = np.array([0.25, 0.5], "float32")
    one, one_metrics = train_steps("CPU:0", config, pictures, labels, alphas)
    two, two_metrics = train_steps(
        "CPU:0,CPU:1", config, pictures, labels, alphas
    )
    for name, value in one_metrics.items():
        np.testing.assert_allclose(two_metrics[name], value, rtol=1e-4)
    start = TrainingStep(config, make_strategy("CPU:0"))
    for family in ("generator", "discriminator", "average"):
        initial = getattr(start, family).trainable_weights
        ones = getattr(one, family).trainable_weights
        twos = getattr(two, family).trainable_weights
        moved = 0
        for begin, a, b in zip(initial, ones, twos, strict=True):
            # Adam's step is the rate times a sign where gradients are tiny,
            # so rounding is judged against the size of a step.
            np.testing.assert_allclose(a.numpy(), b.numpy(), atol=2e-5)
            moved += np.abs(a.numpy() - begin.numpy()).max() > 1e-4
            copies = [v.numpy() for v in b.value.values]
            np.testing.assert_array_equal(copies[0], copies[1])
        if family != "average":
            assert moved > 10
    assert int(one.images_seen.numpy()) == int(two.images_seen.numpy()) == 16


def free_ports(count):
    """Ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def started_workers(arguments):
    """Two processes of one cluster, which run a Python program."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    workers = []
    for index in range(2):
        cluster = {
            "cluster": {"worker": addresses},
            "task": {"type": "worker", "index": index},
        }
        workers.append(
            subprocess.Popen(
                [sys.executable, *map(str, arguments)],
                cwd=ROOT,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "TF_CONFIG": json.dumps(cluster),
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return workers


def test_two_workers_train_equally(tmp_path):
    workers = started_workers(["tests/worker.py", tmp_path / "run"])
    outputs = [worker.communicate(timeout=300) for worker in workers]
    for worker, (_, errors) in zip(workers, outputs, strict=True):
        assert worker.returncode == 0, errors
    digests = [
        line
        for output, _ in outputs
        for line in output.splitlines()
        if line.startswith("DIGEST")
    ]
    assert len(digests) == 2
    assert digests[0] == digests[1]
    # Only the first worker reports and writes.
    assert "Training" in outputs[0][0]
    assert "Training" not in outputs[1][0]
    run = tmp_path / "run"
    assert (run / "generator.keras").exists()
    lines = (run / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["images_seen"] for line in lines] == [32, 48]


def test_a_worker_that_is_killed_ends_the_others_with_a_line(tmp_path):
    flags = {"preset": "laptop", "run_dir": tmp_path / "run", "resolution": 4}
    flags |= {"fmap_max": 8, "latent_size": 8, "total_kimg": 1e6}
    flags |= {"tick_kimg": 0.1, "batch_size": 8}
    given = [f"--{name}={value}" for name, value in flags.items()]
    first, second = started_workers(["-m", "progan_tf.train", *given])
    while "of 1,000,000.0 kimg" not in (line := first.stdout.readline()):
        assert line, first.communicate()
    second.kill()
    second.communicate()
    _, errors = first.communicate(timeout=120)
    assert first.returncode == 2
    assert "Traceback" not in errors
    last = errors.splitlines()[-1]
    assert "a worker of TF_CONFIG has ended or is out of reach" in last
