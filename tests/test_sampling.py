"""Seeds, latents, their images, and interpolation."""

import numpy as np
import pytest

from progan_tf import sampling
from progan_tf.config import TrainConfig
from progan_tf.errors import UserError
from progan_tf.latents import interpolate, parse_seeds, seeded_latents
from progan_tf.networks import Generator


@pytest.fixture(scope="module")
def generator():
    return Generator(32, 16, fmap_max=16, seed=3).at(32, fade=False)


@pytest.fixture(scope="module")
def conditional():
    return Generator(8, 16, num_classes=3, fmap_max=8, seed=3).at(8, fade=False)


# ---- seeds and latents ----


@pytest.mark.parametrize(
    "text, seeds",
    [
        ("7", [7]),
        ("0-3", [0, 1, 2, 3]),
        ("1,5,9-12", [1, 5, 9, 10, 11, 12]),
        (" 9-9, 2 ", [9, 2]),
        ("4294967295", [2**32 - 1]),
    ],
)
def test_parse_seeds(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text",
    ["", "a", "1,,2", "-1", "5-2", "1-", "1.5", "4294967296", "0x1", "1-2-3"],
)
def test_parse_seeds_mistakes(text):
    with pytest.raises(UserError, match="expected seeds such as"):
        parse_seeds(text)


def test_too_many_seeds():
    assert len(parse_seeds("1-1000000")) == 1_000_000
    for text in ("0-1000000", "5,0-999999", "0-4294967295"):
        with pytest.raises(UserError, match="at most 1,000,000"):
            parse_seeds(text)


def test_seeded_latents():
    latents = seeded_latents([1, 0, 2**32 - 1], 3)
    assert latents.dtype == np.float32
    # What numpy.random.RandomState gives on every machine.
    np.testing.assert_allclose(
        latents[:2],
        [[1.6243454, -0.6117564, -0.5281718], [1.7640524, 0.4001572, 0.978738]],
        rtol=1e-6,
    )
    assert seeded_latents([], 3).shape == (0, 3)


# ---- images ----


def test_an_image_depends_on_its_seed_alone(generator):
    seeds = np.arange(20)
    expected = sampling.generate_images(generator, seeds)
    assert expected.dtype == np.uint8
    assert expected.shape == (20, 32, 32, 3)
    assert len(np.unique(expected, axis=0)) == 20
    for count in (1, 3, 8):
        images = sampling.generate_images(generator, seeds[:count])
        np.testing.assert_array_equal(images, expected[:count])
    alone = [sampling.generate_images(generator, [seed])[0] for seed in seeds]
    np.testing.assert_array_equal(alone, expected)
    order = np.random.default_rng(0).permutation(20)
    images = sampling.generate_images(generator, order)
    np.testing.assert_array_equal(images, expected[order])


def test_images_are_those_of_the_model(generator):
    latents = seeded_latents([4, 5], 16)
    floats = np.asarray(generator(latents, training=False))
    images = sampling.as_generator(generator).images_of(latents)
    expected = np.clip(floats * 127.5 + 127.5, 0, 255)
    # Another number of images at once may be rounded another way.
    np.testing.assert_allclose(images, expected, atol=0.51)
    np.testing.assert_array_equal(
        images, sampling.generate_images(generator, [4, 5])
    )


def test_what_is_no_model_is_refused():
    family = Generator(8, 16, fmap_max=8)
    with pytest.raises(UserError, match=r"\.at\(8\); received a Generator$"):
        sampling.generate_images(family, [1])
    with pytest.raises(UserError, match="load_generator gives; received a str"):
        sampling.generate_images("runs/x", [1])


def test_images_come_in_groups(generator):
    groups = list(sampling.as_generator(generator).stream(range(20)))
    assert [len(group) for group in groups] == [8, 8, 4]
    images = sampling.generate_images(generator, range(20), batch_size=3)
    np.testing.assert_array_equal(np.concatenate(groups), images)
    none = sampling.generate_images(generator, [])
    assert none.shape == (0, 32, 32, 3)
    assert none.dtype == np.uint8


def test_the_forward_pass_is_traced_once(generator):
    for seeds in ([1], [1, 2, 3], range(9)):
        sampling.generate_images(generator, seeds)
    compiled = sampling.as_generator(generator)._compiled
    assert compiled.experimental_get_tracing_count() == 1


def test_what_is_not_finite_is_grey_or_refused():
    diverged = Generator(8, 16, fmap_max=8, seed=3).at(8, fade=False)
    diverged.get_layer("to_rgb_8").bias.assign([np.nan, 0, np.inf])
    image = sampling.generate_images(diverged, [0])[0]
    assert set(image[..., 0].flat) == {128}
    face = sampling.as_generator(diverged)
    words = "NaN or infinity: it has diverged"
    with pytest.raises(UserError, match=words):
        next(face.stream([0]))
    with pytest.raises(UserError, match=words):
        face.images_of(seeded_latents([0], 16))


