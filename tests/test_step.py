"""The training step: the average, labels, the fade, how often parts run."""

import dataclasses
import gc

import numpy as np
import pytest
import tensorflow as tf
from stepping import iterations, pictures, values
from tiny import tiny_config

from progan_tf.training.devices import make_strategy
from progan_tf.training.presentation import fade
from progan_tf.training.step import TrainingStep


@pytest.fixture
def strategy():
    return make_strategy("CPU:0")


def test_average_follows_before_the_generator_moves(tmp_path, strategy):
    config = tiny_config(tmp_path, resolution=4, average_decay=0.75)
    step = TrainingStep(config, strategy)
    reals = pictures(strategy)
    one = np.ones(1, "float32")
    first = values(step.average)
    for average, weight in zip(first, values(step.generator), strict=True):
        np.testing.assert_array_equal(average, weight)
    step.run(reals, one, 1)
    # The average saw only the initial weights, which were its own.
    for before, after in zip(first, values(step.average), strict=True):
        np.testing.assert_array_equal(before, after)
    generator = values(step.generator)
    step.run(reals, one, 1)
    for before, weight, after in zip(
        first, generator, values(step.average), strict=True
    ):
        expected = 0.75 * before + 0.25 * weight
        np.testing.assert_allclose(after, expected, atol=1e-6)


def test_average_of_a_lower_resolution_arrives_where_that_stopped(
    tmp_path, strategy
):
    config = tiny_config(tmp_path, average_decay={4: 0.9, 8: 0.5})
    step = TrainingStep(config, strategy)
    step.enter_stage(0, 0.01)
    step.run(pictures(strategy, steps=4), np.ones(4, "float32"), 4)
    stopped = step.generator.block(4).to_rgb.kernel.numpy()
    average = step.average.block(4).to_rgb.kernel
    distance = np.abs(average.numpy() - stopped).max()
    assert distance > 1e-3
    # At stable 8x8 the ToRGB of 4x4 is in no network any more.
    reals = pictures(strategy, steps=4, size=8)
    step.run(reals, np.ones(4, "float32"), 4)
    np.testing.assert_array_equal(
        step.generator.block(4).to_rgb.kernel.numpy(), stopped
    )
    # Half of the way with each of the four steps.
    assert np.abs(average.numpy() - stopped).max() == pytest.approx(
        distance / 16, rel=1e-3
    )


def test_no_graph_of_an_earlier_resolution_is_kept(tmp_path, strategy):
    step = TrainingStep(tiny_config(tmp_path), strategy)
    counts = []
    for size in (4, 8, 4):
        step.run(pictures(strategy, size=size), np.ones(1, "float32"), 1)
        gc.collect()
        kinds = [type(thing).__name__ for thing in gc.get_objects()]
        counts.append(kinds.count("FuncGraph"))
    assert counts[0] >= max(counts) > 0


def test_label_losses_are_those_of_chance_at_first(tmp_path, strategy):
    config = dataclasses.replace(
        tiny_config(tmp_path, resolution=4, labels=True), num_classes=5
    )
    step = TrainingStep(config, strategy)
    for weight in step.discriminator.block(4).dense1.trainable_weights:
        weight.assign(weight * 0)
    labels = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(np.arange(8)[np.newaxis] % 5, tf.int64)
    )
    one = np.ones(1, "float32")
    metrics = step.run(pictures(strategy), one, 1, labels, labels)
    for name in ("real_label_loss", "fake_label_loss"):
        assert metrics[name] == pytest.approx(np.log(5), rel=1e-5)
    # The scores are 0, and so is the slope, which costs 10 (0 - 1)^2.
    assert metrics["discriminator_loss"] == pytest.approx(
        10 + 2 * np.log(5), rel=1e-5
    )


def test_the_generator_is_asked_for_labels_of_its_own(tmp_path, strategy):
    config = dataclasses.replace(
        tiny_config(tmp_path, resolution=4, labels=True), num_classes=5
    )

    def metrics(fake_labels):
        both = (
            strategy.experimental_distribute_values_from_function(
                lambda context, labels=labels: tf.constant([labels], tf.int64)
            )
            for labels in ([0, 1, 2, 3, 4, 0, 1, 2], fake_labels)
        )
        step = TrainingStep(config, strategy)
        return step.run(pictures(strategy), np.ones(1, "float32"), 1, *both)

    one, other = metrics([1] * 8), metrics([2] * 8)
    assert one.pop("generator_loss") != other.pop("generator_loss")
    # The discriminator's fakes have the labels of the reals.
    assert one == other


