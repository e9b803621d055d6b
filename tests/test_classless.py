"""Networks with classes are trained on without."""

import math

import keras
import numpy as np
import pytest
from published_files import GOLDENS
from tiny import make_folder

from progan_tf.errors import UserError
from progan_tf.networks import Discriminator, Generator
from progan_tf.training.fine_tuning import write_run
from progan_tf.weights import (
    PublishedGAN,
    PublishedInfo,
    read_published,
    read_run,
    without_classes,
)


def networks(labels=(3,), **given):
    """Random networks of 8x8 that learnt such labels."""
    numbers = {"resolution": 8, "fmap_max": 8, "num_classes": sum(labels)}
    numbers |= given
    info = PublishedInfo("official", 0.0, tuple(labels), "free")
    kinds = (Generator, Discriminator, Generator)
    gan = PublishedGAN(*(kind(**numbers) for kind in kinds), info)
    random = np.random.default_rng(0)
    for family in (gan.generator, gan.discriminator, gan.average):
        for weight in family.trainable_weights:
            if weight.name in ("bias", "beta"):
                weight.assign(random.normal(size=weight.shape))
    return gan


def latents(gan, count=4):
    """Random ones of norm sqrt(latent_size), which is the mean one."""
    size = gan.generator.architecture.latent_size
    found = np.random.default_rng(1).normal(size=(count, size))
    found *= math.sqrt(size) / np.linalg.norm(found, axis=1, keepdims=True)
    return keras.ops.convert_to_tensor(found, "float32")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"labels": (2, 3)},
        {"normalize_latents": False},
        {"equalized": False},
        {"variant": "gan_zoo"},
        {"latent_size": 7, "fmap_max": {4: 8, 8: 5}},
    ],
    ids=str,
)
def test_classes_that_all_do_the_same_are_not_missed(given):
    gan = networks(**given)
    labels, size = gan.info.attributes, gan.generator.architecture.latent_size
    added = np.tile(np.linspace(-2, 2, 8), 16)
    if gan.generator.block(4).dense.bias_per_element:
        added = np.random.default_rng(2).normal(size=128)
    for family in (gan.generator, gan.average):
        kernel = family.block(4).dense.kernel
        kernel.assign(np.concatenate([kernel[:size], [added] * sum(labels)]))
    ours = without_classes(gan)
    z, starts = latents(gan), np.cumsum([0, *labels[:-1]])
    for number in range(min(labels)):
        one_hot = np.zeros((4, sum(labels)), "float32")
        one_hot[:, starts + number] = 1
        inputs = [z, keras.ops.convert_to_tensor(one_hot)]
        for name in ("generator", "average"):
            for resolution in (4, 8):
                expected = getattr(gan, name).at(resolution)(inputs)
                images = getattr(ours, name).at(resolution)(z)
                np.testing.assert_allclose(images, expected, atol=1e-4)
                assert np.std(expected) > 0.1


def test_of_classes_that_differ_it_is_the_mean():
    gan, same = networks(), networks()
    for family, other in ((gan.average, same.average),):
        kernel, new = family.block(4).dense.kernel, other.block(4).dense.kernel
        mean = np.mean(kernel[512:], axis=0).reshape(16, 8).mean(axis=0)
        new.assign(np.concatenate([kernel[:512], [np.tile(mean, 16)] * 3]))
    ours, theirs = (
        without_classes(x).average.block(4).dense.bias for x in (gan, same)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert np.abs(ours - gan.average.block(4).dense.bias).max() > 1e-3


def test_the_discriminator_scores_as_before():
    gan = networks(variant="gan_zoo", minibatch_discrimination=2)
    images = np.random.default_rng(3).normal(size=(4, 8, 8, 3))
    scores, _ = gan.discriminator.at(8)(images)
    ours = without_classes(gan).discriminator.at(8)(images)
    np.testing.assert_allclose(ours, scores, rtol=1e-5, atol=1e-6)


def test_batch_normalization_is_kept():
    gan = networks(generator_norm="batch")
    gan.average.block(4).dense_norm.moving_mean.assign(np.arange(8.0))
    block = without_classes(gan).average.block(4)
    np.testing.assert_array_equal(block.dense_norm.moving_mean, np.arange(8.0))


def test_a_run_of_pictures_without_classes(tmp_path):
    labelled = read_published(GOLDENS / "official_16_labels.pkl")
    data = make_folder(tmp_path / "data", count=40) / "even"
    given = {"data": str(data), "fade_kimg": 0, "stable_kimg": 0}
    given |= {"total_kimg": 1}
    with pytest.raises(UserError, match="train without classes: --nolabels"):
        write_run(labelled, str(tmp_path / "run"), given)
    run = tmp_path / "run"
    config = write_run(labelled, str(run), {**given, "labels": False})
    assert (config.labels, config.num_classes) == (False, 0)
    assert "labels      none\n" in (run / "weights.txt").read_text()
    ours = read_run(run)
    for old, new in (
        (labelled.average, ours.average),
        (labelled.discriminator, ours.discriminator),
    ):
        for resolution in (4, 8, 16):
            for a, b in zip(
                old.block(resolution).layers,
                new.block(resolution).layers,
                strict=True,
            ):
                if not a.name.startswith(("dense_", "dense1", "fade")):
                    for x, y in zip(a.weights, b.weights, strict=True):
                        np.testing.assert_array_equal(x, y)