def test_classes(conditional):
    face = sampling.as_generator(conditional)
    assert (face.latent_size, face.num_classes) == (16, 3)
    assert (face.image_shape, face.resolution) == ((8, 8, 3), 8)
    seeds = [0, 1, 2, 4]
    own = sampling.generate_images(conditional, seeds)
    modulo = sampling.generate_images(conditional, seeds, [0, 1, 2, 1])
    np.testing.assert_array_equal(own, modulo)
    second = sampling.generate_images(conditional, seeds, [1] * 4)
    same = [np.array_equal(a, b) for a, b in zip(own, second, strict=True)]
    assert same == [False, True, False, True]


def test_classes_without_pictures_are_drawn_by_their_number_alone(conditional):
    config = TrainConfig(
        labels=True, num_classes=3, empty_classes="0", precision="float32"
    )
    face = sampling.KerasGenerator(conditional, origin=(config, 1000))
    assert face.labels_of(range(5)).tolist() == [1, 2, 1, 2, 1]
    assert face.labels_of(range(2), 0).tolist() == [0, 0]
    assert config.drawn_classes() == [1, 2]


def test_labels_of_seeds(generator, conditional):
    plain, face = map(sampling.as_generator, (generator, conditional))
    labels = face.labels_of([0, 4, 2**32 - 1])
    np.testing.assert_array_equal(labels, [0, 1, 0])
    assert labels.dtype == np.int64
    chosen = face.labels_of([0, 4], 2)
    np.testing.assert_array_equal(chosen, [2, 2])
    assert plain.labels_of([0, 4]) is None
    with pytest.raises(UserError, match="expected no class"):
        plain.labels_of([0, 4], 2)
    with pytest.raises(UserError, match="from 0 to 2; received 3"):
        face.labels_of([0], 3)


@pytest.mark.parametrize(
    "labels, words",
    [
        ([0, 3], "from 0 to 2; received 3"),
        ([-1, 0], "received -1"),
        ([0], "expected 2 labels"),
    ],
)
def test_wrong_labels(conditional, labels, words):
    # At once, not when the first image is asked for.
    with pytest.raises(UserError, match=words):
        sampling.as_generator(conditional).stream([0, 1], labels)


def test_labels_where_they_do_not_belong(generator, conditional):
    with pytest.raises(UserError, match="the generator has none"):
        sampling.as_generator(generator).stream([0], [0])
    with pytest.raises(UserError, match="has 3 classes"):
        latents = seeded_latents([0], 16)
        sampling.as_generator(conditional).images_of(latents)


# ---- interpolation ----


@pytest.fixture
def ends():
    return seeded_latents([0, 1], 512)


def test_interpolation_meets_its_ends(ends):
    start, end = ends
    for fraction, expected in ((0, start), (1, end)):
        z = interpolate(start, end, fraction)
        assert z.dtype == np.float32
        np.testing.assert_allclose(z, expected, atol=1e-6)


def test_lengths_change_linearly(ends):
    start, end = ends[0], 3 * ends[1]
    lengths = [np.linalg.norm(z) for z in (start, end)]
    middle = interpolate(start, end, 0.5)
    np.testing.assert_allclose(np.linalg.norm(middle), np.mean(lengths), 1e-5)
    # A straight line would pass much nearer to the middle of the sphere.
    assert np.linalg.norm((start + end) / 2) < 0.9 * np.mean(lengths)


def test_directions_turn_evenly_along_the_great_circle(ends):
    fractions = np.linspace(0, 1, 6)
    path = interpolate(*ends, fractions)
    assert path.shape == (6, 512)
    units = path / np.linalg.norm(path, axis=1, keepdims=True)
    angles = np.arccos(np.sum(units[1:] * units[:-1], axis=1))
    np.testing.assert_allclose(angles, angles.sum() / 5, rtol=1e-3)
    # All of them lie in the plane of the two ends.
    plane, _ = np.linalg.qr(ends.T)
    np.testing.assert_allclose(units @ plane @ plane.T, units, atol=1e-6)


def test_a_quarter_turn_in_numbers():
    z = interpolate([2.0, 0.0], [0.0, 4.0], [0.0, 1 / 3, 1.0])
    third = 8 / 3 * np.array([np.cos(np.pi / 6), np.sin(np.pi / 6)])
    np.testing.assert_allclose(z, [[2, 0], third, [0, 4]], atol=1e-6)


def test_interpolation_between_equals(ends):
    z = interpolate(ends[0], ends[0], 0.3)
    np.testing.assert_allclose(z, ends[0], atol=1e-6)
