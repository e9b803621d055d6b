"""Statistics of the data: computed once, and never used when they are stale."""

import logging
import os
import pathlib

import pytest
from comparing import (
    FAKES,
    SIZE,
    Projections,
    comparison,
    in_batches,
    no_bar,
    reals_in,
)
from pictures import write_pictures

from progan_tf.data import Cats
from progan_tf.data.disk import files_fingerprint
from progan_tf.evaluation import measures
from progan_tf.evaluation.comparison import Comparison
from progan_tf.evaluation.reals import Reals
from progan_tf.evaluation.statistics_cache import (
    StatisticsCache,
)


class Counting(Cats):
    """Cats that count how often they are drawn."""

    def __init__(self):
        super().__init__()
        self.drawn = 0

    def images(self, indices, resolution):
        self.drawn += len(indices)
        return super().images(indices, resolution)


@pytest.fixture
def folder(tmp_path):
    return write_pictures(tmp_path / "data", count=40, size=SIZE)


def test_statistics_are_computed_once(tmp_path):
    source = Counting()
    reals = Reals(source, "cats", SIZE)
    one = comparison(reals, tmp_path, count=64)
    assert source.drawn > 128
    source.drawn = 0
    other = comparison(reals, tmp_path, count=64)
    # No more than the few that show that the data are the same.
    assert source.drawn <= 16
    results = [c.results(in_batches(FAKES, 64), "") for c in (one, other)]
    assert results[0] == results[1]
    # Another number, resolution or mirroring is something else.
    for changed, count in (
        (reals, 32),
        (Reals(source, "cats", 32), 64),
        (Reals(source, "cats", SIZE, mirror=True), 64),
    ):
        source.drawn = 0
        comparison(changed, tmp_path, count=count)
        assert source.drawn > 2 * count


def test_features_are_computed_once_for_each_network(tmp_path):
    reals, features = Reals(Cats(), "cats", SIZE), Projections()
    for fingerprint, expected in (("one", 64), ("one", 0), ("two", 64)):
        features.seen = 0
        made = Comparison(
            measures.make_measures(["frechet"], features, fingerprint),
            reals,
            32,
            None,
            StatisticsCache(tmp_path),
            no_bar,
        )
        made.prepare()
        assert features.seen == expected


@pytest.mark.parametrize("change", ["pixels", "new", "gone"])
def test_statistics_of_changed_data_are_not_used(folder, tmp_path, change):
    cache = tmp_path / "cache"

    def distance():
        made = comparison(reals_in(folder), cache, ["swd"], 20)
        results = made.results(in_batches(FAKES[:20], 20), "")
        return results[0].values["swd_avg"]

    before = distance()
    assert distance() == before
    files = sorted(folder.iterdir())
    if change == "pixels":
        # All but the first few, by which the data are probed.
        for path, other in zip(files[20:30], files[10:20], strict=True):
            data = other.read_bytes()
            stamp = path.stat().st_mtime_ns + 1
            path.write_bytes(data)
            os.utime(path, ns=(stamp, stamp))
    elif change == "new":
        (folder / "041.png").write_bytes(files[0].read_bytes())
    else:
        files[-1].unlink()
    after = distance()
    assert after != before
    # And now those of the changed data are kept.
    stored = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert distance() == after
    assert stored == {path: path.stat().st_mtime_ns for path in cache.iterdir()}


def test_names_that_are_not_utf_8(tmp_path):
    before = files_fingerprint(tmp_path)
    pathlib.Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9")).touch()
    assert files_fingerprint(tmp_path) != before


def test_a_change_that_keeps_size_and_time_is_noticed(tmp_path):
    path = tmp_path / "picture"
    path.write_bytes(b"one")
    status, before = path.stat(), files_fingerprint(tmp_path)
    assert files_fingerprint(tmp_path) == before
    # Clocks of file systems tick a few hundred times a second.
    while path.stat().st_ctime_ns == status.st_ctime_ns:
        path.write_bytes(b"two")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_mtime_ns == status.st_mtime_ns
    assert files_fingerprint(tmp_path) != before


def test_damaged_statistics_are_not_used(tmp_path):
    reals = Reals(Cats(), "cats", SIZE)
    one = comparison(reals, tmp_path, count=32)
    for number, path in enumerate(sorted(tmp_path.iterdir())):
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] if number else b"")
    other = comparison(reals, tmp_path, count=32)
    results = [c.results(in_batches(FAKES[:32], 32), "") for c in (one, other)]
    assert results[0] == results[1]


def test_without_a_place_for_statistics(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    reals = Reals(Cats(), "cats", SIZE)
    with caplog.at_level(logging.WARNING):
        made = comparison(reals, tmp_path / "file", count=32)
    assert "statistics of the data are not cached: cannot write" in caplog.text
    assert len(made.results(in_batches(FAKES[:32], 32), "")) == 2
