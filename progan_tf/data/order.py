"""The order of the data, as pure functions of the images seen.

Nothing here has a state to save: the run's seed and the number of images
seen determine which picture is next, whether it is mirrored and which label
the generator is given. They are the same in a resumed run, and with other batch
sizes.
"""

import functools
from collections.abc import Callable

import numpy as np

# Numbers are drawn in blocks of this many, each from its own generator: any
# one number costs one block, whatever came before it.
_BLOCK = 4096
# A word in the seed separates the uses of randomness. NumPy pads seeds
# with zeros, so [seed, epoch] equals [seed, epoch, 0]: these must lie beyond
# every epoch that a run can reach.
_MIRROR = 0x80000001
_LABELS = 0x80000002
_HELD_OUT = 0x80000003


def _generator(*words: int) -> np.random.Generator:
    """Returns a generator that depends only on the words given.

    PCG64 is named, not left to `default_rng`, whose choice may change
    between versions of NumPy.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


class ShuffledOrder:
    """Pictures in shuffled epochs: each epoch shows every picture once.

    Picture number n of a run is picture `permutation(seed, n // N)[n % N]`
    of the source, with N pictures and n counted from 0; the run's seed is not
    negative. Raises ValueError if there are no pictures.
    """

    def __init__(self, num_images: int, seed: int):
        if num_images < 1:
            raise ValueError(f"expected at least 1 picture, got {num_images}")
        self._num_images = num_images
        self._seed = seed
        # Two, because a batch may span two epochs.
        self._permutation = functools.lru_cache(2)(self._drawn)

    def indices(self, start: int, count: int) -> np.ndarray:
        """Returns pictures number `start` to `start + count - 1`.

        They are int64 [count] in [0, num_images), and may span several epochs;
        `start` is the number of images seen before the first one.
        """
        indices = np.empty(count, np.int64)
        filled = 0
        while filled < count:
            epoch, first = divmod(start + filled, self._num_images)
            some = self._permutation(epoch)[first : first + count - filled]
            indices[filled : filled + len(some)] = some
            filled += len(some)
        return indices

    def _drawn(self, epoch: int) -> np.ndarray:
        """Returns the order of one epoch: every index once."""
        order = _generator(self._seed, epoch).permutation(self._num_images)
        if self._num_images <= np.iinfo(np.int32).max:
            order = order.astype(np.int32)
        return order


def mirror_flags(seed: int, start: int, count: int) -> np.ndarray:
    """Returns bool [count]: whether pictures number `start` on are mirrored.

    Each with probability 1/2; flag n depends only on the run's seed, which is
    not negative, and on n.
    """
    return _drawn_in_blocks(
        lambda generator: generator.random(_BLOCK) < 0.5,
        (seed, _MIRROR),
        start,
        count,
    )


def random_indices(
    seed: int, start: int, count: int, num_images: int
) -> np.ndarray:
    """Draws int64 [count] uniformly in [0, num_images), with replacement.

    The generator is given the labels of these pictures: they are as frequent as
    in the data, yet independent of the reals in the same minibatch. Number n
    depends only on the seed, on n and on `num_images`.
    """
    return _drawn_in_blocks(
        lambda generator: generator.integers(num_images, size=_BLOCK),
        (seed, _LABELS),
        start,
        count,
    )


def held_out(
    seed: int, num_images: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Splits the pictures into a training set and `count` held-out ones.

    Returns the sorted indices of both, int64, a function of the arguments.
    """
    order = _generator(seed, _HELD_OUT).permutation(num_images)
    return np.sort(order[count:]), np.sort(order[:count])


def _drawn_in_blocks(
    draw: Callable[[np.random.Generator], np.ndarray],
    words: tuple[int, int],
    start: int,
    count: int,
) -> np.ndarray:
    """Returns numbers `start` to `start + count - 1` of an endless series.

    `draw` makes a block [_BLOCK] of it from a generator. Its seed consists of
    `words`, the run's seed and the use, and of the number of the block.
    """
    first, skipped = divmod(start, _BLOCK)
    # At least one block, so that an empty answer has the right dtype.
    last = max(first, (start + count - 1) // _BLOCK)
    blocks = [draw(_generator(*words, n)) for n in range(first, last + 1)]
    return np.concatenate(blocks)[skipped : skipped + count]
