"""Finding the latent of a picture."""

import math
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from progan_tf.errors import UserError
from progan_tf.generation.projection import (
    multi_scale_errors,
    peak_ratio,
    project,
)
from progan_tf.generation.projection_files import known_class
from progan_tf.images import box_down, to_float
from progan_tf.networks import Generator
from progan_tf.sampling import KerasGenerator, as_generator, generate_images

ROOT = pathlib.Path(__file__).resolve().parent.parent


def tiny_generator(**options):
    family = Generator(16, 16, fmap_max=8, seed=3, **options)
    return as_generator(family.at(16, fade=False))


@pytest.fixture(scope="module")
def generator():
    return tiny_generator()


@pytest.fixture(scope="module")
def own(generator):
    """The generator's own picture, made from a latent of another seed."""
    return generate_images(generator, [1000])[0]


@pytest.fixture(scope="module")
def found(generator, own):
    return project(generator, own, starts=16, steps=200)


def test_its_own_picture_is_found_again(found, own):
    assert found.psnr >= 30
    assert found.psnr == peak_ratio(found.image, own)
    # A random picture of this generator is far from it.
    assert found.history[0] < 20
    assert found.history.shape == (200,)
    assert found.history.dtype == np.float32
    assert found.history[-1] >= 30
    assert found.label is None


def test_the_latent_gives_the_image(generator, found):
    images = generator.images_of(found.latent[np.newaxis])
    np.testing.assert_array_equal(images[0], found.image)
    assert found.latent.dtype == np.float32
    # sqrt(16), however far the steps went.
    assert np.linalg.norm(found.latent) == pytest.approx(4, rel=1e-5)


def test_a_seed_gives_one_result_and_another_seed_another(generator, own):
    one, same, other = (
        project(generator, own, starts=2, steps=5, seed=seed)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.latent, same.latent)
    np.testing.assert_array_equal(one.history, same.history)
    assert not np.allclose(one.latent, other.latent)


# Of two starts one is left at the end, of eight two.
@pytest.mark.parametrize("starts", [2, 8])
def test_the_best_start_wins(generator, own, starts):
    latents = np.random.RandomState(4).standard_normal((starts, 16))
    ratios = [peak_ratio(x, own) for x in generator.images_of(latents)]
    assert len({*ratios}) == starts
    # Steps of no length leave the starts where they are.
    found = project(
        generator, own, starts=starts, steps=1, seed=4, learning_rate=0.0
    )
    assert found.psnr == pytest.approx(max(ratios), abs=0.01)
    best = latents[np.argmax(ratios)]
    np.testing.assert_allclose(
        found.latent, best * 4 / np.linalg.norm(best), rtol=1e-5
    )


def test_weak_starts_are_dropped(generator, own, monkeypatch):
    left, images_of = [], KerasGenerator.images_of
    monkeypatch.setattr(
        KerasGenerator,
        "images_of",
        lambda self, latents, labels: (
            left.append(len(latents)) or images_of(self, latents, labels)
        ),
    )
    # With a rate of 0 the best of the eight is best after the cut, too.
    found = project(generator, own, starts=8, steps=8, learning_rate=0.0)
    assert left == [2]
    assert np.ptp(found.history) < 1e-3


def test_the_callback_sees_the_way(generator, own):
    seen = []
    found = project(
        generator,
        own,
        starts=2,
        steps=3,
        callback=lambda *now: seen.append(now),
    )
    assert [step for step, _, _ in seen] == [0, 1, 2]
    np.testing.assert_allclose([psnr for *_, psnr in seen], found.history)
    for _, image, psnr in seen:
        assert peak_ratio(image, own) == pytest.approx(psnr, abs=0.2)


def test_weights_stay(generator, own):
    before = [weight.numpy() for weight in generator.model.weights]
    project(generator, own, starts=1, steps=2)
    for weight, old in zip(generator.model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_floats_are_the_same_target(generator, own):
    for target in (to_float(own), to_float(own).astype("float64")):
        found = project(generator, target, starts=2, steps=2)
        same = project(generator, own, starts=2, steps=2)
        np.testing.assert_array_equal(found.latent, same.latent)


def test_classes():
    generator = tiny_generator(num_classes=3)
    target = generate_images(generator, [5], [2])[0]
    assert project(generator, target, steps=2, label=1).label == 1
    free = project(generator, target, starts=12, steps=60)
    inputs = free.latent[np.newaxis], [free.label]
    np.testing.assert_array_equal(generator.images_of(*inputs)[0], free.image)
    with pytest.raises(UserError, match="from 0 to 2; received 3"):
        project(generator, target, label=3)


def test_every_class_is_tried():
    generator = tiny_generator(num_classes=12)
    latents = np.random.RandomState(4).standard_normal((12, 16))
    # What the twelfth start, of the last class, draws at once.
    target = generator.images_of(latents[11:], [11])[0]
    still = {"steps": 1, "seed": 4, "learning_rate": 0.0}
    found = project(generator, target, **still)
    assert found.label == 11
    assert found.psnr > 40  # The start was put on the sphere.
    assert project(generator, target, starts=11, **still).label != 11


def test_the_class_of_a_seed_is_known(generator):
    assert known_class("seed:1000", generator) is None
    assert known_class("photo.png", generator) is None
    classes = tiny_generator(num_classes=3)
    assert known_class("seed:1000", classes) == 1
    assert known_class("seed:1000", classes, 2) == 2
    assert known_class("photo.png", classes) is None
    assert known_class("photo.png", classes, 0) == 0


def test_errors_are_those_of_numpy():
    random = np.random.RandomState(0)
    images = random.uniform(-1, 1, (2, 16, 16, 3)).astype("float32")
    target = random.uniform(-1, 1, (1, 16, 16, 3)).astype("float32")
    full, half, quarter = (
        np.mean(
            (box_down(images, factor) - box_down(target, factor)) ** 2,
            axis=(1, 2, 3),
        )
        for factor in (1, 2, 4)
    )
    total = multi_scale_errors(images, tf.constant(target), 0.5)
    np.testing.assert_allclose(total, full + 0.5 * (half + quarter), rtol=1e-5)
    alone = multi_scale_errors(images, tf.constant(target))
    np.testing.assert_allclose(alone, full, rtol=1e-5)


def test_peak_ratio_is_that_of_the_definition():
    black = np.zeros((4, 4, 3), "uint8")
    assert peak_ratio(black, black + 255) == 0
    assert peak_ratio(black, black + 1) == pytest.approx(20 * math.log10(255))
    assert peak_ratio(black, black) == math.inf


def test_wrong_arguments(generator, own):
    for target, words in (
        (own[:8, :8], r"picture \[16, 16, 3\].* received \[8, 8, 3\]"),
        (own[..., :1], r"received \[16, 16, 1\]"),
        (own.astype("float32"), r"floats in \[-1, 1\]; received float32"),
        (to_float(own) * np.nan, "received float32 from nan"),
        (own.astype("int32"), "received int32"),
    ):
        with pytest.raises(UserError, match=words):
            project(generator, target)
    with pytest.raises(UserError, match="expected no class"):
        project(generator, own, label=0)
    with pytest.raises(ValueError, match="starts, steps >= 1; got 0, 5"):
        project(generator, own, starts=0, steps=5)
