"""What a training step does with gradients: Adam, precision, skipped steps."""

import numpy as np
import pytest
from stepping import iterations, pictures, values
from tiny import checkpoint_values, tiny_config

from progan_tf.errors import UserError
from progan_tf.trainer import Trainer
from progan_tf.training.devices import make_strategy
from progan_tf.training.gradients import Gradients
from progan_tf.training.step import TrainingStep


@pytest.fixture
def strategy():
    return make_strategy("CPU:0")


def test_first_step_of_adam_moves_by_the_learning_rate(tmp_path, strategy):
    config = tiny_config(tmp_path, resolution=4)
    step = TrainingStep(config, strategy)
    step.enter_stage(0, 0.01)
    before = values(step.discriminator)
    step.run(pictures(strategy), np.ones(1, "float32"), 1)
    # With a bias-corrected second moment and no first one the first step is
    # rate * sign(gradient), and the same again after a reset.
    moved = [
        np.abs(after - old).max()
        for old, after in zip(before, values(step.discriminator), strict=True)
    ]
    assert max(moved) == pytest.approx(0.01, rel=1e-3)
    step.enter_stage(0, 0.5)  # No new stage: nothing changes.
    assert iterations(step) == 1
    step.enter_stage(1, 0.01)
    assert iterations(step) == 0
    rate = step.discriminator_optimizer.learning_rate.numpy()
    assert rate == pytest.approx(0.01)
    before = values(step.discriminator)
    step.run(pictures(strategy), np.ones(1, "float32"), 1)
    moved = [
        np.abs(after - old).ravel()
        for old, after in zip(before, values(step.discriminator), strict=True)
    ]
    # Nearly all, as small as their gradients may be now.
    assert np.median(np.concatenate(moved)) == pytest.approx(0.01, rel=1e-2)


def test_adam_is_the_papers(tmp_path, strategy):
    step = TrainingStep(tiny_config(tmp_path, resolution=4), strategy)
    for adam in (step.generator_optimizer, step.discriminator_optimizer):
        assert (adam.beta_1, adam.beta_2, adam.epsilon) == (0.0, 0.99, 1e-8)


def test_no_two_kernels_begin_alike(tmp_path, strategy):
    step = TrainingStep(tiny_config(tmp_path), strategy)
    kernels = [
        kernel.ravel()[:8]
        for family in (step.generator, step.discriminator)
        for kernel in values(family)
        if kernel.ndim > 1
    ]
    assert len(np.unique(kernels, axis=0)) == len(kernels)


def test_step_without_finite_gradients_is_skipped(tmp_path, strategy):
    config = tiny_config(tmp_path, resolution=4)
    step = TrainingStep(config, strategy)
    step.generator.block(4).to_rgb.bias.assign([np.inf, 0, 0])
    before = values(step.discriminator), values(step.generator)
    step.run(pictures(strategy), np.ones(1, "float32"), 1)
    after = values(step.discriminator), values(step.generator)
    for old, new in zip(sum(before, []), sum(after, []), strict=True):
        np.testing.assert_array_equal(old, new)
    assert iterations(step) == 0
    assert int(step.steps_skipped.numpy()) == 1
    assert int(step.skipped_in_a_row.numpy()) == 1
    step.generator.block(4).to_rgb.bias.assign([0, 0, 0])
    step.run(pictures(strategy), np.ones(1, "float32"), 1)
    assert int(step.steps_skipped.numpy()) == 1
    assert int(step.skipped_in_a_row.numpy()) == 0
    assert iterations(step) == 1


def test_step_without_a_finite_loss_is_skipped(tmp_path, strategy):
    config = tiny_config(tmp_path, resolution=4)
    step = TrainingStep(config, strategy)
    # Its square is infinite in float32, the gradient of that is not.
    step.discriminator.block(4).dense1.bias.assign([1e20])
    before = values(step.discriminator)
    means = step.run(pictures(strategy), np.ones(1, "float32"), 1)
    assert means["discriminator_loss"] == np.inf
    for old, new in zip(before, values(step.discriminator), strict=True):
        np.testing.assert_array_equal(old, new)
    assert int(step.skipped_in_a_row.numpy()) == 1


