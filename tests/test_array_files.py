"""Images in one array file: its content, and interruptions."""

import os
import zipfile

import numpy as np
import pytest
from seeded import Source

from progan_tf.errors import UserError
from progan_tf.generation import array_files
from progan_tf.generation.array_files import save_array

SEEDS = [3, 1, 4, 15, 9, 2, 6]


@pytest.fixture(autouse=True)
def _note_every_image(monkeypatch):
    monkeypatch.setattr(array_files, "_SECONDS", 0.0)


def images_of(seeds, channels=3):
    return np.stack([Source(channels=channels).image(seed) for seed in seeds])


@pytest.mark.parametrize("channels", [1, 3])
def test_npy(tmp_path, channels):
    path = tmp_path / "x.npy"
    assert save_array(Source(channels=channels), SEEDS, path) == len(SEEDS)
    np.testing.assert_array_equal(np.load(path), images_of(SEEDS, channels))
    # As NumPy itself would have written it.
    np.save(tmp_path / "same.npy", images_of(SEEDS, channels))
    assert path.read_bytes() == (tmp_path / "same.npy").read_bytes()


@pytest.mark.parametrize("classes", [0, 3])
def test_npz(tmp_path, classes):
    path = tmp_path / "x.NPZ"
    save_array(Source(classes=classes), SEEDS, path)
    with np.load(path) as arrays:
        expected = {"images": images_of(SEEDS), "seeds": np.array(SEEDS)}
        if classes:
            expected["labels"] = np.array([0, 1, 1, 0, 0, 2, 0])
        assert list(arrays) == list(expected)
        for name, array in expected.items():
            np.testing.assert_array_equal(arrays[name], array)
        dtypes = [arrays[name].dtype.name for name in expected]
        assert dtypes == ["uint8", "int64", "int64"][: len(expected)]
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        # Equal arrays are equal files, on whatever day.
        dates = {entry.date_time for entry in archive.infolist()}
        assert dates == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("ending", ["npy", "npz"])
@pytest.mark.parametrize("stop_at", [3, 15, 6])
def test_an_interrupted_file_goes_on(tmp_path, ending, stop_at):
    whole, parts = tmp_path / f"whole.{ending}", tmp_path / f"parts.{ending}"
    save_array(Source(), SEEDS, whole)
    with pytest.raises(KeyboardInterrupt):
        save_array(Source(stop_at=stop_at), SEEDS, parts)
    assert not parts.exists()
    # What was written after the last note, cut off anywhere, does not count.
    with open(tmp_path / f".{parts.name}.partial", "ab") as file:
        file.write(b"half an image")
    source = Source()
    done = SEEDS.index(stop_at)
    assert save_array(source, SEEDS, parts) == len(SEEDS) - done
    assert source.made == SEEDS[done:]
    assert parts.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob(".*.partial"))


@pytest.mark.parametrize("late", [False, True])
def test_interrupted_while_it_is_completed(tmp_path, monkeypatch, late):
    whole, parts = (tmp_path / f"{name}.npz" for name in ("whole", "parts"))
    save_array(Source(), SEEDS, whole)
    replace = os.replace

    def stop_at_the_last(source, target):
        if target == parts:
            raise KeyboardInterrupt
        replace(source, target)

    def stop(*_):
        raise KeyboardInterrupt

    if late:
        monkeypatch.setattr(os, "replace", stop_at_the_last)
    else:
        monkeypatch.setattr(zipfile.ZipFile, "writestr", stop)
    with pytest.raises(KeyboardInterrupt):
        save_array(Source(), SEEDS, parts)
    monkeypatch.undo()
    source = Source()
    assert save_array(source, SEEDS, parts) == 0
    assert source.made == []
    assert parts.read_bytes() == whole.read_bytes()


