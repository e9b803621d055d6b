"""Batches of pictures for the metrics: checks, groups, reading ahead."""

import itertools
import threading

import numpy as np
import pytest

from progan_tf.errors import UserError
from progan_tf.metrics.batches import (
    as_batches,
    check_count,
    check_images,
    check_same_space,
    checked_batches,
    prefetched,
    regrouped,
)


def pictures(n, resolution=16, channels=3):
    return np.zeros((n, resolution, resolution, channels), "uint8")


def test_groups_hold_the_same_rows():
    rows = np.arange(23).reshape(23, 1)
    for cuts in ([], [1], [2, 2, 9], [20], range(1, 23)):
        groups = [*regrouped(np.split(rows, cuts), 5)]
        assert [len(group) for group in groups] == [5, 5, 5, 5, 3]
        np.testing.assert_array_equal(np.concatenate(groups), rows)
    assert [*regrouped([], 5)] == []
    assert [len(group) for group in regrouped([rows[:10]], 5)] == [5, 5]


def test_an_array_and_its_batches_are_the_same():
    rows = np.arange(200)
    parts = [*as_batches(rows)]
    assert len(parts) > 1
    np.testing.assert_array_equal(np.concatenate(parts), rows)
    assert [*as_batches(iter([rows]))] == [rows]


def test_prefetched_keeps_order_and_makes_ahead():
    made, threads = [], set()

    def make():
        for i in range(5):
            threads.add(threading.current_thread())
            made.append(i)
            yield i

    ahead = prefetched(make(), depth=4)
    assert next(ahead) == 0
    # Without being asked for any more.
    for _ in range(1000):
        if len(made) == 5:
            break
        threading.Event().wait(0.01)
    assert made == [0, 1, 2, 3, 4]
    assert [*ahead] == [1, 2, 3, 4]
    assert threading.current_thread() not in threads


def test_an_error_comes_out_after_what_was_made_before_it():
    def make():
        yield 1
        raise UserError("no more")

    ahead = prefetched(make())
    assert next(ahead) == 1
    with pytest.raises(UserError, match="no more"):
        next(ahead)


def test_a_consumer_that_stops_ends_the_thread():
    before = threading.active_count()
    ahead = prefetched(itertools.count())
    assert next(ahead) == 0
    assert threading.active_count() == before + 1
    ahead.close()
    assert threading.active_count() == before


def test_wrong_pictures():
    check_images(pictures(2), 16)
    check_images(pictures(2, channels=1))
    floats = pictures(2).astype("float32")
    broken = floats.copy()
    broken[0, 0, 0, 0] = np.nan
    for images, words in (
        (floats, r"uint8 .* received float32 \[2, 16, 16, 3\]"),
        (broken, "floats with NaN"),
        (pictures(2)[0], r"received uint8 \[16, 16, 3\]"),
        (pictures(2)[:, :8], r"square .* \[2, 8, 16, 3\]"),
        (pictures(2, channels=4), r"grey or RGB.* \[2, 16, 16, 4\]"),
        (pictures(2, 8), "of 16x16, as the others; received 8x8"),
        (np.array("x"), "uint8"),
        ([pictures(2)], "as an array; received list"),
    ):
        with pytest.raises(UserError, match=words):
            check_images(images, 16)


def test_batches_must_have_one_shape():
    good = [pictures(2), pictures(3)]
    assert [len(batch) for batch in checked_batches(good)] == [2, 3]
    with pytest.raises(UserError, match="16x16, as the others; received 8x8"):
        [*checked_batches([pictures(2), pictures(2, 8)])]
    with pytest.raises(UserError, match="3 colours, as the first; received 1"):
        [*checked_batches([pictures(2), pictures(2, channels=1)])]


def test_counts_and_spaces():
    check_count("FID", 2, 2)
    with pytest.raises(
        UserError, match="at least 2 pictures for the FID; .* 1"
    ):
        check_count("FID", 1, 2)
    rows = np.zeros((3, 4))
    check_same_space(rows, rows[:2])
    with pytest.raises(UserError, match=r"\[3, 4\] and \[3, 2\]"):
        check_same_space(rows, rows[:, :2])