def test_one_infinite_gradient_skips_the_step_of_its_network(
    tmp_path, strategy, monkeypatch
):
    class Overflowing(Gradients):
        def generator(self, *arguments):
            terms, gradients, statistics = super().generator(*arguments)
            gradients = [*gradients[:-1], gradients[-1] + np.inf]
            return terms, gradients, statistics

    monkeypatch.setattr("progan_tf.training.step.Gradients", Overflowing)
    config = tiny_config(tmp_path, resolution=4, precision="float16")
    step = TrainingStep(config, strategy)
    step.log2_scales.assign([8.0, 8.0])
    discriminator, generator = (
        values(step.discriminator),
        values(step.generator),
    )
    step.run(pictures(strategy), np.ones(1, "float32"), 1)
    np.testing.assert_array_equal(values(step.generator)[0], generator[0])
    assert (values(step.discriminator)[0] != discriminator[0]).any()
    assert int(step.steps_skipped.numpy()) == 1
    # The scale of the one goes up a little, that of the other is halved.
    expected = [8.0005, 7.0]
    np.testing.assert_allclose(step.log2_scales.numpy(), expected, rtol=1e-6)


def test_a_generator_that_never_moves_is_noticed(
    tmp_path, strategy, monkeypatch
):
    class Overflowing(Gradients):
        broken = True

        def generator(self, *arguments):
            terms, gradients, statistics = super().generator(*arguments)
            if self.broken:
                gradients = [gradient + np.inf for gradient in gradients]
            return terms, gradients, statistics

    monkeypatch.setattr("progan_tf.training.step.Gradients", Overflowing)
    config = tiny_config(tmp_path, resolution=4, discriminator_steps=2)
    step = TrainingStep(config, strategy)
    reals, four = pictures(strategy, 4), np.ones(4, "float32")
    step.run(reals, four, 4)
    # Its second and fourth step; the discriminator moves between them.
    assert iterations(step) == 4
    assert int(step.skipped_in_a_row.numpy()) == 2
    monkeypatch.setattr(Overflowing, "broken", False)
    step._functions.clear()
    step.run(reals, four, 2)
    assert int(step.skipped_in_a_row.numpy()) == 0
    assert int(step.steps_skipped.numpy()) == 2


def test_many_skipped_steps_stop_the_run(tmp_path, strategy, monkeypatch):
    config = tiny_config(tmp_path / "run", total_kimg=0.008)
    Trainer(config, strategy).train()
    good = checkpoint_values(tmp_path / "run")
    longer = tiny_config(tmp_path / "run", resolution=8, total_kimg=100)
    create = Trainer._create_state

    def restore_and_break(self):
        resumed = create(self)
        bias = self.state.generator.block(4).dense.bias
        bias.assign(np.full(bias.shape, np.nan))
        return resumed

    monkeypatch.setattr(Trainer, "_create_state", restore_and_break)
    with pytest.raises(UserError, match="in a row were not finite"):
        Trainer(longer, strategy).train()
    after = checkpoint_values(tmp_path / "run")
    assert after["images_seen"] == good["images_seen"] == 8
    assert all(np.isfinite(value).all() for value in after.values())


def test_float16_scales_its_loss(tmp_path, strategy):
    config = tiny_config(tmp_path, resolution=4, precision="float16")
    step = TrainingStep(config, strategy)
    step.log2_scales.assign([200.0, 10.0])
    before = values(step.discriminator), values(step.generator)
    step.run(pictures(strategy), np.ones(1, "float32"), 1)
    # Far too large a scale overflows: that step is skipped, and only it.
    for old, new in zip(before[0], values(step.discriminator), strict=True):
        np.testing.assert_array_equal(old, new)
    assert any(
        not np.array_equal(old, new)
        for old, new in zip(before[1], values(step.generator), strict=True)
    )
    np.testing.assert_allclose(step.log2_scales.numpy(), [199.0, 10.0005])


def test_the_generator_waits_for_a_skipped_step_of_the_discriminator(
    tmp_path, strategy
):
    settings = {"precision": "float16", "discriminator_steps": 2}
    config = tiny_config(tmp_path, resolution=4, **settings)
    step = TrainingStep(config, strategy)
    step.enter_stage(0, 0.001)
    moved = []
    # So large a scale overflows: the second step is skipped.
    for scale in (10.0, 200.0, 10.0, 10.0, 10.0):
        step.log2_scales.assign([scale, 10.0])
        before = int(step.generator_optimizer.iterations.numpy())
        step.run(pictures(strategy), np.ones(1, "float32"), 1)
        moved.append(int(step.generator_optimizer.iterations.numpy()) - before)
    assert moved == [0, 0, 1, 0, 1]
    assert iterations(step) == 4


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_low_precision_gradients_are_near(tmp_path, strategy, precision):
    metrics = {}
    for chosen in ("float32", precision):
        config = tiny_config(tmp_path, resolution=4, precision=chosen)
        step = TrainingStep(config, strategy)
        metrics[chosen] = step.run(pictures(strategy), np.ones(1, "float32"), 1)
        assert step.generator.block(4).conv.kernel.dtype == "float32"
    for name, value in metrics["float32"].items():
        assert metrics[precision][name] == pytest.approx(value, abs=0.2)
