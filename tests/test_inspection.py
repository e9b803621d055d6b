"""Descriptions of prepared sets, and checks for damage."""

import functools
import io
import pathlib
import shutil
import tracemalloc
import zlib

import numpy as np
import pytest
from pictures import random_pixels, write_pictures
from PIL import Image

from progan_tf import preparation
from progan_tf.data import Cats, open_source
from progan_tf.errors import UserError
from progan_tf.preparation import inspection

open_pictures = functools.partial(open_source, preparing=True)

GOLDENS = pathlib.Path(__file__).parent / "goldens"
RECORDS = GOLDENS / "official_tfrecords"
FORMS = ["tfrecords", "compact"]


def prepare(folder, form, size=16, count=20, channels=3, seed=1, labels=False):
    """A prepared set of cats."""
    source = Cats(channels)
    order = preparation.choose(source, count, seed)
    preparation.prepare(
        source, order, folder, size, form, "cats", labels, overwrite=True
    )
    return folder


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_description_of_official_records():
    lines = inspection.describe(RECORDS).splitlines()
    assert lines[0] == f"{RECORDS}: 24 pictures, RGB, 32x32, tfrecords"
    assert [line.split() for line in lines[1:]] == [
        ["resolution", "records", "bytes", "file"],
        ["4x4", "24", "2,352", "official_tfrecords-r02.tfrecords"],
        ["8x8", "24", "5,928", "official_tfrecords-r03.tfrecords"],
        ["16x16", "24", "19,752", "official_tfrecords-r04.tfrecords"],
        ["32x32", "24", "75,048", "official_tfrecords-r05.tfrecords"],
        ["416", "official_tfrecords-rxx.labels"],
        ["all", "103,496"],
        ["class", "records"],
        ["0", "8"],
        ["1", "8"],
        ["2", "8"],
    ]


def test_description_of_a_compact_set(tmp_path):
    folder = prepare(tmp_path / "set", "compact", channels=1, labels=True)
    lines = inspection.describe(folder).splitlines()
    assert lines[0] == f"{folder}: 20 pictures, grey, 16x16, compact"
    rows = [line.split() for line in lines]
    assert ["8x8", "20", "1,280", "r03.raw"] in rows
    counts = [int(row[1]) for row in rows[-15:]]
    assert [row[0] for row in rows[-15:]][3] == "body3"
    assert sum(counts) == 20
    sizes = sum(path.stat().st_size for path in folder.iterdir())
    assert ["all", f"{sizes:,}"] in rows
    (folder / "folder").mkdir()
    (folder / "link").symlink_to("nowhere")
    assert inspection.describe(folder).splitlines() == lines


def test_samples_without_classes(tmp_path):
    pictures = write_pictures(tmp_path / "pictures", 20, 8)
    source = open_pictures(str(pictures))
    folder = tmp_path / "set"
    preparation.prepare(source, preparation.choose(source), folder, 8)
    path = inspection.save_samples(folder)
    assert path == tmp_path / "set-samples.png"
    grid = read(path)
    assert grid.shape == (2 * 64, 16 * 64, 3)
    pixels = random_pixels(20, 8, 8, 3)
    np.testing.assert_array_equal(grid[:64:8, 64:128:8], pixels[1])
    np.testing.assert_array_equal(grid[64::8, 192:256:8], pixels[19])
    assert not grid[64:, 256:].any()


def test_samples_have_a_class_a_row(tmp_path):
    path = inspection.save_samples(RECORDS, tmp_path / "samples.png")
    assert path == tmp_path / "samples.png"
    grid = read(path)
    assert grid.shape == (3 * 64, 16 * 64, 3)
    source = inspection.open_prepared(RECORDS)
    labels = source.labels(np.arange(24))
    for row in range(3):
        members = np.flatnonzero(labels == row)
        images = source.images(members, 32)
        cells = grid[64 * row : 64 * row + 64 : 2, : 8 * 64 : 2]
        cells = cells.reshape(32, 8, 32, 3).transpose(1, 0, 2, 3)
        np.testing.assert_array_equal(cells, images)
    assert not grid[:, 8 * 64 :].any()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", [1, 3])
