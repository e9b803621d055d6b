"""Compact data sets: every level as in official records, and damage."""

import json
import zlib

import numpy as np
import pytest
from pictures import random_pixels
from PIL import Image

from progan_tf.data import Compact, TFRecords, open_source
from progan_tf.data.compact import decode_picture, encode_picture
from progan_tf.errors import UserError
from progan_tf.preparation import inspection
from progan_tf.preparation.writers import open_writer

COUNT = 6
ALL = np.arange(COUNT)


def smooth_pictures(size, channels=3):
    """Pictures with something to compress, uint8 [COUNT, size, size, C]."""
    images = []
    for pixels in random_pixels(COUNT, 8, 8, 3):
        image = Image.fromarray(pixels).resize((size, size))
        images.append(np.asarray(image)[..., :channels])
    return np.stack(images)


def write(form, folder, pictures, *labels):
    with open_writer(
        form, folder, "cats", pictures.shape[1], pictures.shape[3]
    ) as writer:
        for picture in pictures:
            writer.append(writer.encode(picture))
        writer.finish(*labels)
    return folder


@pytest.fixture
def compact(tmp_path):
    """A compact set of 128x128 with three classes."""
    labels = ALL % 3
    pictures = smooth_pictures(128)
    return write(
        "compact", tmp_path / "compact", pictures, labels, ("a", "b", "c")
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [4, 32, 256])
def test_every_level_is_that_of_the_records(tmp_path, channels, size):
    pictures = smooth_pictures(size, channels)
    write("compact", tmp_path / "compact", pictures)
    write("tfrecords", tmp_path / "records", pictures)
    for given in {channels, 3}:
        compact = open_source(str(tmp_path / "compact"), given)
        records = open_source(str(tmp_path / "records"), given)
        assert isinstance(compact, Compact) and isinstance(records, TFRecords)
        assert (len(compact), compact.resolution) == (COUNT, size)
        indices = np.array([5, 0, 3, 3])
        for level in (2**n for n in range(2, size.bit_length())):
            images = compact.images(indices, level)
            assert images.shape == (4, level, level, given)
            np.testing.assert_array_equal(
                images, records.images(indices, level)
            )
            images[:] = 0  # The caller owns it, also where it is cached.
            again = compact.images(indices, level)
            np.testing.assert_array_equal(again, records.images(indices, level))
    inspection.verify(tmp_path / "compact")


def test_each_picture_is_stored_once_and_encoded(compact):
    about = json.loads((compact / "compact.json").read_text())
    assert about == {
        "version": 1,
        "count": COUNT,
        "resolution": 128,
        "channels": 3,
        "class_names": ["a", "b", "c"],
        # Of the labels 0, 1, 2, 0, 1, 2.
        "labels_check": zlib.crc32(
            b"".join(bytes([n % 3]) + bytes(7) for n in range(6))
        ),
    }
    sizes = {path.name: path.stat().st_size for path in compact.iterdir()}
    raw = {f"r{n:02d}.raw": COUNT * 4**n * 3 for n in range(2, 7)}
    assert raw.items() <= sizes.items()
    assert sizes["pictures.webp"] < 0.6 * COUNT * 128**2 * 3
    # Every program that reads WebP can read them.
    index = np.load(compact / "index.npy")
    encoded = (compact / "pictures.webp").read_bytes()
    (compact / "one.webp").write_bytes(encoded[index[2] : index[3]])
    with Image.open(compact / "one.webp") as image:
        np.testing.assert_array_equal(image, smooth_pictures(128)[2])


@pytest.mark.parametrize("channels", [1, 3])
def test_encoding_loses_nothing(channels):
    for pixels in (random_pixels(1, 64, 64, channels)[0], np.zeros((4, 4, 3))):
        image = pixels[..., :channels].astype(np.uint8)
        again = decode_picture(encode_picture(image), len(image), channels)
        np.testing.assert_array_equal(again, image)
        assert again.dtype == np.uint8


def test_classes(compact):
    source = Compact(compact, labels=True)
    assert source.class_names == ("a", "b", "c")
    assert source.labels(np.array([4, 0])).tolist() == [1, 0]
    without = Compact(compact)
    assert without.num_classes == 0
    with pytest.raises(UserError, match="opened without labels"):
        without.labels(ALL)
    with pytest.raises(UserError, match="pictures in .* are 128x128; use"):
        without.images(ALL, 256)


