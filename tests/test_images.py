"""Ranges, sizes, grids and files of pictures."""

import os

import numpy as np
import pytest
from PIL import Image

from progan_tf import files, images
from progan_tf.errors import UserError


def test_to_uint8_at_literal_values():
    floats = np.array([-9, -1, -0.5, 0, 0.5, 1, 9], np.float32)
    # 127.5 rounds to the even 128; 63.75 and 191.25 to the nearest.
    assert images.to_uint8(floats).tolist() == [0, 0, 64, 128, 191, 255, 255]
    assert images.to_uint8(floats).dtype == np.uint8


def test_every_uint8_value_survives_the_round_trip():
    values = np.arange(256, dtype=np.uint8)
    floats = images.to_float(values)
    assert floats.dtype == np.float32
    assert floats[0] == -1
    assert floats[-1] == 1
    np.testing.assert_array_equal(images.to_uint8(floats), values)


def test_to_float_refuses_floats():
    with pytest.raises(ValueError, match="expected uint8 images, got float32"):
        images.to_float(np.zeros(3, np.float32))


def test_box_down_at_literal_values():
    picture = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    small = images.box_down(picture, 2)
    assert small.dtype == np.float32
    assert small[0, :, :, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_box_down_keeps_pictures_and_channels_apart():
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(2, 8, 12, 3))
    expected = [
        [
            [picture[4 * y : 4 * y + 4, 4 * x : 4 * x + 4].mean((0, 1))]
            for y in range(2)
            for x in range(3)
        ]
        for picture in pictures
    ]
    np.testing.assert_allclose(
        images.box_down(pictures, 4).ravel(), np.ravel(expected), atol=1e-6
    )


def test_box_down_refuses_a_factor_that_does_not_divide():
    with pytest.raises(ValueError, match="divides 4x6, got 4"):
        images.box_down(np.zeros((1, 4, 6, 3)), 4)


def test_nearest_up_repeats_pixels_and_keeps_the_dtype():
    picture = np.array([[1, 2], [3, 4]], np.int16).reshape(1, 2, 2, 1)
    large = images.nearest_up(picture, 2)
    assert large.dtype == np.int16
    assert large[0, :, :, 0].tolist() == [
        [1, 1, 2, 2],
        [1, 1, 2, 2],
        [3, 3, 4, 4],
        [3, 3, 4, 4],
    ]


@pytest.mark.parametrize(
    ("resolution", "shape"),
    [(4, (16, 9)), (128, (15, 8)), (256, (7, 4)), (1024, (3, 2))],
)
def test_grid_shape(resolution, shape):
    assert images.grid_shape(resolution) == shape


@pytest.mark.parametrize(
    ("resolution", "classes", "rows"),
    [(64, 3, 9), (64, 10, 10), (64, 1000, 33), (128, 10, 10), (1024, 10, 2)],
)
def test_classes_have_rows_of_a_grid(resolution, classes, rows):
    assert images.grid_shape(resolution, classes)[1] == rows


@pytest.mark.parametrize("channels", [1, 3])
def test_make_grid_reads_like_a_page(channels):
    pictures = np.empty((5, 2, 3, channels), np.uint8)
    pictures[:] = np.arange(10, 60, 10)[:, None, None, None]
    grid = images.make_grid(pictures, columns=3)
    assert grid.shape == (4, 9, channels)
    # One pixel of each cell; the sixth has no picture and is black.
    assert grid[::2, ::3, 0].tolist() == [[10, 20, 30], [40, 50, 0]]
    assert (grid[:2, 3:6] == 20).all()


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((0, 4, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((2, 4, 4, 2), np.uint8),
        np.zeros((2, 4, 4, 3), np.float32),
    ],
)
def test_make_grid_refuses_what_is_no_batch_of_pictures(wrong):
    with pytest.raises(ValueError, match="expected"):
        images.make_grid(wrong, columns=2)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_save_png_round_trip(tmp_path, channels, mode):
    rng = np.random.default_rng(0)
    picture = rng.integers(256, size=(5, 7, channels), dtype=np.uint8)
    images.save_png(tmp_path / "a.png", picture)
    with Image.open(tmp_path / "a.png") as read:
        assert (read.format, read.mode) == ("PNG", mode)
        np.testing.assert_array_equal(
            np.asarray(read).reshape(picture.shape), picture
        )
    assert os.listdir(tmp_path) == ["a.png"]


def test_save_png_refuses_floats(tmp_path):
    with pytest.raises(ValueError, match="uint8 image, got float64"):
        images.save_png(tmp_path / "a.png", np.zeros((4, 4, 3)))


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing(
    tmp_path, monkeypatch
):
    path = tmp_path / "a.txt"
    files.write_text_atomically(path, "old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="cannot write .*a.txt: No space"):
        files.write_text_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(tmp_path / "a", b"data")
    assert os.listdir(tmp_path) == []


def test_writing_into_no_folder_names_the_path(tmp_path):
    with pytest.raises(UserError, match="cannot write .*missing"):
        files.write_atomically(tmp_path / "missing" / "a", b"data")


def test_writing_over_a_folder_is_the_users_mistake(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(UserError, match="cannot write"):
        files.write_atomically(tmp_path / "a", b"data")
    assert os.listdir(tmp_path) == ["a"]


def test_text_is_utf8(tmp_path):
    files.write_text_atomically(tmp_path / "a", "Käse\n")
    assert (tmp_path / "a").read_bytes() == b"K\xc3\xa4se\n"


def test_a_user_error_is_one_line():
    assert str(UserError("no such path: a\nb")) == "no such path: a b"
    assert issubclass(UserError, ValueError)


@pytest.mark.parametrize("factor", [0, -1, 1.5])
def test_pictures_are_enlarged_by_whole_factors(factor):
    with pytest.raises(ValueError, match=f"factor .* received {factor}$"):
        images.nearest_up(np.zeros((1, 2, 2, 3)), factor)
