"""Prepared sets are what the official tool writes, whole or not at all."""

import functools
import pathlib
import resource
import shutil
import threading
import time
from typing import NamedTuple

import numpy as np
import pytest
from pictures import random_pixels, write_pictures

from progan_tf import preparation
from progan_tf.data import (
    Cats,
    Compact,
    Folder,
    Loader,
    Source,
    Steps,
    TFRecords,
    open_source,
)
from progan_tf.errors import UserError
from progan_tf.preparation import inspection

open_pictures = functools.partial(open_source, preparing=True)

GOLDENS = pathlib.Path(__file__).parent / "goldens"
RECORDS = GOLDENS / "official_tfrecords"
PICTURES = GOLDENS / "official_tfrecords_png"
FORMS = ["tfrecords", "compact"]


def classes_by_text(folder):
    path = folder / "labels.txt"
    path.write_text("".join(f"{i % 3}\n" for i in range(24)))
    return {"data": str(PICTURES), "labels_file": path}


def classes_by_array(folder):
    path = folder / "labels.npy"
    np.save(path, np.eye(3, dtype=np.float32)[np.arange(24) % 3])
    return {"data": str(PICTURES), "labels_file": path}


def classes_by_folder(folder):
    for number, path in enumerate(sorted(PICTURES.iterdir())):
        place = folder / "pictures" / f"class {number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    return {"data": str(folder / "pictures"), "labels": True}


