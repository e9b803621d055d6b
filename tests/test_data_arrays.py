"""Pictures in .npz files: names, shapes, MNIST's padding, labels."""

import numpy as np
import pytest

from progan_tf.data import open_source
from progan_tf.data.arrays import Arrays
from progan_tf.errors import UserError

EVERYTHING = np.arange(3)


def random_pictures(*shape):
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def save(folder, **arrays):
    path = folder / "pictures.npz"
    np.savez(path, **arrays)
    return path


def test_mnist_gets_a_black_frame_of_two(tmp_path):
    digits = random_pictures(3, 28, 28)
    path = save(tmp_path, x_train=digits, y_train=[4, 0, 9], x_test=digits)
    source = Arrays(path, channels=1, labels=True)
    assert (len(source), source.resolution, source.num_classes) == (3, 32, 3)
    images = source.images(EVERYTHING, 32)
    np.testing.assert_array_equal(images[:, 2:30, 2:30, 0], digits)
    images[:, 2:30, 2:30] = 0
    assert not images.any()
    # Digits that are not there are no classes.
    assert source.class_names == ("0", "4", "9")
    assert source.labels(np.array([2, 0])).tolist() == [2, 1]
    # In colour, the three channels are the grey one.
    colour = Arrays(path).images(EVERYTHING, 32)
    assert colour.shape == (3, 32, 32, 3)
    np.testing.assert_array_equal(colour[:, 2:30, 2:30, 1], digits)


@pytest.mark.parametrize("name", ["x", "images", "train_images", "arr_0"])
@pytest.mark.parametrize("first", [False, True])
def test_colour_is_taken_to_the_bit(tmp_path, name, first):
    pictures = random_pictures(3, 16, 16, 3)
    stored = pictures.transpose(0, 3, 1, 2) if first else pictures
    source = Arrays(save(tmp_path, **{name: stored}))
    assert (source.resolution, source.num_classes) == (16, 0)
    images = source.images(np.array([2, 0]), 16)
    np.testing.assert_array_equal(images, pictures[[2, 0]])
    assert images.dtype == np.uint8
    with pytest.raises(UserError, match="opened without labels"):
        source.labels(EVERYTHING)


def test_other_sizes_are_cut_and_shrunk_by_area(tmp_path):
    pictures = np.zeros([3, 8, 12, 1], np.uint8)
    pictures[:, :, :2] = 255  # Outside of the central square.
    pictures[:, 1, 3] = 200
    source = Arrays(save(tmp_path, x=pictures), channels=1)
    assert source.resolution == 8
    image = source.images(EVERYTHING, 4)[0, :, :, 0]
    assert image[0, 0] == 50
    assert image.sum() == 50
    with pytest.raises(UserError, match="the pictures of .* are 12x8"):
        source.images(EVERYTHING, 16)


def test_one_hot_labels(tmp_path):
    labels = np.eye(4, dtype=np.float32)[[3, 1, 0]]
    path = save(tmp_path, x=random_pictures(3, 8, 8), y=labels)
    source = Arrays(path, labels=True)
    assert source.class_names == ("0", "1", "2", "3")
    assert source.labels(EVERYTHING).tolist() == [3, 1, 0]


@pytest.mark.parametrize(
    ("arrays", "labels", "message"),
    [
        ({"pixels": random_pictures(3, 8, 8)}, False, "found pixels"),
        ({"x": np.zeros([3, 8, 8])}, False, "got float64"),
        ({"x": random_pictures(3, 192)}, False, r"got uint8 \[3, 192\]"),
        ({"x": random_pictures(3, 8, 8, 4)}, False, "1 or 3 channels"),
        ({"x": random_pictures(3, 3, 8)}, False, "at least 4 pixels"),
        ({"x": np.array([None])}, False, "cannot read .* as .npz"),
        ({"x": random_pictures(3, 8, 8)}, True, "under the name y"),
        ({"x": random_pictures(3, 8, 8), "y": [1, 0]}, True, "got 2 in"),
    ],
)
def test_wrong_files(tmp_path, arrays, labels, message):
    path = save(tmp_path, **arrays)
    with pytest.raises(UserError, match=message) as error:
        Arrays(path, labels=labels)
    assert "pictures.npz" in str(error.value)


def test_no_archive(tmp_path):
    path = tmp_path / "text.npz"
    with pytest.raises(UserError, match="No such file"):
        Arrays(path)
    for content in (b"no archive", b"", b"PK\x03\x04 broken"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="cannot read .*text.npz") as error:
            Arrays(path)
        # As NumPy advises.
        assert "allow_pickle" not in str(error.value)
    np.save(tmp_path / "single.npy", random_pictures(3, 8, 8))
    (tmp_path / "single.npy").rename(path)
    with pytest.raises(UserError, match="cannot read .*text.npz"):
        Arrays(path)


def test_the_ending_may_be_written_large(tmp_path):
    path = save(tmp_path, x=random_pictures(3, 8, 8))
    path = path.rename(tmp_path / "X.NPZ")
    assert len(open_source(str(path), preparing=True)) == 3
    with pytest.raises(UserError, match="converted by progan_tf.prepare"):
        open_source(str(path))
