"""Calls of the training step: where they end, their data, their time."""

import types

import numpy as np
import pytest
import tensorflow as tf
from tiny import tiny_config

from progan_tf.data import ShuffledOrder, open_source
from progan_tf.data.order import random_indices
from progan_tf.training.devices import make_strategy
from progan_tf.training.estimate import TimeEstimate
from progan_tf.training.feed import Feed


@pytest.fixture
def strategy():
    return make_strategy("CPU:0")


@pytest.fixture
def feed(tmp_path, strategy):
    config = tiny_config(tmp_path, labels=True, batch_size=8, tick_kimg=0.02)
    feed = Feed(config, open_source("cats", labels=True), strategy)
    yield feed
    feed.close()


def test_calls_end_where_something_is_due(feed):
    calls, seen = [], 0
    while seen < 96:
        call = feed.plan(seen)
        calls.append((call.start, call.count, call.resolution))
        seen += call.images
    # Ticks at multiples of 20, taken at the end of the minibatch that passes
    # them; stages at 32 and 64.
    assert calls == [
        (0, 3, 4),
        (24, 1, 4),
        (32, 1, 8),
        (40, 3, 8),
        (64, 2, 8),
        (80, 2, 8),
    ]


def test_arguments_of_a_step(feed, strategy):
    call = feed.plan(40)
    arguments = feed.arguments(call)
    assert arguments["steps"] == 3
    np.testing.assert_allclose(arguments["alphas"][:3], [8 / 32, 0.5, 0.75])
    (reals,) = strategy.experimental_local_results(arguments["reals"])
    (labels,) = strategy.experimental_local_results(arguments["labels"])
    assert reals.shape[1:] == (8, 8, 8, 3)
    assert reals.dtype == tf.uint8
    assert labels.shape == reals.shape[:2]
    source = open_source("cats", labels=True)
    shown = ShuffledOrder(len(source), seed=7).indices(40, 24)
    np.testing.assert_array_equal(
        reals[:3], source.images(shown, 8).reshape(3, 8, 8, 8, 3)
    )
    asked = random_indices(7, 40, 24, len(source))
    (fake_labels,) = strategy.experimental_local_results(
        arguments["fake_labels"]
    )
    for given, pictures in ((labels, shown), (fake_labels, asked)):
        expected = source.labels(pictures).reshape(3, 8)
        np.testing.assert_array_equal(given[:3], expected)
    # Filled up to a full call, so that every call has the same shape.
    later = feed.arguments(feed.plan(80))
    (more,) = strategy.experimental_local_results(later["reals"])
    assert more.shape == reals.shape
    assert not more.numpy()[2:].any()
    assert more.numpy()[:2].any()


def test_estimate_adds_up_the_phases(tmp_path):
    estimate = TimeEstimate(tiny_config(tmp_path), None, None)
    assert estimate.seconds_left(0) is None
    estimate.add(4, seconds=2.0, steps=4)
    estimate.add(8, seconds=8.0, steps=4)
    # 32 images at 4x4 are 4 steps of half a second, 64 at 8x8 are 8 of two.
    assert estimate.seconds_left(0) == pytest.approx(4 * 0.5 + 8 * 2.0)
    assert estimate.seconds_left(48) == pytest.approx(6 * 2.0)
    assert estimate.seconds_left(96) == 0.0


def test_estimate_follows_the_machine(tmp_path):
    estimate = TimeEstimate(tiny_config(tmp_path, resolution=4), None, None)
    estimate.add(4, seconds=1.0, steps=1)
    estimate.add(4, seconds=3.0, steps=1)
    # 4 steps; the first measured one counts nine tenths of the last.
    expected = 4 * (0.9 * 1 + 3) / 1.9
    assert estimate.seconds_left(0) == pytest.approx(expected)


def test_estimate_of_a_resolution_to_come(tmp_path, monkeypatch):
    estimate = TimeEstimate(tiny_config(tmp_path), None, None)
    passes = {4: 0.1, 8: 0.4}
    monkeypatch.setattr(
        estimate, "_passes", lambda phase: passes[phase.resolution]
    )
    estimate.add(4, seconds=1.2, steps=4)
    # A step at 4x4 costs 0.2 beyond its passes, and so it will at 8x8.
    assert estimate.seconds_left(32) == pytest.approx(8 * (0.4 + 0.2))


def test_estimate_takes_the_nearest_resolution_for_one_to_come(
    tmp_path, monkeypatch
):
    estimate = TimeEstimate(tiny_config(tmp_path, resolution=16), None, None)
    passes = {4: 0.1, 8: 0.4, 16: 1.0}
    monkeypatch.setattr(
        estimate, "_passes", lambda phase: passes[phase.resolution]
    )
    estimate.add(4, seconds=9.0, steps=4)
    estimate.add(8, seconds=1.0, steps=2)
    # A step at 8x8 costs 0.1 beyond its passes, and so it will at 16x16.
    assert estimate.seconds_left(96) == pytest.approx(8 * (1.0 + 0.1))


def test_passes_are_timed(tmp_path, monkeypatch):
    config = tiny_config(tmp_path, loss="relativistic", penalty_every=4)
    seen = []

    class Family:
        def __init__(self, name, shape):
            self._name, self._shape = name, shape

        def at(self, resolution, fade):
            assert (resolution, fade) == (4, False)
            return types.SimpleNamespace(
                input_shape=self._shape, name=self._name
            )

    def timed(model, inputs):
        seen.append((model.name, inputs.shape))
        return {"g": 0.5, "d": 0.25}[model.name]

    monkeypatch.setattr("progan_tf.training.estimate._timed", timed)
    estimate = TimeEstimate(
        config,
        Family("g", (None, 8)),
        Family("d", (None, 4, 4, 3)),
        replicas=2,
    )
    # Reals are judged for the generator, too, and the penalty costs a quarter
    # of its 6 passes.
    phase = config.schedule().phases[0]
    assert estimate._passes(phase) == 4 * 0.5 + (14 + 1 - 4.5) * 0.25
    assert seen == [("g", (4, 8)), ("d", (4, 4, 4, 3))]
