"""Chunks for the training loop: order, mirroring, labels, reading ahead."""

import threading

import numpy as np
import pytest

from progan_tf import data
from progan_tf.data import Steps
from progan_tf.data.order import mirror_flags, random_indices
from progan_tf.errors import UserError


class Numbers(data.Source):
    """Pictures whose left column is their index; the class is its parity."""

    def __init__(self, class_names=("even", "odd")):
        super().__init__("numbers", 8, "numbers are small", 1, class_names)
        self.reads = []
        self.broken = False

    def __len__(self):
        return 50

    def images(self, indices, resolution):
        self.reads.append((len(indices), threading.get_ident()))
        if self.broken:
            raise UserError("the disk is on fire")
        images = np.full((len(indices), resolution, resolution, 1), 255)
        images[:, :, 0, 0] = indices[:, None]
        return images.astype(np.uint8)

    def labels(self, indices):
        return indices % 2


def test_a_chunk_holds_the_pictures_in_order():
    with data.Loader(Numbers(), seed=3) as loader:
        chunk = loader.chunk(Steps(40, count=3, batch_size=5, resolution=4))
    assert chunk.images.shape == (3, 5, 4, 4, 1)
    assert chunk.images.dtype == np.uint8
    order = data.ShuffledOrder(50, seed=3).indices(40, 15)
    assert chunk.images[:, :, 0, 0, 0].ravel().tolist() == order.tolist()
    assert chunk.mirrored is None
    assert chunk.labels is None
    assert chunk.fake_labels is None


def test_cutting_a_run_differently_shows_the_same_pictures():
    with data.Loader(Numbers(), seed=3, mirror=True, labels=True) as loader:
        whole = loader.chunk(Steps(20, 6, 10, 4))
        parts = [loader.chunk(Steps(20 + 15 * i, 3, 5, 4)) for i in range(4)]
    for name in data.Chunk._fields:
        joined = np.concatenate([getattr(part, name) for part in parts])
        expected = getattr(whole, name)
        np.testing.assert_array_equal(joined.reshape(expected.shape), expected)


def test_half_of_the_pictures_are_to_be_mirrored():
    with data.Loader(Numbers(), seed=3, mirror=True) as loader:
        chunk = loader.chunk(Steps(20, 5, 10, 4))
    assert chunk.mirrored.shape == (5, 10)
    flags = mirror_flags(3, 20, 50)
    assert 10 < flags.sum() < 40
    np.testing.assert_array_equal(chunk.mirrored.ravel(), flags)
    # It is not done here.
    order = data.ShuffledOrder(50, seed=3).indices(20, 50)
    assert (chunk.images[..., 0, 0, 0].ravel() == order).all()


def test_labels_belong_to_the_pictures_and_fake_labels_are_drawn():
    with data.Loader(Numbers(), seed=3, labels=True) as loader:
        chunk = loader.chunk(Steps(0, 2, 30, 4))
    assert (chunk.labels == chunk.images[:, :, 0, 0, 0] % 2).all()
    assert chunk.labels.dtype == chunk.fake_labels.dtype == np.int64
    drawn = random_indices(3, 0, 60, num_images=50).reshape(2, 30)
    assert (chunk.fake_labels == drawn % 2).all()
    assert (chunk.fake_labels != chunk.labels).any()


def test_the_parts_of_the_workers_make_up_the_minibatch():
    settings = {"seed": 3, "mirror": True, "labels": True}
    steps, parts = Steps(5, 4, 6, 8), []
    with data.Loader(Numbers(), **settings) as loader:
        whole = loader.chunk(steps)
    for worker in range(3):
        settings |= {"worker": worker, "workers": 3}
        with data.Loader(Numbers(), **settings) as loader:
            parts.append(loader.chunk(steps))
    assert parts[0].images.shape == (4, 2, 8, 8, 1)
    for name in data.Chunk._fields:
        np.testing.assert_array_equal(
            np.concatenate([getattr(part, name) for part in parts], axis=1),
            getattr(whole, name),
        )


