"""The drawn cats, against Pillow's own composition of the same layers."""

import importlib.resources
import sys

import numpy as np
import pytest
from pictures import write_pictures
from PIL import Image

from progan_tf.data import Cats, Folder, open_source
from progan_tf.errors import UserError

# The folders of the layers, bottom to top, and how many files each has.
PARTS = ("000#00body", "001#01fur", "002#02eyes", "003#03mouth")
PARTS += ("004#04accessories",)
SIZES = (15, 10, 15, 10, 16)


@pytest.fixture(scope="module")
def cats():
    return Cats()


@pytest.fixture(scope="module")
def set4():
    with importlib.resources.as_file(
        importlib.resources.files("robohash") / "sets" / "set4"
    ) as folder:
        yield folder


def _full_size_cat(set4, index):
    """Lays the layers over white at 1024x1024: slow, and Pillow's work."""
    cat = Image.new("RGBA", (1024, 1024), "white")
    for part, size in zip(PARTS, SIZES, strict=True):
        (file,) = (set4 / part).glob(f"{index % size:03d}#*.png")
        with Image.open(file) as layer:
            cat.alpha_composite(layer.convert("RGBA"))
        index //= size
    return cat.convert("RGB")


def test_what_the_source_says_of_itself(cats):
    assert len(cats) == 360_000
    assert (cats.name, cats.resolution, cats.channels) == ("cats", 1024, 3)
    assert cats.num_classes == 15
    assert cats.class_names == tuple(f"body{i}" for i in range(15))


@pytest.mark.parametrize("index", [0, 123_456, 271_828, 359_999])
def test_a_cat_equals_the_shrunken_composition(cats, set4, index):
    cat = cats.images(np.array([index]), 64)[0]
    assert cat.shape == (64, 64, 3)
    assert cat.dtype == np.uint8
    truth = np.asarray(_full_size_cat(set4, index).reduce(16)).astype(int)
    # Not exactly equal: layers are shrunk before they are composed.
    difference = abs(cat - truth)
    assert difference.mean() < 0.3
    # Cats that differ in one layer are much further apart than that.
    other = cats.images(np.array([(index + 15 * 10) % 360_000]), 64)[0]
    assert abs(other - truth).mean() > 3 * difference.mean()


def test_at_full_size_only_rounding_differs(cats, set4):
    cat = cats.images(np.array([271_828]), 1024)[0]
    truth = np.asarray(_full_size_cat(set4, 271_828)).astype(int)
    assert abs(cat - truth).max() <= 3


def test_the_label_is_the_body(cats, set4):
    indices = np.array([0, 14, 15, 100_007])
    labels = cats.labels(indices)
    assert labels.tolist() == [0, 14, 0, 2]
    assert labels.dtype == np.int64


def test_all_labels_are_equally_frequent(cats):
    counts = np.bincount(cats.labels(np.arange(360_000)))
    assert counts.tolist() == [24_000] * 15


def test_the_same_cat_in_any_batch(cats):
    indices = np.array([5, 77_777, 5, 300_000])
    together = cats.images(indices, 16)
    alone = [cats.images(indices[i : i + 1], 16)[0] for i in range(4)]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together[0], together[2])
    assert (together[0] != together[1]).any()
    assert cats.images(indices[:0], 16).shape == (0, 16, 16, 3)


def test_a_resolution_comes_back_unchanged_after_others(cats):
    indices = np.array([42])
    before = cats.images(indices, 4)
    for resolution in (8, 16, 32):
        assert cats.images(indices, resolution).shape[1] == resolution
    np.testing.assert_array_equal(cats.images(indices, 4), before)


def test_grey_cats_are_the_luma_of_the_coloured(cats):
    indices = np.array([1, 200_000])
    grey = Cats(channels=1).images(indices, 32)
    assert grey.shape == (2, 32, 32, 1)
    luma = cats.images(indices, 32) @ [0.299, 0.587, 0.114]
    assert abs(grey[..., 0] - luma).max() <= 1


def test_the_corners_above_a_cat_are_white(cats):
    corners = cats.images(np.arange(15), 128)[:, 0, [0, -1]]
    assert (corners == 255).all()


def test_wrong_requests_are_refused(cats):
    with pytest.raises(UserError, match="drawn at 1024x1024"):
        cats.images(np.array([0]), 2048)
    with pytest.raises(ValueError, match="out of bounds"):
        cats.images(np.array([360_000]), 4)
    with pytest.raises(UserError, match="1 .grey. or 3 .RGB. channels, got 2"):
        Cats(channels=2)


def test_without_robohash_the_error_says_what_to_install(monkeypatch):
    # None makes every import of the module fail.
    monkeypatch.setitem(sys.modules, "robohash", None)
    with pytest.raises(UserError, match="pip install robohash"):
        Cats()


def test_a_folder_of_that_name_is_told(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    open_source("cats")
    assert not caplog.messages
    write_pictures(tmp_path / "cats", 20, 8)
    assert isinstance(open_source("cats"), Cats)
    (message,) = caplog.messages
    assert "--data=./cats" in message
    assert isinstance(open_source("./cats"), Folder)
