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
from progan_tf.sampling import (
    AnyGenerator,
    KerasGenerator,
    as_generator,
    generate_images,
)

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
    return project(generator, own, starts=16, steps=200, candidates=16)


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
        project(generator, own, starts=2, steps=5, seed=seed, candidates=130)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.latent, same.latent)
    np.testing.assert_array_equal(one.history, same.history)
    assert not np.allclose(one.latent, other.latent)


@pytest.mark.parametrize("starts", [2, 8])
def test_the_best_start_wins(generator, own, starts):
    latents = np.random.RandomState(4).standard_normal((starts, 16))
    ratios = [peak_ratio(x, own) for x in generator.images_of(latents)]
    assert len({*ratios}) == starts
    # Steps of no length leave the starts where they are.
    numbers = {"starts": starts, "candidates": starts, "steps": 1, "seed": 4}
    found = project(generator, own, **numbers, learning_rate=0.0)
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
    # With a rate of 0 the best of the eight is best after the cuts, too.
    numbers = {"starts": 8, "candidates": 8, "learning_rate": 0.0}
    found = project(generator, own, **numbers, steps=8)
    assert left == [8, 1]
    assert np.ptp(found.history) < 1e-3
    # A quarter of the steps has one cut before it, and one after it.
    left.clear()
    project(
        generator,
        own,
        **numbers,
        steps=8,
        callback=lambda done, *_: done == 1,
    )
    assert left == [8, 4]


def test_the_callback_sees_the_way(generator, own):
    seen = []
    found = project(
        generator,
        own,
        starts=2,
        steps=3,
        candidates=2,
        callback=lambda *now: seen.append(now),
    )
    assert [step for step, _, _ in seen] == [0, 1, 2]
    np.testing.assert_allclose([psnr for *_, psnr in seen], found.history)
    for _, image, psnr in seen:
        assert peak_ratio(image, own) == pytest.approx(psnr, abs=0.2)


def test_weights_stay(generator, own):
    before = [weight.numpy() for weight in generator.model.weights]
    project(generator, own, starts=1, steps=2, candidates=1)
    for weight, old in zip(generator.model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_floats_are_the_same_target(generator, own):
    for target in (to_float(own), to_float(own).astype("float64")):
        numbers = {"starts": 2, "steps": 2, "candidates": 2}
        found = project(generator, target, **numbers)
        same = project(generator, own, **numbers)
        np.testing.assert_array_equal(found.latent, same.latent)


def test_classes():
    generator = tiny_generator(num_classes=3)
    target = generate_images(generator, [5], [2])[0]
    numbers = {"steps": 10, "candidates": 16}
    assert project(generator, target, label=1, **numbers).label == 1
    free = project(generator, target, **numbers)
    inputs = free.latent[np.newaxis], [free.label]
    np.testing.assert_array_equal(generator.images_of(*inputs)[0], free.image)


def test_what_is_no_class_is_refused_before_the_generator_runs():
    def never(latents, labels):
        raise AssertionError

    generator, black = (
        Toy(never, 2, num_classes=3),
        np.zeros((4, 4, 3), "uint8"),
    )
    with pytest.raises(UserError, match="from 0 to 2; received 3"):
        project(generator, black, label=3)


class Toy(AnyGenerator):
    """Pictures of one grey, a function of latents (and labels)."""

    def __init__(self, grey, latent_size, num_classes=0):
        super().__init__("the toy", latent_size, num_classes, (4, 4, 3))
        self._grey = grey

    def __call__(self, latents, labels=None):
        inputs = [latents] if labels is None else [latents, labels]
        grey = self._grey(*inputs)  # [B]
        return grey[:, None, None, None] * tf.ones(self.image_shape)


def test_the_right_valley_is_found_by_looking():
    def hills(latents):
        """41 hills on a circle, one twice as high as the others."""
        angle = tf.atan2(latents[:, 1], latents[:, 0])
        high = tf.exp(-tf.square(angle / 0.08))
        return 0.5 * tf.cos(41 * angle) + 0.5 * high

    generator = Toy(hills, latent_size=2)
    white = np.full((4, 4, 3), 255, "uint8")
    found = project(generator, white, steps=60)
    # The top is in the direction of (1, 0).
    np.testing.assert_allclose(found.latent, [2**0.5, 0], atol=0.02)
    assert found.psnr > 40
    # Eight starts go up hills of half the height: 255 * 0.25 from white.
    blind = project(generator, white, steps=60, candidates=8)
    assert blind.psnr == pytest.approx(-20 * math.log10(0.25), abs=0.3)


def test_a_start_that_went_too_far_goes_back():
    def slope(latents):
        """A slope between two plains, on which there is no gradient."""
        angle = tf.atan2(latents[:, 1], latents[:, 0])
        return tf.clip_by_value(2 * angle, -0.9, 0.9)

    generator = Toy(slope, latent_size=2)
    grey = np.full((4, 4, 3), 128, "uint8")
    # The latent is on the slope, and the first step leads off it.
    found = project(
        generator, grey, starts=1, candidates=1, steps=80, learning_rate=4.0
    )
    assert found.psnr > 40


def test_the_class_is_found_among_many():
    greys = np.random.RandomState(5).permutation(40) / 20.0 - 1

    def grey(latents, labels):
        own = tf.linalg.matvec(labels, tf.constant(greys, tf.float32))
        return own + 0.02 * tf.tanh(latents[:, 0])

    generator = Toy(grey, latent_size=4, num_classes=40)
    seen = []
    for label in (0, 33, 39):
        target = generator.images_of(np.ones((1, 4)), [label])[0]
        found = project(
            generator,
            target,
            steps=5,
            candidates=16,
            looked=lambda *now: seen.append(now),
        )
        assert found.label == label
    # Eight of each class, 24 of a quarter, 72 of a quarter of those.
    total = 40 * 8 + 10 * 24 + 2 * 72 + 16
    assert seen == [(count, total) for count in range(8, total + 1, 8)] * 3


def test_looking_ends_when_told(generator, own):
    seen = []
    found = project(
        generator,
        own,
        steps=1,
        looked=lambda *now: seen.append(now) or len(seen) == 2,
    )
    assert seen == [(8, 512), (16, 512)]
    # The nearest of the sixteen.
    latents = np.random.RandomState(0).standard_normal((128, 16))[:16]
    ratios = [peak_ratio(x, own) for x in generator.images_of(latents)]
    assert found.psnr == pytest.approx(max(ratios), abs=0.01)


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
    for wrong in ((0, 5, 8), (8, 0, 8), (8, 5, 0)):
        numbers = dict(
            zip(("starts", "steps", "candidates"), wrong, strict=True)
        )
        with pytest.raises(ValueError, match=", ".join(map(str, wrong))):
            project(generator, own, **numbers)
