"""Patches projected on random directions, and sorted.

That is what the sliced Wasserstein distance compares: patches are points of
147 dimensions, and on a line their order tells all.
"""

import numpy as np

from progan_tf.threads import in_threads

PATCH = 7  # Pixels along an edge of a patch.
_NUMBERS = 3 * PATCH**2  # A patch has these.
# The official code's: four times 128.
_DIRECTIONS = 512
# The sorted projections on a direction are kept as means over so many runs of
# equal length. Differences that change sign within a run are lost. That is
# 0.3 % of the distance between two sets of 65,536 patches of the same kind, a
# tenth of what another seed changes, and less than 0.1 % between different
# kinds.
_RUNS = 4096
# Patches that are projected together, and directions that are sorted together:
# with 16,384 pictures of 128 patches those take one gigabyte.
_CHUNK = 2**15
_SORTED_TOGETHER = 128
# In a range of 255, a smaller deviation of a colour is nothing but rounding:
# the pictures are of one colour.
_LEAST_DEVIATION = 1e-3


def run_edges(count):
    """Where runs of `count` sorted numbers begin and, at last, end.

    int64 `[runs + 1]`, from 0 to count; there are 4096 runs or count.
    """
    runs = min(count, _RUNS)
    return np.arange(runs + 1) * count // runs


def sorted_projections(file, count, random):
    """Projections of all patches of a level, sorted, as means over runs.

    The binary file holds float16 `[count, 3, 7, 7]`; `random` is a generator,
    of the directions. Returns float32 `[512, 4096 or count]`, for each
    direction rising.
    """
    directions = random.standard_normal((_DIRECTIONS, _NUMBERS))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    # Each colour is normalized by its mean and deviation over all patches. As
    # that is linear it is done to the directions, of which there are fewer.
    averages, deviations = _moments(file, count)
    directions = (directions / deviations).astype("float32")  # [D, numbers]
    offsets = directions @ averages.astype("float32")  # [D]
    edges = run_edges(count)
    quantiles = np.empty((_DIRECTIONS, len(edges) - 1), "float32")

    def sort(rows):
        numbers = projected[rows]
        numbers.sort(axis=1)
        sums = np.add.reduceat(numbers, edges[:-1], axis=1, dtype="float64")
        return sums / np.diff(edges)

    projected = np.empty((_SORTED_TOGETHER, count), "float32")
    shares = [slice(i, i + 8) for i in range(0, _SORTED_TOGETHER, 8)]
    for start in range(0, _DIRECTIONS, _SORTED_TOGETHER):
        some = slice(start, start + _SORTED_TOGETHER)
        for place, patches in _chunks(file, count):
            # A row of the result is a direction, so that it is sorted in one
            # piece of memory.
            projected[:, place] = directions[some] @ patches.T
        means = np.concatenate([*in_threads(sort, shares)])
        quantiles[some] = means - offsets[some, np.newaxis]
    return quantiles


def _moments(file, count):
    """Means and deviations of the colours, float64 `[2, 147]`."""
    sums = np.zeros((2, 3))
    for _, patches in _chunks(file, count):
        colours = patches.reshape(len(patches), 3, -1).astype("float64")
        sums += np.sum(colours, (0, 2)), np.sum(colours**2, (0, 2))
    means, squares = sums / (count * PATCH**2)
    deviations = np.sqrt(np.maximum(squares - means**2, 0))
    deviations[deviations < _LEAST_DEVIATION] = 1
    return np.repeat([means, deviations], PATCH**2, axis=1)


def _chunks(file, count):
    """Iterator of (slice, patches float32 `[2**15 or fewer, 147]`).

    How they are cut depends on nothing but their number.
    """
    file.seek(0)
    for start in range(0, count, _CHUNK):
        place = slice(start, min(start + _CHUNK, count))
        numbers = (place.stop - start) * _NUMBERS
        patches = np.frombuffer(file.read(2 * numbers), "float16")
        yield place, patches.reshape(-1, _NUMBERS).astype("float32")
