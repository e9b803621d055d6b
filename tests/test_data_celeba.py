"""CelebA's crop, and LSUN's database."""

import contextlib

import lmdb
import numpy as np
import pytest
from pictures import random_pixels
from PIL import Image

from progan_tf.data import open_source
from progan_tf.data.celeba import CelebA
from progan_tf.data.lsun import Lsun
from progan_tf.errors import UserError


def celeba(folder, sizes):
    """A folder with a picture of noise of each (height, width)."""
    folder.mkdir()
    for number, size in enumerate(sizes):
        pixels = random_pixels(1, *size, 3, seed=number)[0]
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")
    return folder


def test_celeba_is_cut_as_by_the_official_tool(tmp_path):
    source = CelebA(celeba(tmp_path / "faces", [(218, 178)] * 16))
    assert (source.resolution, source.num_classes) == (128, 0)
    image = source.images(np.array([5]), 128)[0]
    whole = random_pixels(1, 218, 178, 3, seed=5)[0]
    np.testing.assert_array_equal(image, whole[57:185, 25:153])
    # Lower resolutions are averages of the same cut.
    mean = source.images(np.array([5]), 4)[0].mean()
    assert mean == pytest.approx(image.mean(), abs=1)


def test_celeba_of_another_size(tmp_path):
    folder = celeba(tmp_path / "faces", [(218, 178)] * 15 + [(128, 128)])
    with pytest.raises(UserError, match="178x218 .* got 128x128"):
        CelebA(folder)


def database(path, values):
    """An lmdb of values under keys that are not in their order."""
    with lmdb.open(str(path), subdir=path.suffix != ".mdb") as environment:
        with environment.begin(write=True) as transaction:
            for number, value in enumerate(values):
                key = f"key{len(values) - number:04d}"
                transaction.put(key.encode(), value)
    return path


def encoded(folder, pixels, suffix="png"):
    file = folder / f"encoded.{suffix}"
    Image.fromarray(pixels).save(file, lossless=True)
    return file.read_bytes()


@pytest.mark.parametrize("name", ["bedroom_lmdb", "file.mdb"])
def test_lsun_in_the_order_of_its_keys(tmp_path, name):
    pixels = random_pixels(20, 32, 48, 3)
    values = [encoded(tmp_path, image, "webp") for image in pixels]
    path = database(tmp_path / name, values)
    source = Lsun(path)
    assert (len(source), source.resolution, source.num_classes) == (20, 32, 0)
    images = source.images(np.array([19, 0]), 32)
    np.testing.assert_array_equal(images, pixels[[0, 19], :, 8:40])
    small = source.images(np.array([19]), 4)
    blocks = pixels[0, :, 8:40].reshape(4, 8, 4, 8, 3).mean((1, 3))
    assert abs(small - blocks).max() <= 1
    assert source.images(np.array([0]), 8).shape == (1, 8, 8, 3)
    with pytest.raises(UserError, match="has no labels"):
        Lsun(path, labels=True)
    with pytest.raises(UserError, match="short side under 64"):
        source.images(np.array([0]), 64)


def test_lsun_in_grey_and_with_a_broken_picture(tmp_path, caplog):
    pixels = random_pixels(150, 8, 8)
    values = [encoded(tmp_path, image) for image in pixels]
    values[149 - 70] = b"broken"  # Key 71, not among those read at first.
    source = Lsun(database(tmp_path / "lmdb", values), channels=1)
    images = source.images(np.array([69, 70, 71]), 8)[..., 0]
    np.testing.assert_array_equal(images, pixels[[80, 78, 78]])
    (message,) = [record.getMessage() for record in caplog.records]
    assert "key0071" in message


def test_wrong_databases(tmp_path):
    with pytest.raises(UserError, match="nothing at"):
        Lsun(tmp_path / "nowhere")
    with pytest.raises(UserError, match="data.mdb as lmdb: No such file"):
        Lsun(tmp_path)
    (tmp_path / "text").write_text("no lmdb" * 1000)
    with pytest.raises(UserError, match="text as lmdb: it is not an lmdb"):
        Lsun(tmp_path / "text")
    with pytest.raises(UserError, match="of 0 values 0 are"):
        Lsun(database(tmp_path / "empty", []))
    with pytest.raises(UserError, match="expected encoded pictures"):
        Lsun(database(tmp_path / "texts", [b"text"]))
    tiny = encoded(tmp_path, random_pixels(1, 3, 9)[0])
    with pytest.raises(UserError, match="at least 4 pixels"):
        Lsun(database(tmp_path / "tiny", [tiny]))
    values = [encoded(tmp_path, image) for image in random_pixels(20, 64, 64)]
    for name in ("cut.mdb", "cut"):
        path = database(tmp_path / name, values)
        file = path / "data.mdb" if path.is_dir() else path
        file.write_bytes(file.read_bytes()[:-8192])
        with pytest.raises(UserError, match="expected at least .* is cut off"):
            Lsun(path)


def test_a_database_says_what_the_library_says(tmp_path):
    random = np.random.default_rng(0)
    environment = lmdb.open(str(tmp_path / "lmdb"), map_size=1 << 26)
    # Keys and values of all lengths, of which some are replaced and removed:
    # a tree of several levels, with values in pages of their own.
    for turn in range(3):
        with environment.begin(write=True) as transaction:
            for number in range(turn, 3000, 2):
                key = f"{number:0{random.integers(4, 200)}}".encode()
                transaction.put(key, random.bytes(random.integers(0, 5000)))
        with environment.begin(write=True) as transaction:
            for number in range(turn, 3000, 7):
                transaction.delete(f"{number:04}".encode())
    with environment.begin() as transaction:
        items = list(transaction.cursor().iternext())
    assert environment.stat()["depth"] > 2
    environment.close()

    class Values(Lsun):
        """Without looking at the pictures, which these are none."""

        def __init__(self):
            with contextlib.suppress(UserError):
                super().__init__(tmp_path / "lmdb")

    values = Values()
    assert len(values) == len(items)
    for index, (key, value) in enumerate(items):
        assert values._picture_name(index) == key.decode()
        assert values._encoded(index) == value


def test_the_largest_of_several_sizes_is_taken(tmp_path, caplog):
    environment = lmdb.open(str(tmp_path / "lmdb"), map_size=1 << 24)
    with environment.begin(write=True) as transaction:
        transaction.put(b"length", b"20")
        for size in (8, 32, 128):
            for number, pixels in enumerate(random_pixels(20, size, size)):
                key = f"{size}-{number:05}".encode()
                transaction.put(key, encoded(tmp_path, pixels))
    environment.close()
    source = Lsun(tmp_path / "lmdb", 1)
    assert (len(source), source.resolution) == (20, 128)
    (message,) = caplog.messages
    assert message.endswith(
        "has pictures of 8, 32, 128 pixels; only those of 128 are used"
    )
    image = source.images(np.array([7]), 128)[0, :, :, 0]
    np.testing.assert_array_equal(image, random_pixels(20, 128, 128)[7])


def test_the_home_folder_behind_a_kind(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    values = [encoded(tmp_path, image) for image in random_pixels(20, 8, 8)]
    database(tmp_path / "lmdb", values)
    assert len(open_source("lsun:~/lmdb", preparing=True)) == 20