def test_a_minibatch_that_workers_cannot_share_is_refused():
    with data.Loader(Numbers(), seed=3, worker=1, workers=4) as loader:
        with pytest.raises(ValueError, match="4 workers can share, got 6"):
            loader.chunk(Steps(0, 1, 6, 4))


def test_a_prefetched_chunk_is_read_once_and_in_the_background():
    source = Numbers()
    with data.Loader(source, seed=3) as loader:
        loader.prefetch(Steps(10, 2, 5, 4))
        # The default rows, written out, ask for the same chunk.
        chunk = loader.chunk(Steps(10, 2, 5, 4))
        assert [count for count, _ in source.reads] == [10]
        assert source.reads[0][1] != threading.get_ident()
        again = loader.chunk(Steps(10, 2, 5, 4))
    assert source.reads[1][1] == threading.get_ident()
    np.testing.assert_array_equal(chunk.images, again.images)


def test_a_wrong_prefetch_changes_nothing():
    with data.Loader(Numbers(), seed=3) as loader:
        expected = loader.chunk(Steps(10, 2, 5, 4))
        loader.prefetch(Steps(20, 2, 5, 4))
        loader.prefetch(Steps(30, 2, 5, 4))
        chunk = loader.chunk(Steps(10, 2, 5, 4))
    np.testing.assert_array_equal(chunk.images, expected.images)


def test_an_error_while_reading_ahead_surfaces_in_chunk():
    source = Numbers()
    with data.Loader(source, seed=3) as loader:
        source.broken = True
        loader.prefetch(Steps(0, 1, 5, 4))
        with pytest.raises(UserError, match="the disk is on fire"):
            loader.chunk(Steps(0, 1, 5, 4))
        # The failed prefetch is gone: asking again reads again.
        source.broken = False
        assert loader.chunk(Steps(0, 1, 5, 4)).images.shape == (1, 5, 4, 4, 1)


def test_close_ends_the_background_thread():
    loader = data.Loader(Numbers(), seed=3)
    loader.prefetch(Steps(0, 1, 5, 4))
    loader.close()
    names = [thread.name for thread in threading.enumerate()]
    assert not any("progan_tf-loader" in name for name in names)


def test_labels_of_a_source_without_any_are_refused():
    with pytest.raises(UserError, match="numbers has none"):
        data.Loader(Numbers(class_names=()), seed=3, labels=True)


def test_check_resolution():
    source = Numbers()
    data.check_resolution(source, 4)
    data.check_resolution(source, 8)
    with pytest.raises(UserError) as error:
        data.check_resolution(source, 16)
    assert str(error.value) == (
        "resolution 16 is beyond the data: numbers are small; "
        "use --resolution=8 or larger pictures"
    )
    for wrong in (0, 2, 6):
        with pytest.raises(UserError, match=f"power of two.*got {wrong};"):
            data.check_resolution(source, wrong)


def test_open_source_says_what_it_understands(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for wrong, problem in [
        (str(tmp_path / "nowhere"), "does not exist"),
        (str(file), "is not a folder"),
    ]:
        with pytest.raises(UserError, match=f"=cats, tfds.*{problem}") as error:
            data.open_source(wrong)
        assert repr(wrong) in str(error.value)


def test_open_source_and_odd_names():
    for wrong in (
        "",
        "x/" * 3000,
        "tfds:",
        "tfds:/",
        "tfds:" + "x" * 5000,
        "\0",
    ):
        with pytest.raises(UserError) as error:
            data.open_source(wrong)
        assert len(str(error.value)) < 300


def test_open_source_opens_cats_and_folders(tmp_path):
    assert isinstance(data.open_source("cats", channels=1), data.Cats)
    # An empty folder is taken for a folder of pictures, and refused as one.
    with pytest.raises(UserError, match="found no file at all"):
        data.open_source(str(tmp_path))