def test_every_step_draws_its_own_random_numbers(tmp_path, strategy):
    config = tiny_config(tmp_path, resolution=4)
    step, again = (TrainingStep(config, strategy) for _ in range(2))
    reals, one = pictures(strategy), np.ones(1, "float32")
    step.enter_stage(0, 1e-20)  # So small that no weight moves.
    first, second = (step.run(reals, one, 1) for _ in range(2))
    assert second["real_score"] == first["real_score"]
    assert second["fake_score"] != first["fake_score"]
    assert second["gradient_penalty"] != first["gradient_penalty"]
    assert second["generator_loss"] != first["generator_loss"]
    # The generator's step has other latents than the discriminator's.
    assert first["generator_loss"] != pytest.approx(-first["fake_score"])
    # All of it is decided by the seed and images seen.
    again.enter_stage(0, 1e-20)
    again.images_seen.assign(8)
    assert again.run(reals, one, 1) == second


def test_reals_are_faded_before_the_discriminator_sees_them(tmp_path, strategy):
    step = TrainingStep(tiny_config(tmp_path), strategy)
    reals = pictures(strategy, size=8)
    # Near the end of a fade, which must not be taken for its end.
    step.set_alpha(8, 0.95)
    (local,) = strategy.experimental_local_results(reals)
    images = tf.cast(local[0], tf.float32) / 127.5 - 1
    discriminator = step.discriminator.at(8)
    expected, unfaded = (
        float(tf.reduce_mean(discriminator(x)))
        for x in (fade(images, 0.95), images)
    )
    metrics = step.run(reals, np.full(1, 0.95, "float32"), 1)
    assert metrics["real_score"] == pytest.approx(expected, rel=1e-4)
    assert metrics["real_score"] != pytest.approx(unfaded, rel=1e-3)