def test_a_partial_file_that_was_removed(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        save_array(Source(stop_at=9), SEEDS, tmp_path / "x.npz")
    (tmp_path / ".x.npz.partial").unlink()
    assert save_array(Source(), SEEDS, tmp_path / "x.npz") == len(SEEDS)


def test_a_file_that_is_there(tmp_path):
    path = tmp_path / "x.npz"
    save_array(Source(), SEEDS, path)
    before = path.read_bytes()
    assert save_array(Source(stop_at=3), SEEDS, path) == 0
    for source, seeds, words in (
        (Source("two"), SEEDS, "differs in generator; .*--overwrite"),
        (Source(), SEEDS[1:], "differs in seeds; "),
        (Source("two"), SEEDS[1:], "differs in generator and seeds; "),
    ):
        with pytest.raises(UserError, match=words):
            save_array(source, seeds, path)
    assert path.read_bytes() == before
    # The old file is there until the new one is whole.
    with pytest.raises(KeyboardInterrupt):
        save_array(Source("two", stop_at=9), SEEDS, path, overwrite=True)
    assert path.read_bytes() == before
    for source in (Source(), Source("two")):
        with pytest.raises(UserError, match="--overwrite"):
            save_array(source, SEEDS, path)
    source = Source("two", classes=3)
    assert save_array(source, SEEDS, path, overwrite=True) == 3
    assert source.made == SEEDS[4:]
    with np.load(path) as arrays:
        assert "labels" in arrays
    assert save_array(source, SEEDS, path) == 0


def test_a_file_of_another_size_is_not_taken_for_the_whole_one(tmp_path):
    source, path = Source(), tmp_path / "x.npz"
    save_array(source, [1, 2], path)
    whole = path.read_bytes()
    path.write_bytes(whole + b"more")
    with pytest.raises(UserError, match="holds images"):
        save_array(source, [1, 2], path)
    save_array(source, [1, 2], path, overwrite=True)
    assert path.read_bytes() == whole
    assert save_array(source, [1, 2], path) == 0


def test_the_partial_file_of_another_request(tmp_path):
    path = tmp_path / "x.npy"
    with pytest.raises(KeyboardInterrupt):
        save_array(Source(stop_at=9), SEEDS, path)
    with pytest.raises(UserError, match="differs in generator; "):
        save_array(Source("two"), SEEDS, path)
    assert save_array(Source(), SEEDS, path) == 3


def test_a_file_of_an_unknown_request(tmp_path):
    path = tmp_path / "x.npy"
    path.write_text("mine")
    with pytest.raises(UserError, match="unknown request; .* --overwrite"):
        save_array(Source(), SEEDS, path)
    assert path.read_text() == "mine"
    save_array(Source(), SEEDS, path, overwrite=True)
    np.testing.assert_array_equal(np.load(path), images_of(SEEDS))


def test_two_at_once(tmp_path):
    path = tmp_path / "x.npz"
    save_array(Source(), SEEDS, tmp_path / "whole.npz")

    class Second(Source):
        def images(self, seeds):
            for number, image in enumerate(super().images(seeds)):
                if number == 2:
                    with pytest.raises(UserError, match="is writing .*x.npz"):
                        save_array(Source(), SEEDS, path)
                yield image

    assert save_array(Second(), SEEDS, path) == len(SEEDS)
    assert path.read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_one_image_is_held_at_a_time(tmp_path):
    source = Source()
    save_array(source, range(200), tmp_path / "x.npz")
    # The one that was written, and the next, which has just been made.
    assert source.most_held <= 2


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(UserError, match="cannot write .*x.npy"):
        save_array(Source(), SEEDS, tmp_path / "none" / "x.npy")


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_a_partial_file_that_begins_otherwise(tmp_path, ending):
    path, whole = tmp_path / f"x.{ending}", tmp_path / f"whole.{ending}"
    save_array(Source(), SEEDS, whole)
    with pytest.raises(KeyboardInterrupt):
        save_array(Source(stop_at=9), SEEDS, path)
    partial = tmp_path / f".{path.name}.partial"
    # As version 0.1.0 left it: the place of the header was still empty.
    partial.write_bytes(bytes(128) + partial.read_bytes()[128:])
    assert save_array(Source(), SEEDS, path) == len(SEEDS)
    assert path.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "[]", "5", '{"request": 5}', '{"done": -1}', "\0"]
    + ['{"done": 1e99, "request": []}'],
)
def test_a_damaged_manifest(tmp_path, text):
    (tmp_path / ".x.npz.generate.json").write_text(text)
    assert save_array(Source(), SEEDS, tmp_path / "x.npz") == len(SEEDS)
