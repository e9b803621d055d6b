"""Which blocks are trained when, and on which pictures."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hand_made import Network, squares
from tiny import tiny_config

from progan_tf.config import resolve
from progan_tf.training.devices import make_strategy
from progan_tf.training.gradients import Gradients
from progan_tf.training.inputs import Inputs
from progan_tf.training.step import TrainingStep

BATCH = 4
# 8 images to fade in and 8 stable ones for each resolution, 4 a step. "rgb" is
# to_rgb in the generator and from_rgb in the discriminator; the numbers are
# the other layers of a resolution. At the first step of a fade alpha is 0.
TRAINED = {
    0: {"4", "rgb 4"},
    4: {"4", "rgb 4"},
    8: {"4", "rgb 4"},
    12: {"4", "rgb 4", "8", "rgb 8"},
    16: {"4", "8", "rgb 8"},
    20: {"4", "8", "rgb 8"},
    24: {"4", "8", "rgb 8"},
    28: {"4", "8", "rgb 8", "16", "rgb 16"},
    32: {"4", "8", "16", "rgb 16"},
    36: {"4", "8", "16", "rgb 16"},
}


def values_by_part(family):
    """dict from the names in `TRAINED` to lists of arrays."""
    parts = {}
    for resolution in family.resolutions:
        for layer in family.block(resolution).layers:
            is_rgb = "rgb" in layer.name
            name = f"rgb {resolution}" if is_rgb else str(resolution)
            values = [weight.numpy() for weight in layer.trainable_weights]
            parts.setdefault(name, []).extend(values)
    return parts


def trained_parts(before, after):
    """Names of the parts of which every weight was changed."""
    changed = {
        name: [
            not np.array_equal(old, new)
            for old, new in zip(before[name], after[name], strict=True)
        ]
        for name in before
    }
    partly = {n for n, c in changed.items() if any(c) and not all(c)}
    assert not partly, "a part is trained as a whole"
    return {name for name, all_changed in changed.items() if all(all_changed)}


@pytest.fixture(scope="module")
def without_graphs():
    """Tracing five graphs would take longer than ten steps without them."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, without_graphs):
    """dict from images seen to the parts that the step there changed."""
    config = resolve(
        "laptop",
        {
            "run_dir": str(tmp_path_factory.mktemp("run")),
            "resolution": 16,
            "fade_kimg": BATCH * 2 / 1000,
            "stable_kimg": BATCH * 2 / 1000,
            "batch_size": BATCH,
            "fmap_max": 4,
            "latent_size": 4,
            "precision": "float32",
        },
    )
    step = TrainingStep(config, make_strategy("CPU:0"))
    schedule = config.schedule()
    random = np.random.default_rng(0)
    found = {}
    while (seen := int(step.images_seen.numpy())) < schedule.total_images:
        size = schedule.at(seen).resolution
        reals = random.integers(0, 256, [1, BATCH, size, size, 3], "uint8")
        families = (step.generator, step.discriminator)
        before = [values_by_part(family) for family in families]
        alphas = np.array([schedule.alpha(seen)], "float32")
        step.run(tf.constant(reals), alphas, steps=1)
        found[seen] = [
            trained_parts(old, values_by_part(family))
            for old, family in zip(before, families, strict=True)
        ]
    return found


def test_blocks_of_the_generator(trained):
    assert {seen: parts[0] for seen, parts in trained.items()} == TRAINED


def test_blocks_of_the_discriminator(trained):
    assert {seen: parts[1] for seen, parts in trained.items()} == TRAINED


@pytest.mark.parametrize("scale", [None, 64.0])
def test_every_picture_on_its_way_to_the_discriminator(tmp_path, scale):
    config = tiny_config(
        tmp_path,
        drift=0.5,
        gradient_penalty=2.0,
        # The loss is scaled in float16 alone, and nothing is seen of it.
        precision="float16" if scale else "float32",
    )
    scale = scale and tf.constant(scale)
    random = np.random.default_rng(0)
    latents = random.normal(size=(3, 4, 4, 3)).astype("float32")
    reals = random.integers(0, 256, (3, 4, 4, 3), "uint8")
    mix = np.float32([0.25, 0, 1]).reshape(3, 1, 1, 1)
    gradients = Gradients(
        config,
        Network(lambda z, weight: weight * z, 0.5),
        Network(squares, 3.0),
        resolution=4,
    )
    inputs = Inputs(
        tf.constant(latents),
        reals=tf.constant(reals),
        mirrored=tf.constant([True, False, True]),
        mix=tf.constant(mix),
        alpha=tf.constant(0.25),
        scale=scale,
    )
    terms, (gradient,) = gradients.discriminator(inputs)
    # Mirrored, brought to [-1, 1], faded.
    seen = reals.astype("float64")
    seen[[0, 2]] = seen[[0, 2], :, ::-1]
    seen = seen / 127.5 - 1
    small = seen.reshape(3, 2, 2, 2, 2, 3).mean((2, 4))
    small = small.repeat(2, 1).repeat(2, 2)
    seen = 0.25 * seen + 0.75 * small
    fakes = 0.5 * latents
    power = [(x**2).sum((1, 2, 3)) for x in (seen, fakes)]
    lengths = np.sqrt(((seen + (fakes - seen) * mix) ** 2).sum((1, 2, 3)))
    real, fake = (3.0 / 2 * x for x in power)
    penalty = 2 * (3 * lengths - 1) ** 2
    loss = fake - real + 0.5 * real**2 + penalty
    expected = {
        "discriminator_loss": loss,
        "real_score": real,
        "fake_score": fake,
        "gradient_penalty": penalty,
    }
    assert terms.keys() == expected.keys()
    for name, each in expected.items():
        assert float(terms[name]) == pytest.approx(each.sum(), rel=1e-4)
    # With respect to the weight, which is 3.
    slope = (power[1] - power[0]) / 2 + real * power[0] / 2
    slope += 4 * (3 * lengths - 1) * lengths
    assert float(gradient) == pytest.approx(slope.sum(), rel=1e-4)
    terms, (gradient,), _ = gradients.generator(inputs)
    assert float(terms["generator_loss"]) == pytest.approx(-fake.sum())
    slope = -3 * 0.5 * (latents**2).sum()
    assert float(gradient) == pytest.approx(slope, rel=1e-4)


