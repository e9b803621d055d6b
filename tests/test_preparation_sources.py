"""Sources that can be prepared, and errors for others."""

import functools
import pathlib

import numpy as np
import pytest
from pictures import random_pixels
from PIL import Image
from tiny import make_folder

from progan_tf import preparation
from progan_tf.data import open_source
from progan_tf.data.tfrecords import TFRecords
from progan_tf.errors import UserError
from progan_tf.preparation import check_place

open_pictures = functools.partial(open_source, preparing=True)

PICTURES = pathlib.Path(__file__).parent / "goldens" / "official_tfrecords_png"


@pytest.mark.parametrize(
    ("source", "keywords", "message"),
    [
        ("nowhere", {}, "'nowhere' does not exist"),
        (__file__, {}, "test_preparation_sources.py' is not a folder"),
        ("nowhere.npz", {}, "cannot read nowhere.npz"),
        ("celeba:nowhere", {}, "expected a folder of pictures, got nowhere"),
        (f"celeba:{PICTURES}", {}, "178x218 .* got 32x32"),
        ("lsun:nowhere", {}, "there is nothing at nowhere"),
        (str(PICTURES), {"labels": True}, "two or more sub-folders"),
        (str(PICTURES), {"labels_file": "nowhere"}, "cannot read nowhere"),
        ("cats", {"labels_file": "x.txt"}, "--labels_file with a folder"),
        ("cats", {"channels": 2}, "got 2"),
    ],
)
def test_wrong_sources(source, keywords, message):
    with pytest.raises(UserError, match=message):
        open_pictures(source, **keywords)


@pytest.mark.parametrize(
    ("resolution", "message"),
    [(64, "beyond the data"), (12, "power of two"), (2, "at least 4")],
)
def test_wrong_resolutions(tmp_path, resolution, message):
    source = open_pictures(str(PICTURES))
    with pytest.raises(UserError, match=message):
        preparation.prepare(source, np.arange(24), tmp_path / "x", resolution)
    assert list(tmp_path.iterdir()) == []


def test_labels_of_another_length(tmp_path):
    (tmp_path / "labels.txt").write_text("0\n1\n")
    with pytest.raises(UserError, match="the 24 pictures, got 2"):
        open_pictures(str(PICTURES), labels_file=tmp_path / "labels.txt")


def test_mnist_from_arrays(tmp_path):
    digits = random_pixels(20, 28, 28)
    np.savez(tmp_path / "mnist.npz", x_train=digits, y_train=np.arange(20) % 10)
    source = open_pictures(str(tmp_path / "mnist.npz"), 1, True)
    order = preparation.choose(source, seed=123)
    preparation.prepare(source, order, tmp_path / "set", 32, labels=True)
    prepared = TFRecords(tmp_path / "set", 1, labels=True)
    images = prepared.images(np.arange(20), 32)[..., 0]
    np.testing.assert_array_equal(
        images, np.pad(digits[order], ((0, 0), (2, 2), (2, 2)))
    )
    np.testing.assert_array_equal(prepared.labels(np.arange(20)), order % 10)
    # The official size of a grey record of 32x32.
    size = (tmp_path / "set" / "set-r05.tfrecords").stat().st_size
    assert size == 20 * (1024 + 3127 - 3072)


def test_celeba(tmp_path):
    folder = tmp_path / "faces"
    folder.mkdir()
    for number, pixels in enumerate(random_pixels(16, 218, 178, 3)):
        Image.fromarray(pixels).save(folder / f"{number:06d}.png")
    source = open_pictures(f"celeba:{folder}")
    preparation.prepare(source, np.arange(16), tmp_path / "set", 128)
    image = TFRecords(tmp_path / "set").images(np.array([3]), 128)[0]
    whole = random_pixels(16, 218, 178, 3)[3]
    np.testing.assert_array_equal(image, whole[57:185, 25:153])


@pytest.mark.parametrize("name", ["celeba", "lsun", "tfds"])
def test_a_folder_may_have_the_name_of_a_kind(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"'{name}' does not exist"):
        open_pictures(name)
    make_folder(tmp_path / name)
    assert len(open_pictures(name)) == 20


@pytest.mark.parametrize("kind", ["celeba", "lsun"])
def test_a_kind_without_a_folder(kind, tmp_path):
    check_place(tmp_path / "out", False, f"{kind}:")
    with pytest.raises(UserError, match=f"expected --source={kind}:FOLDER"):
        open_pictures(f"{kind}:")


def test_pictures_that_stand_in_for_others_are_told(tmp_path, caplog):
    # Broken behind the header: found when it is decoded.
    folder = make_folder(tmp_path / "in", count=120)
    for name in ("even/004.png", "odd/007.png"):
        path = folder / name
        path.write_bytes(path.read_bytes()[:60])
    folder = str(folder)
    source = open_pictures(folder)
    order = preparation.choose(source, most=4)
    preparation.prepare(source, order, tmp_path / "few", 8)
    assert "in the set twice" not in caplog.text
    order = preparation.choose(source, most=8)
    # Two of 120 are over the one in a hundred that a folder may have.
    with pytest.raises(UserError, match="cannot be read"):
        preparation.prepare(source, order, tmp_path / "out", 8)
    (tmp_path / "in/odd/007.png").unlink()
    source = open_pictures(folder)
    order = preparation.choose(source)
    preparation.prepare(source, order, tmp_path / "set", 8)
    assert "1 pictures could not be decoded; each was replaced" in caplog.text
    assert len(TFRecords(tmp_path / "set")) == 119
