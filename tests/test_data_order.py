"""The order of training is a pure function of seed and images seen."""

import numpy as np
import pytest

from progan_tf.data.order import ShuffledOrder, mirror_flags, random_indices


def test_every_epoch_shows_every_picture_once():
    order = ShuffledOrder(num_images=100, seed=1)
    for epoch in range(5):
        indices = order.indices(100 * epoch, 100)
        assert sorted(indices) == list(range(100))
        assert indices.dtype == np.int64


def test_epochs_and_seeds_differ():
    first = ShuffledOrder(100, seed=1).indices(0, 200)
    other = ShuffledOrder(100, seed=2).indices(0, 200)
    assert (first[:100] != first[100:]).any()
    assert (first != other).any()


def test_the_order_is_the_documented_one():
    # Promised to runs that resume: it may not change between versions.
    sequence = np.random.SeedSequence([7, 3])
    expected = np.random.Generator(np.random.PCG64(sequence)).permutation(50)
    indices = ShuffledOrder(50, seed=7).indices(3 * 50, 50)
    np.testing.assert_array_equal(indices, expected)


def test_batches_across_epochs_equal_one_long_read():
    whole = ShuffledOrder(10, seed=1).indices(0, 95)
    order = ShuffledOrder(10, seed=1)
    batches = [order.indices(start, 19) for start in range(0, 95, 19)]
    np.testing.assert_array_equal(np.concatenate(batches), whole)
    # Going back, as after a resume, gives the same once more.
    np.testing.assert_array_equal(order.indices(3, 40), whole[3:43])


def test_an_order_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least 1 picture, got 0"):
        ShuffledOrder(0, seed=1)
    assert len(ShuffledOrder(3, seed=1).indices(5, 0)) == 0


def _mirror(start, count, seed=1):
    return mirror_flags(seed, start, count)


def _random(start, count, seed=1):
    return random_indices(seed, start, count, num_images=1000)


@pytest.mark.parametrize("draw", [_mirror, _random])
def test_draws_do_not_depend_on_the_batches(draw):
    whole = draw(0, 10_000)
    assert len(whole) == 10_000
    # 4096 is where one internal block ends and the next begins.
    for start, count in [(0, 1), (4095, 2), (4096, 1), (3000, 6000), (7, 0)]:
        part = draw(start, count)
        np.testing.assert_array_equal(part, whole[start : start + count])
        assert part.dtype == whole.dtype


@pytest.mark.parametrize("draw", [_mirror, _random])
def test_draws_depend_on_the_seed_and_do_not_repeat(draw):
    assert (draw(0, 100) != draw(0, 100, seed=2)).any()
    assert (draw(0, 4096) != draw(4096, 4096)).any()


def test_the_draws_are_the_documented_ones():
    # Promised to runs that resume, like the order; each use has a word of its
    # own, beyond every epoch.
    def generator(word, block):
        sequence = np.random.SeedSequence([7, word, block])
        return np.random.Generator(np.random.PCG64(sequence))

    flags = np.concatenate(
        [generator(0x80000001, block).random(4096) < 0.5 for block in (0, 1)]
    )
    np.testing.assert_array_equal(_mirror(0, 8192, seed=7), flags)
    drawn = generator(0x80000002, 1).integers(1000, size=4096)
    np.testing.assert_array_equal(_random(4096, 4096, seed=7), drawn)


def test_half_of_the_pictures_are_mirrored():
    flags = _mirror(0, 40_000)
    assert flags.dtype == bool
    # Four standard deviations of a fair coin, 0.5 / sqrt(40,000), are 0.01.
    assert abs(flags.mean() - 0.5) < 0.01


def test_random_indices_are_even_over_the_pictures():
    indices = random_indices(seed=1, start=0, count=40_000, num_images=4)
    assert indices.dtype == np.int64
    counts = np.bincount(indices, minlength=4)
    assert len(counts) == 4
    # Five standard deviations, sqrt(40,000 * 3 / 16), are 433.
    assert abs(counts - 10_000).max() < 433
