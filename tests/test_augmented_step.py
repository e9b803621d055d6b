"""Training steps with augmented pictures."""

import numpy as np
import pytest
import tensorflow as tf
from stepping import pictures, values
from tiny import tiny_config

from progan_tf.augmentation import ADAPTING_STEPS
from progan_tf.training.devices import make_strategy
from progan_tf.training.step import TrainingStep

ALL = "color,translation,cutout"
R1 = {"loss": "logistic", "penalty": "r1"}
CASES = [
    {"augment": ALL},
    {"augment": "ada", "channels": 1, "penalty_every": 2, **R1},
    {"augment": ALL, "loss": "relativistic", "penalty": "r1_r2"},
    {"augment": "ada", "precision": "bfloat16"},
    {
        **{"augment": ALL, "precision": "float16"},
        **{"loss": "hinge", "penalty": "none"},
    },
]


@pytest.fixture
def strategy():
    return make_strategy("CPU:0")


def taken(tmp_path, strategy, steps=2, **settings):
    """A step object after steps within a fade, and what they measured."""
    config = tiny_config(tmp_path, **settings)
    step = TrainingStep(config, strategy)
    step.enter_stage(0, 0.01)
    step.log2_scales.assign([0.0, 0.0])  # Where float16 overflows no more.
    shape = (steps, 8, 8, 8, config.channels)
    reals = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    mirrored = tf.constant(np.arange(steps * 8).reshape(steps, 8) % 3 == 0)
    alphas = np.full(steps, 0.5, "float32")
    return step, step.run(tf.constant(reals), alphas, steps, mirrored=mirrored)


def weights(step):
    families = step.generator, step.discriminator, step.average
    return [value for family in families for value in values(family)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_with_p_0_a_step_is_the_same_to_the_bit(tmp_path, strategy, case):
    plain, without = taken(tmp_path, strategy, **case | {"augment": "none"})
    same, measured = taken(tmp_path, strategy, **case, augment_p=0.0)
    assert measured == without
    for one, other in zip(weights(plain), weights(same), strict=True):
        np.testing.assert_array_equal(one, other)
    changed, measured = taken(tmp_path, strategy, **case, augment_p=0.7)
    assert all(np.isfinite(list(measured.values())))
    for term in ("real_score", "fake_score", "generator_loss"):
        assert measured[term] != without[term]
    assert not np.array_equal(weights(plain)[0], weights(changed)[0])


def test_the_first_steps_of_ada_are_those_without(tmp_path, strategy):
    plain, without = taken(tmp_path, strategy, **R1)
    same, measured = taken(tmp_path, strategy, **R1, augment="ada")
    assert measured.pop("augment_p") == 0
    assert -1 <= measured.pop("real_sign") <= 1
    assert measured == without
    for one, other in zip(weights(plain), weights(same), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("loss", "score", "sign"),
    [
        ("logistic", 0.1, 1),
        ("logistic", -0.1, -1),
        ("hinge", 0.1, 1),
        # Between the 0 of fakes and the 1 of reals.
        ("lsgan", 0.4, -1),
        ("lsgan", 0.6, 1),
        # Whose scores have no zero: all are alike here.
        ("relativistic", 5.0, 0),
    ],
)
def test_p_rises_where_all_reals_are_taken_for_such(
    tmp_path, strategy, loss, score, sign
):
    config = tiny_config(
        tmp_path, resolution=4, loss=loss, penalty="r1_r2", augment="ada"
    )
    step = TrainingStep(config, strategy)
    step.enter_stage(0, 1e-20)  # So small that no weight moves.
    dense = step.discriminator.block(4).dense1
    dense.kernel.assign(dense.kernel * 0)
    dense.bias.assign([score])
    start = 0.5
    step.augment.assign([start, 0, 0])
    steps = 2 * ADAPTING_STEPS
    reals = pictures(strategy, steps=steps)
    measured = step.run(reals, np.ones(steps, "float32"), steps)
    assert measured["real_sign"] == sign
    moved = 1 if sign == 1 else -1
    expected = start + moved * steps * 8 / 500_000
    assert float(step.augment[0]) == pytest.approx(expected, abs=1e-6)
    # The mean of what the steps were taken with.
    middle = (start + start + moved * ADAPTING_STEPS * 8 / 500_000) / 2
    assert measured["augment_p"] == pytest.approx(middle, abs=1e-6)


def test_a_step_that_is_skipped_leaves_p_as_it_is(tmp_path, strategy):
    settings = {"augment": "ada", "loss": "hinge", "penalty": "none"}
    step = TrainingStep(tiny_config(tmp_path, **settings), strategy)
    step.enter_stage(0, 0.01)
    kernel = step.discriminator.block(4).conv.kernel
    kernel.assign(kernel * np.nan)
    step.augment.assign([0.5, 1.0, 2.0])
    step.run(pictures(strategy), np.ones(1, "float32"), 1)
    np.testing.assert_array_equal(step.augment, [0.5, 1.0, 2.0])


def test_every_step_changes_pictures_anew(tmp_path, strategy):
    config = tiny_config(
        tmp_path, resolution=4, augment="color", penalty="r1_r2"
    )
    step, again = (TrainingStep(config, strategy) for _ in range(2))
    reals, one = pictures(strategy), np.ones(1, "float32")
    step.enter_stage(0, 1e-20)
    first, second = (step.run(reals, one, 1) for _ in range(2))
    # The same reals, judged by the same weights.
    assert second["real_score"] != first["real_score"]
    again.enter_stage(0, 1e-20)
    again.images_seen.assign(8)
    assert again.run(reals, one, 1) == second