def test_decoded_pictures_stay_within_the_budget(compact, monkeypatch):
    reads = []

    def counted(encoded, resolution, channels):
        reads.append(len(encoded))
        return decode_picture(encoded, resolution, channels)

    monkeypatch.setattr("progan_tf.data.compact.decode_picture", counted)
    size = COUNT * 128 * 128 * 3
    for budget, expected in ((size, COUNT), (size - 1, 2 * COUNT)):
        reads.clear()
        source = Compact(compact, cache_bytes=budget)
        source.images(ALL, 64)
        assert not reads  # Stored as it is.
        source.images(ALL, 128)
        source.images(ALL, 128)
        assert len(reads) == expected


def replace(path, **values):
    about = json.loads(path.read_text())
    path.write_text(json.dumps(about | values))


def spoil(folder, what):
    """Spoils a compact set in one of many ways."""
    if what == "version":
        replace(folder / "compact.json", version=2, other=1)
    elif what == "no json":
        (folder / "compact.json").write_text("{")
    elif what == "other keys":
        (folder / "compact.json").write_text("{}")
    elif what == "count":
        replace(folder / "compact.json", count=7)
    elif what == "text":
        replace(folder / "compact.json", count="6")
    elif what == "no pictures":
        replace(folder / "compact.json", count=0)
    elif what == "names":
        replace(folder / "compact.json", class_names=[["a"], ["b"], ["c"]])
    elif what == "cut off":
        data = (folder / "pictures.webp").read_bytes()
        (folder / "pictures.webp").write_bytes(data[:-1])
    elif what == "level":
        (folder / "r03.raw").unlink()
    elif what == "checks":
        (folder / "checks.npy").write_bytes(b"")
    elif what == "short labels":
        np.save(folder / "labels.npy", np.arange(5))
    elif what == "a label":
        np.save(folder / "labels.npy", np.array([0, 1, 2, 0, 1, 1]))
    elif what == "labels":
        np.save(folder / "labels.npy", np.arange(COUNT))
        check = zlib.crc32(np.arange(COUNT))
        replace(folder / "compact.json", labels_check=check)
    elif what == "index":
        index = np.load(folder / "index.npy")
        index[3] += 1 << 60
        np.save(folder / "index.npy", index)
    elif what == "header":
        data = bytearray((folder / "index.npy").read_bytes())
        data[10] ^= 1  # The bracket that opens it.
        (folder / "index.npy").write_bytes(data)
    elif what == "no classes":
        replace(folder / "compact.json", class_names=[])


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("version", "version 1 of compact data in .*, found 2; prepare"),
        ("no json", "cannot read .*compact.json: Expecting"),
        ("other keys", "cannot read .*compact.json: .*missing"),
        ("count", r"uint64 \[8\] in .*index.npy, found uint64 \[7\]"),
        ("text", "cannot read .*compact.json: '6' is no whole number above"),
        ("no pictures", "cannot read .*compact.json: 0 is no whole number"),
        ("names", "cannot read .*compact.json: .'a'. is no name of a class"),
        ("cut off", r"expected (\d+) bytes in .*webp, found (?!\1)\d+; copy"),
        ("level", "cannot read .*r03.raw: No such file"),
        ("checks", "cannot read .*checks.npy: "),
        ("short labels", r"int64 \[6\] in .*labels.npy, found int64 \[5\]"),
        ("a label", "labels.npy is damaged; copy"),
        ("index", "with 0 and never decrease in .*index.npy; copy"),
        ("header", "cannot read .*index.npy: "),
        ("labels", "labels from 0 to 2 in .*, found 0 to 5; prepare"),
        ("no classes", "was prepared without; train without labels"),
    ],
)
def test_what_cannot_be_used_is_found_at_once(compact, what, message):
    open_source(str(compact), labels=True)
    spoil(compact, what)
    with pytest.raises(UserError, match=message):
        open_source(str(compact), labels=True)


def test_rgb_pictures_do_not_become_grey(compact):
    with pytest.raises(UserError, match="1 channel .* found 3; use --channels"):
        open_source(str(compact), channels=1)


def test_damage_within_a_picture_is_met_by_that_picture(compact):
    index = np.load(compact / "index.npy")
    for name, place in (
        ("pictures.webp", int(index[4]) - 1),  # The last byte of number 3.
        ("r04.raw", 3 * 16 * 16 * 3 + 5),
    ):
        whole = (compact / name).read_bytes()
        damaged = bytearray(whole)
        damaged[place] ^= 1
        (compact / name).write_bytes(damaged)
        source = Compact(compact)
        source.images(np.array([0, 1, 2, 4, 5]), 128)
        with pytest.raises(UserError, match="picture 3, .*(damaged|at 16x16)"):
            inspection.verify(compact)
        if name == "pictures.webp":
            with pytest.raises(UserError, match="picture 3, .* is damaged"):
                source.images(ALL, 128)
        (compact / name).write_bytes(whole)
    inspection.verify(compact)