def test_penalty_of_slopes_too_small_for_float16(tmp_path):
    config = tiny_config(
        tmp_path, precision="float16", drift=0, wgan_target=1e-8
    )

    def judge(images, weight):
        half = tf.reduce_sum(tf.cast(images, tf.float16), axis=(1, 2, 3))
        return 1e-9 * weight * tf.cast(half, tf.float32)[:, None]

    gradients = Gradients(
        config,
        Network(lambda z, weight: weight * z, 1.0),
        Network(judge, 1.0),
        resolution=4,
    )
    inputs = Inputs(
        tf.zeros([1, 4, 4, 3]),
        reals=tf.zeros([1, 4, 4, 3], tf.uint8),
        mix=tf.zeros([1, 1, 1, 1]),
        scale=tf.constant(65536.0),
    )
    terms, _ = gradients.discriminator(inputs)
    # 1e-9 for each of the 48 numbers; 10 is the weight.
    expected = 10 * (0.1 * np.sqrt(48) - 1) ** 2
    penalty = float(terms["gradient_penalty"])
    assert penalty == pytest.approx(expected, rel=1e-2)


def test_label_losses_of_reals_and_fakes_in_both_steps(tmp_path):
    config = tiny_config(tmp_path, label_weight=0.5, gradient_penalty=0.0)
    config = dataclasses.replace(config, labels=True, num_classes=2, drift=0)
    random = np.random.default_rng(0)
    latents = random.normal(size=(3, 4, 4, 3)).astype("float32")
    reals = random.integers(0, 256, (3, 4, 4, 3), "uint8")
    first = np.array([1.0, 0.0, 1.0])  # Whose class is the first of the two.
    labels = tf.constant(np.stack([first, 1 - first], 1), tf.float32)

    def judge(images, weight):
        means = tf.reduce_mean(images, axis=(1, 2, 3))
        logits = tf.stack([weight * means, tf.zeros_like(means)], axis=1)
        return means[:, None], logits

    gradients = Gradients(
        config,
        Network(lambda inputs, weight: weight * inputs[0], 2.0),
        Network(judge, 3.0),
        resolution=4,
    )
    inputs = Inputs(
        tf.constant(latents),
        reals=tf.constant(reals),
        labels=labels,
        mix=tf.zeros([3, 1, 1, 1]),
    )
    terms, (gradient,) = gradients.discriminator(inputs)
    real = (reals / 127.5 - 1).mean((1, 2, 3))
    fake = 2.0 * latents.mean((1, 2, 3))
    chances = [1 / (1 + np.exp(-3.0 * means)) for means in (real, fake)]
    losses = [
        -np.log(np.where(first == 1, chance, 1 - chance)).sum()
        for chance in chances
    ]
    loss = (fake - real).sum() + 0.5 * sum(losses)
    assert float(terms["real_label_loss"]) == pytest.approx(losses[0], rel=1e-4)
    assert float(terms["fake_label_loss"]) == pytest.approx(losses[1], rel=1e-4)
    assert float(terms["discriminator_loss"]) == pytest.approx(loss, rel=1e-4)
    slope = 0.5 * ((chances[0] - first) * real + (chances[1] - first) * fake)
    assert float(gradient) == pytest.approx(slope.sum(), rel=1e-4)
    terms, (gradient,), _ = gradients.generator(inputs)
    loss = -fake.sum() + 0.5 * losses[1]
    assert float(terms["generator_loss"]) == pytest.approx(loss, rel=1e-4)
    slope = -fake / 2 + 0.5 * (chances[1] - first) * 3.0 * fake / 2
    assert float(gradient) == pytest.approx(slope.sum(), rel=1e-4)


def test_running_statistics_of_the_generator():
    config = resolve(
        "laptop",
        {"resolution": 4, "latent_size": 6, "fmap_max": 8}
        | {"generator_norm": "batch", "precision": "float32"},
    )
    step = TrainingStep(config, make_strategy("CPU:0"))
    generator = step.generator.at(4)
    gradients = Gradients(config, generator, step.discriminator.at(4), 4)
    names = [weight.path for weight in gradients.statistics]
    assert [name.split("/")[0] for name in names[::2]] == [
        "dense_norm_4",
        "conv_norm_4",
    ]
    before = [weight.numpy() for weight in gradients.statistics]
    latents = np.random.default_rng(0).normal(size=(BATCH, 6))
    latents = tf.constant(latents, tf.float32)
    _, of_weights, statistics = gradients.generator(Inputs(latents))
    assert len(of_weights) == len(generator.trainable_weights)
    # Of what comes out of the first layer.
    normalized = latents / np.sqrt(np.mean(latents**2, 1, keepdims=True))
    x = step.generator.block(4).dense(normalized).numpy()
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    np.testing.assert_allclose(statistics[0], 0.1 * mean, atol=1e-5)
    np.testing.assert_allclose(statistics[1], 0.9 + 0.1 * variance, atol=1e-5)
    for weight, value in zip(gradients.statistics, before, strict=True):
        np.testing.assert_array_equal(weight, value)