def test_whole_sets(tmp_path, form, channels):
    folder = prepare(tmp_path / "set", form, 128, 70, channels, labels=True)
    assert inspection.verify(folder) == f"{folder}: all 70 pictures are intact"


def test_official_records_are_whole():
    assert inspection.verify(RECORDS).endswith("all 24 pictures are intact")


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("tfrecords", "cats-r04.tfrecords"),
        ("tfrecords", "cats-r02.tfrecords"),
        ("compact", "pictures.webp"),
        ("compact", "r03.raw"),
    ],
)
def test_a_flipped_bit_is_found(tmp_path, form, name):
    folder = prepare(tmp_path / "set", form)
    path = folder / name
    content = bytearray(path.read_bytes())
    # In the middle of what has no other use than being pixels.
    content[len(content) // 2 + 30] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="(number|picture) (9|1[0-2]), counted"):
        inspection.verify(folder)


def test_records_that_are_no_means_of_the_finest_are_found(tmp_path):
    folder = prepare(tmp_path / "set", "tfrecords", count=70)
    other = prepare(tmp_path / "other", "tfrecords", count=70, seed=2)
    # Whole records, with right checksums, but of other pictures.
    size = (folder / "cats-r03.tfrecords").stat().st_size // 70
    content = bytearray((folder / "cats-r03.tfrecords").read_bytes())
    wrong = (other / "cats-r03.tfrecords").read_bytes()
    content[66 * size : 67 * size] = wrong[66 * size : 67 * size]
    (folder / "cats-r03.tfrecords").write_bytes(content)
    with pytest.raises(
        UserError, match="picture 66, .* at 8x8 not the average"
    ):
        inspection.verify(folder)


@pytest.mark.parametrize("what", ["nothing", "a giant", "no picture"])
def test_a_picture_with_the_right_checksum_that_is_none(tmp_path, what):
    folder = prepare(tmp_path / "set", "compact", count=150)
    file = io.BytesIO()
    Image.new("RGB", (16383, 9000)).save(file, "WEBP", lossless=True, method=0)
    content = {"nothing": b"", "a giant": file.getvalue(), "no picture": b"x"}
    index = np.load(folder / "index.npy").astype(np.int64)
    pictures = (folder / "pictures.webp").read_bytes()
    start, end = index[7:9]
    pictures = pictures[:start] + content[what] + pictures[end:]
    (folder / "pictures.webp").write_bytes(pictures)
    index[8:] += len(content[what]) - (end - start)
    np.save(folder / "index.npy", index.astype(np.uint64))
    checks = np.load(folder / "checks.npy")
    checks[7] = zlib.crc32(content[what])
    np.save(folder / "checks.npy", checks)
    tracemalloc.start()
    with pytest.raises(UserError, match="picture 7, |1 of the pictures of"):
        inspection.verify(folder)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 26


def lose(name):
    return lambda folder: (folder / name).unlink()


def cut(name):
    def damage(folder):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:-100])

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lose("official_tfrecords-r03.tfrecords"), "r03.tfrecords is missing"),
        (cut("official_tfrecords-r03.tfrecords"), "it is cut off"),
        (cut("official_tfrecords-rxx.labels"), "rxx.labels"),
        (lambda folder: shutil.rmtree(folder), "no folder"),
    ],
)
@pytest.mark.parametrize(
    "look", [inspection.describe, inspection.save_samples, inspection.verify]
)
def test_broken_sets(tmp_path, damage, message, look):
    folder = tmp_path / "set"
    shutil.copytree(RECORDS, folder)
    damage(folder)
    with pytest.raises(UserError, match=message):
        look(folder)


def test_what_is_no_prepared_set():
    with pytest.raises(UserError, match="neither .* nor compact.json"):
        inspection.describe(GOLDENS / "official_tfrecords_png")
