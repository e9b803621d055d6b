"""Walks through latents, and the frames of their pictures."""

import itertools
import types

import numpy as np
import pytest
from generators import make_generator

from progan_tf import sampling
from progan_tf.errors import UserError
from progan_tf.generation import walks
from progan_tf.latents import seeded_latents


def angles_between(first, second):
    """Angles in radians `[...]` between vectors `[..., numbers]`."""
    cosines = np.sum(first * second, -1) / (
        np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    )
    return np.arccos(np.clip(cosines, -1, 1))


def test_a_leg_is_an_even_turn_from_seed_to_seed():
    walk = walks.walk_through([4, 9], 5, latent_size=64, loop=False)
    assert (walk.shape, walk.dtype) == ((6, 64), "float32")
    ends = seeded_latents([4, 9], 64)
    np.testing.assert_array_equal(walk[[0, -1]], ends)
    steps = angles_between(walk[1:], walk[:-1])
    turn = angles_between(ends[0], ends[1])
    assert turn > 1
    np.testing.assert_allclose(steps, turn / 5, rtol=1e-4)
    lengths = np.linalg.norm(walk, axis=-1)
    between = np.linspace(lengths[0], lengths[-1], 6)
    np.testing.assert_allclose(lengths, between, rtol=1e-5)


def test_a_loop_passes_all_seeds_and_closes():
    walk = walks.walk_through([4, 9, 2], 3, latent_size=64)
    assert walk.shape == (9, 64)
    own = seeded_latents([4, 9, 2], 64)
    np.testing.assert_array_equal(walk[::3], own)
    steps = angles_between(np.roll(walk, -1, axis=0), walk)
    np.testing.assert_allclose(steps[6:], steps[6], rtol=1e-4)
    # One seed twice is a rest there.
    rest = walks.walk_through([4, 4], 2, latent_size=64)
    np.testing.assert_allclose(rest, np.tile(own[0], (4, 1)), rtol=1e-6)


def test_mistakes_in_a_walk():
    with pytest.raises(UserError, match="two or more seeds .* received 1$"):
        walks.walk_through([4], 5)
    with pytest.raises(UserError, match="at most 500,000 .* 600,000"):
        walks.walk_through(range(100), 6000)
    with pytest.raises(UserError, match="at most 500,000 .* 600,000"):
        walks.smooth_walk(0, 60_000, 10, sigma=1)
    with pytest.raises(UserError, match="received 26 of 100 frames"):
        walks.smooth_walk(0, 100, 1, sigma=26)
    with pytest.raises(UserError, match="received -1 of 100 frames"):
        walks.smooth_walk(0, 100, 1, sigma=-1)


def test_a_smooth_walk_is_noise_filtered_around_the_clock():
    walk = walks.smooth_walk(7, 12, 2, latent_size=3, sigma=1.5)
    assert (walk.shape, walk.dtype) == ((12, 2, 3), "float32")
    noise = np.random.RandomState(7).standard_normal((12, 2, 3))
    expected = np.zeros_like(noise)
    # The definition: a sum over the neighbours in time, to 4 sigma.
    for frame, offset in itertools.product(range(12), range(-6, 7)):
        weight = np.exp(-(offset**2) / (2 * 1.5**2))
        expected[frame] += weight * noise[(frame + offset) % 12]
    expected /= np.sqrt(np.mean(expected**2))
    np.testing.assert_allclose(walk, expected, rtol=1e-4, atol=1e-5)
    still = walks.smooth_walk(7, 12, 2, latent_size=3, sigma=0)
    expected = noise / np.sqrt(np.mean(noise**2))
    np.testing.assert_allclose(still, expected, rtol=1e-4, atol=1e-5)


def test_a_smooth_walk_is_even_also_from_its_end_to_its_beginning():
    walk = walks.smooth_walk(0, 64, 4, latent_size=128, sigma=4.0)
    assert np.mean(walk**2) == pytest.approx(1, rel=1e-5)
    steps = np.roll(walk, -1, axis=0) - walk
    lengths = np.sqrt(np.mean(steps**2, axis=(1, 2)))
    # Noise filtered so is correlated by exp(-1 / (4 sigma^2)) a frame later.
    expected = np.sqrt(2 - 2 * np.exp(-1 / 64))
    np.testing.assert_allclose(lengths, expected, rtol=0.2)
    again = walks.smooth_walk(0, 64, 4, latent_size=128, sigma=4.0)
    np.testing.assert_array_equal(again, walk)
    other = walks.smooth_walk(1, 64, 4, latent_size=128, sigma=4.0)
    assert abs(np.mean(other * walk)) < 0.1


def test_frames_of_a_walk():
    def images_of(latents, labels):
        # A grey picture 2x2 of the latent's number and its label.
        values = np.array(latents)[:, 0] + 100 * np.array(labels)
        values = values.astype("uint8")
        return np.broadcast_to(
            values[:, None, None, None], (len(values), 2, 2, 1)
        )

    generator = types.SimpleNamespace(
        image_shape=(2, 2, 1), images_of=images_of
    )
    latents = np.arange(60, dtype="uint8").reshape(20, 3, 1)
    frames = walks.walk_frames(generator, latents, 2, [0, 1, 0], scale=3)
    frames = list(frames)
    assert [frame.shape for frame in frames] == [(12, 12, 1)] * 20
    # The 15th frame's latents are 42, 43 and 44; its last cell is empty.
    cells = frames[14].reshape(2, 6, 2, 6).transpose(0, 2, 1, 3).reshape(4, 36)
    assert cells.min(-1).tolist() == cells.max(-1).tolist() == [42, 143, 44, 0]


def test_frames_too_large_are_refused_before_any_is_made():
    # It makes no pictures: a frame of 99 x 99 large ones fills the memory.
    large = types.SimpleNamespace(image_shape=(1024, 1024, 3))
    latents = np.zeros((1, 17, 4), "float32")
    with pytest.raises(UserError, match="at most 8192 pixels .* 9216x2048"):
        walks.walk_frames(large, latents, columns=9)


def test_classes_go_from_seed_to_seed():
    plain, three = (
        sampling.as_generator(make_generator(8, num_classes=classes))
        for classes in (0, 3)
    )
    assert walks.classes_through(plain, [4, 5], 2) is None
    assert walks.classes_through(three, [4, 5], 2, chosen=2) == [2]
    way = walks.classes_through(three, [4, 5, 3], 2)  # Classes 1, 2 and 0.
    expected = [[0, 1, 0], [0, 0.5, 0.5], [0, 0, 1], [0.5, 0, 0.5]]
    expected += [[1, 0, 0], [0.5, 0.5, 0]]
    np.testing.assert_array_equal(way[:, 0], expected)
    way = walks.classes_through(three, [4, 5, 3], 2, loop=False)
    np.testing.assert_array_equal(way[:, 0], expected[:5])


def test_a_walk_through_classes_passes_the_images_of_its_seeds():
    generator = sampling.as_generator(make_generator(8, num_classes=3))
    seeds = [4, 5, 3]
    walk = walks.walk_through(seeds, 2, 12)[:, np.newaxis]
    labels = walks.classes_through(generator, seeds, 2)
    frames = list(walks.walk_frames(generator, walk, 1, labels))
    images = sampling.generate_images(generator, seeds)
    np.testing.assert_array_equal(np.stack(frames[::2]), images)
    # Between them the images are those of neither class.
    ends = [generator.images_of(walk[1], [label])[0] for label in (1, 2)]
    assert not any(np.array_equal(frames[1], end) for end in ends)