@pytest.mark.parametrize(
    "classes", [classes_by_text, classes_by_array, classes_by_folder]
)
def test_records_are_those_of_the_official_tool(tmp_path, classes):
    source = open_pictures(**classes(tmp_path))
    order = preparation.choose(source, seed=123)
    out = tmp_path / "official_tfrecords"
    preparation.prepare(source, order, out, 32, labels=True)
    official = sorted(RECORDS.iterdir())
    assert sorted(p.name for p in out.iterdir()) == [p.name for p in official]
    for path in official:
        assert (out / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize("form", FORMS)
def test_pictures_come_back_to_the_bit_and_in_order(tmp_path, form):
    folder = write_pictures(tmp_path / "pictures", 100, 16)
    source = open_pictures(str(folder))
    order = preparation.choose(source, most=90, seed=5)
    preparation.prepare(source, order, tmp_path / "set", 16, form, "name")
    prepared = inspection.open_prepared(tmp_path / "set")
    assert (len(prepared), prepared.num_classes) == (90, 0)
    shuffled = np.arange(100)
    np.random.RandomState(5).shuffle(shuffled)
    expected = random_pixels(100, 16, 16, 3)[shuffled[:90]]
    images = prepared.images(np.arange(90), 16)
    np.testing.assert_array_equal(images, expected)
    if form == "tfrecords":
        assert (tmp_path / "set" / "name-r04.tfrecords").exists()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_pictures(tmp_path, form, channels):
    folder = write_pictures(tmp_path / "grey", 16, 8, channels=1)
    pixels = random_pixels(16, 8, 8)[..., np.newaxis]
    expected = pixels.repeat(channels, axis=-1)
    source = open_pictures(str(folder), channels)
    order = preparation.choose(source)
    preparation.prepare(source, order, tmp_path / "set", 8, form)
    prepared = inspection.open_prepared(tmp_path / "set")
    for grey in (source, prepared):
        assert grey.channels == channels
        np.testing.assert_array_equal(grey.images(order, 8), expected)
        with Loader(grey, seed=1) as loader:
            chunk = loader.chunk(Steps(0, 2, 8, 8))
        assert chunk.images.shape == (2, 8, 8, 8, channels)
    # By default a folder is read in colour.
    assert Folder(folder).images(order, 8).shape == (16, 8, 8, 3)


def test_every_cat_keeps_its_class(tmp_path):
    source = Cats()
    order = preparation.choose(source, most=40, seed=123)
    preparation.prepare(source, order, tmp_path / "a", 4, "compact", None, True)
    preparation.prepare(source, order, tmp_path / "b", 4, labels=True)
    for prepared in (
        Compact(tmp_path / "a", labels=True),
        TFRecords(tmp_path / "b", labels=True),
    ):
        labels = prepared.labels(np.arange(40))
        np.testing.assert_array_equal(labels, order % 15)
        assert prepared.num_classes == 15
    assert Compact(tmp_path / "a", labels=True).class_names[3] == "body3"


def test_a_prepared_set_is_a_source(tmp_path):
    source = open_pictures(str(RECORDS), labels=True)
    order = preparation.choose(source)
    preparation.prepare(source, order, tmp_path / "x", 16, "compact", labels=1)
    compact = Compact(tmp_path / "x", labels=True)
    np.testing.assert_array_equal(
        compact.images(order, 16), source.images(order, 16)
    )
    np.testing.assert_array_equal(compact.labels(order), source.labels(order))


class Uneven(Source):
    """Pictures whose pixels are their index; every third one is slow."""

    def __init__(self):
        super().__init__("uneven", 4, "this is a test", 1)
        self.threads = set()

    def __len__(self):
        return 2000

    def images(self, indices, resolution):
        self.threads.add(threading.get_ident())
        if indices[0] // 64 % 3 == 0:
            time.sleep(0.02)
        shape = (len(indices), 4, 4, 1)
        return np.broadcast_to(
            indices[:, None, None, None] % 251, shape
        ).astype(np.uint8)

    def labels(self, indices):
        raise AssertionError("nobody asked for labels")


def test_order_is_kept_by_several_threads(tmp_path, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    source = Uneven()
    order = preparation.choose(source, seed=1)
    preparation.prepare(source, order, tmp_path / "set", 4)
    assert len(source.threads) == 4
    prepared = TFRecords(tmp_path / "set", channels=1)
    images = prepared.images(np.arange(2000), 4)
    np.testing.assert_array_equal(images[:, 0, 0, 0], order % 251)


# Nothing half-written.


class Failing(Uneven):
    """Its picture number 1500 cannot be had."""

    def images(self, indices, resolution):
        if 1500 in indices:
            raise UserError("picture 1500 is lost")
        return super().images(indices, resolution)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_failure_leaves_nothing(tmp_path):
    source = Failing()
    order = preparation.choose(source)
    with pytest.raises(UserError, match="1500 is lost"):
        preparation.prepare(source, order, tmp_path / "set", 4)
    assert names(tmp_path) == []


class Unlabelled(Uneven):
    """Its picture number 100 has no class."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def images(self, indices, resolution):
        self.shown.extend(indices)
        return super().images(indices, resolution)

    def labels(self, indices):
        if 100 in indices:
            raise UserError("picture 100 has no class")
        return indices % 3


def test_a_label_is_read_with_its_picture(tmp_path, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    source, order = Unlabelled(), np.arange(2000)
    with pytest.raises(UserError, match="100 has no class"):
        preparation.prepare(source, order, tmp_path / "set", 4, labels=True)
    assert len(source.shown) < 1000  # Not after hours of writing.
    assert names(tmp_path) == []


def test_a_set_is_replaced_only_by_a_whole_one(tmp_path):
    source, out = Uneven(), tmp_path / "set"
    order = preparation.choose(source)
    preparation.prepare(source, order[:10], out, 4)
    old = contents(out)
    with pytest.raises(UserError, match="--overwrite"):
        preparation.prepare(source, order, out, 4)
    with pytest.raises(UserError, match="1500 is lost"):
        preparation.prepare(Failing(), order, out, 4, overwrite=True)
    assert contents(out) == old
    preparation.prepare(source, order[:20], out, 4, overwrite=True)
    assert len(inspection.open_prepared(out)) == 20
    assert names(tmp_path) == ["set"]


def test_a_replacement_that_was_cut_off_is_undone(tmp_path):
    source, out = Uneven(), tmp_path / "set"
    order = preparation.choose(source)
    preparation.prepare(source, order[:10], out, 4)
    old = contents(out)
    # As a kill between the two renames leaves it.
    out.rename(tmp_path / ".set.replaced")
    with pytest.raises(UserError, match="--overwrite"):
        preparation.prepare(source, order, out, 4)
    assert contents(out) == old
    preparation.prepare(source, order[:5], out, 4, overwrite=True)
    assert len(inspection.open_prepared(out)) == 5
    assert names(tmp_path) == ["set"]


def test_what_is_no_data_set_is_never_replaced(tmp_path):
    source, order = Uneven(), np.arange(5)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "dear.png").touch()
    (tmp_path / "file").touch()
    for name in ("photos", "file"):
        with pytest.raises(UserError, match="not replaced"):
            preparation.prepare(
                source, order, tmp_path / name, 4, overwrite=True
            )
    assert names(tmp_path / "photos") == ["dear.png"]
    preparation.prepare(source, order, tmp_path / "set", 4)
    (tmp_path / "set" / "notes.txt").touch()
    with pytest.raises(UserError, match="or holds other files"):
        preparation.prepare(source, order, tmp_path / "set", 4, overwrite=True)
    # An empty folder is nobody's loss.
    (tmp_path / "empty").mkdir()
    preparation.prepare(source, order, tmp_path / "empty", 4)
    assert len(inspection.open_prepared(tmp_path / "empty")) == 5


@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_leaves_nothing(tmp_path, form):
    order = np.arange(2000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A file that may not grow fails as one on a full disk does.
    resource.setrlimit(resource.RLIMIT_FSIZE, (20000, hard))
    try:
        with pytest.raises(UserError, match="cannot write .*set"):
            preparation.prepare(Uneven(), order, tmp_path / "set", 4, form)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == []


class Disk(NamedTuple):
    free: int


def test_a_disk_that_is_too_small_is_known_at_once(tmp_path, monkeypatch):
    source, order = Uneven(), np.arange(1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(15999))
    out = tmp_path / "sets" / "set"
    with pytest.raises(UserError, match="1,000 pictures .* lower"):
        preparation.prepare(source, order, out, 4)
    assert names(tmp_path) == []
    preparation.prepare(source, order, out, 4, "compact")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(16000))
    preparation.prepare(source, order, out, 4, overwrite=True)