def test_many_steps_in_a_call_equal_single_ones(tmp_path, strategy):
    config = tiny_config(tmp_path, resolution=4)
    together, apart = (TrainingStep(config, strategy) for _ in range(2))
    array = np.random.default_rng(0).integers(0, 256, (3, 8, 4, 4, 3), np.uint8)

    def shared(part):
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(part)
        )

    means = together.run(shared(array), np.ones(3, "float32"), 3)
    single = [
        apart.run(shared(array[i : i + 1]), np.ones(1, "float32"), 1)
        for i in range(3)
    ]
    for name, mean in means.items():
        expected = np.mean([each[name] for each in single])
        assert mean == pytest.approx(expected, rel=1e-5)
    for one, other in zip(
        values(together.generator), values(apart.generator), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert int(together.images_seen.numpy()) == 24


def test_xla_takes_the_same_step(tmp_path, strategy):
    results = []
    for xla in ("off", "on"):
        config = tiny_config(tmp_path, resolution=4, xla=xla)
        step = TrainingStep(config, strategy)
        results.append(step.run(pictures(strategy), np.ones(1, "float32"), 1))
    assert results[0] == pytest.approx(results[1], rel=1e-4, abs=1e-5)


def test_reals_fade_as_the_networks_do():
    images = np.arange(16, dtype="float32").reshape(1, 4, 4, 1)
    faded = fade(tf.constant(images), 0.25).numpy()
    # The mean of the top left 2x2 block, 0 1 4 5, is 2.5.
    assert faded[0, 0, 0, 0] == 0.75 * 2.5 + 0.25 * 0
    assert faded[0, 1, 1, 0] == 0.75 * 2.5 + 0.25 * 5
    np.testing.assert_array_equal(fade(images, 1.0), images)


def test_what_is_not_done_in_every_step(tmp_path, strategy):
    settings = {"resolution": 4, "loss": "logistic", "penalty": "r1"}
    settings |= {"penalty_every": 3, "discriminator_steps": 2}
    config = tiny_config(tmp_path, **settings, gradient_penalty=2.0)
    step = TrainingStep(config, strategy)
    step.enter_stage(0, 1e-20)  # So small that no weight moves.
    one, measured = np.ones(1, "float32"), []
    for _ in range(6):
        before = int(step.generator_optimizer.iterations.numpy())
        measured.append(step.run(pictures(strategy), one, 1))
        after = int(step.generator_optimizer.iterations.numpy())
        measured[-1]["generator_steps"] = after - before
    penalties = [means["r1_penalty"] > 0 for means in measured]
    assert penalties == [True, False, False] * 2
    assert [means["generator_steps"] for means in measured] == [0, 1] * 3
    assert ["generator_loss" in means for means in measured] == [
        False,
        True,
    ] * 3
    # The first call and later ones of several steps have the same means.
    again = TrainingStep(config, strategy)
    again.enter_stage(0, 1e-20)
    means = again.run(pictures(strategy, steps=6), np.ones(6, "float32"), 6)
    every = tiny_config(
        tmp_path, **settings | {"penalty_every": 1}, gradient_penalty=2.0
    )
    always = TrainingStep(every, strategy)
    always.enter_stage(0, 1e-20)
    whole = always.run(pictures(strategy), one, 1)
    # Its reals are those of `measured`, which no step has changed.
    expected = np.mean([m["r1_penalty"] for m in measured])
    assert whole["r1_penalty"] == pytest.approx(expected, rel=1e-4)
    assert means["generator_loss"] == pytest.approx(
        np.mean([m["generator_loss"] for m in measured[1::2]]), rel=1e-5
    )


def test_a_generator_loss_is_the_mean_over_its_own_steps(tmp_path, strategy):
    config = tiny_config(tmp_path, resolution=4, discriminator_steps=3)
    apart, together = (TrainingStep(config, strategy) for _ in range(2))
    for step in (apart, together):
        step.enter_stage(0, 1e-20)  # So small that no weight moves.
    one = np.ones(1, "float32")
    singles = [apart.run(pictures(strategy), one, 1) for _ in range(4)]
    # Of four steps the third alone moves the generator.
    assert ["generator_loss" in each for each in singles] == [0, 0, 1, 0]
    means = together.run(pictures(strategy, 4), np.ones(4, "float32"), 4)
    expected = singles[2]["generator_loss"]
    assert means["generator_loss"] == pytest.approx(expected, rel=1e-5)


def test_a_lazy_penalty_corrects_its_optimizer(tmp_path, strategy):
    config = tiny_config(tmp_path, resolution=4, penalty_every=4)
    step = TrainingStep(config, strategy)
    step.enter_stage(0, 0.01)
    # c = 4 / 5: rate * c and decay ^ c.
    discriminator, generator = (
        step.discriminator_optimizer,
        step.generator_optimizer,
    )
    assert discriminator.learning_rate.numpy() == pytest.approx(0.008)
    assert discriminator.beta_2 == pytest.approx(0.99**0.8)
    assert generator.learning_rate.numpy() == pytest.approx(0.01)
    assert generator.beta_2 == 0.99


def test_rates_of_single_steps(tmp_path, strategy):
    step = TrainingStep(tiny_config(tmp_path, resolution=4), strategy)
    step.enter_stage(0, 0.01)
    before = values(step.discriminator)
    rates = np.array([0.001, 0.5], "float32")
    step.run(pictures(strategy), np.ones(2, "float32"), 1, rates=rates)
    after = values(step.discriminator)
    moved = [
        np.abs(new - old).max() for old, new in zip(before, after, strict=True)
    ]
    assert max(moved) == pytest.approx(0.001, rel=1e-3)


def test_optimizers_that_are_not_reset(tmp_path, strategy):
    config = tiny_config(tmp_path, resolution=4, reset_optimizers=False)
    step = TrainingStep(config, strategy)
    step.enter_stage(0, 0.01)
    step.run(pictures(strategy), np.ones(1, "float32"), 1)
    step.enter_stage(1, 0.02)
    assert iterations(step) == 1
    rate = step.discriminator_optimizer.learning_rate.numpy()
    assert rate == pytest.approx(0.02)


@pytest.mark.parametrize("devices", ["CPU:0", "CPU:0,CPU:1"])
def test_the_average_has_the_running_statistics_of_its_weights(
    tmp_path, devices
):
    strategy = make_strategy(devices)
    config = tiny_config(tmp_path, resolution=4, generator_norm="batch")
    step = TrainingStep(config, strategy)
    batch = 8 // strategy.num_replicas_in_sync
    one = np.ones(1, "float32")
    for _ in range(2):
        # The average follows before the generator's step.
        expected = [w.numpy() for w in step.generator.statistics_up_to(4)]
        step.run(pictures(strategy, batch=batch), one, 1)
        ours = [w.numpy() for w in step.average.statistics_up_to(4)]
        moved = [w.numpy() for w in step.generator.statistics_up_to(4)]
        assert len(ours) == 4
        for a, b, c in zip(ours, expected, moved, strict=True):
            np.testing.assert_array_equal(a, b)
            assert not np.array_equal(b, c)
    for weight in step.generator.statistics_up_to(4):
        copies = strategy.experimental_local_results(weight.value)
        for copy in copies:
            np.testing.assert_array_equal(copy, copies[0])
