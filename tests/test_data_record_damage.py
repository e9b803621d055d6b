"""Damaged official records: a clear one-line error, and in time."""

import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from pictures import random_pixels
from test_data_tfrecords import NAME, write_records

from progan_tf.data import TFRecords, open_source
from progan_tf.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parent.parent
OFFICIAL = ROOT / "tests" / "goldens" / NAME
ALL = np.arange(24)


@pytest.fixture
def records(tmp_path):
    """A copy of the official records, to damage."""
    return pathlib.Path(shutil.copytree(OFFICIAL, tmp_path / "records"))


def level(folder, resolution):
    return folder / f"{NAME}-r{resolution.bit_length() - 1:02d}.tfrecords"


def example(shape, pixels):
    """An Example of a shape and of pixels that may not fit it."""
    features = {
        "shape": tf.train.Feature(int64_list=tf.train.Int64List(value=shape)),
        "data": tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[pixels.tobytes()])
        ),
    }
    features = tf.train.Features(feature=features)
    return tf.train.Example(features=features).SerializeToString()


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


def write_labels(path, labels):
    with path.open("wb") as file:
        np.save(file, labels)


def bad_files(folder, what):
    """Spoils a set of official records in one of many ways."""
    labels = folder / f"{NAME}-rxx.labels"
    if what == "missing":
        level(folder, 8).unlink()
    elif what == "cut off":
        cut(level(folder, 32), 75048 - 1)
    elif what == "empty":
        level(folder, 16).write_bytes(b"")
    elif what == "fewer":
        cut(level(folder, 4), 98 * 23)
    elif what == "shape":
        shutil.copy(level(folder, 8), level(folder, 16))
    elif what == "not square":
        pixels = random_pixels(1, 3, 4, 8)
        write_records(level(folder, 4), [example((3, 4, 8), pixels)] * 24)
    elif what == "pixels":
        pixels = random_pixels(1, 3, 4, 8)
        write_records(level(folder, 4), [example((3, 4, 4), pixels)] * 24)
    elif what == "no pictures":
        write_records(level(folder, 4), [b"text"] * 24)
    elif what == "grey level":
        pixels = random_pixels(1, 1, 16, 16)
        write_records(level(folder, 16), [example((1, 16, 16), pixels)] * 24)
    elif what == "endless numbers":
        write_records(level(folder, 4), [b"\xff" * (1 << 20)] * 2)
    elif what == "endless number":
        write_records(level(folder, 4), [b"\xff" * 4000] * 24)
    elif what == "nested":
        content = b""
        for _ in range(1000):
            size = len(content)
            content = b"\x0a" + bytes([size & 127 | 128, size >> 7]) + content
        write_records(level(folder, 4), [content] * 24)
    elif what == "many numbers":
        write_records(level(folder, 4), [example([4] * 3000, ALL)] * 24)
    elif what == "text as shape":
        text = tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[b"\x03\x04\x04"])
        )
        features = tf.train.Features(feature={"shape": text, "data": text})
        record = tf.train.Example(features=features).SerializeToString()
        write_records(level(folder, 4), [record] * 24)
    elif what == "sparse":
        size = 20 << 30
        with level(folder, 4).open("wb") as file:
            file.write((size - 16).to_bytes(8, "little"))
            file.truncate(size)
    elif what == "a pipe":
        level(folder, 4).unlink()
        os.mkfifo(level(folder, 4))
    elif what == "labels are a pipe":
        labels.unlink()
        os.mkfifo(labels)
    elif what == "sparse labels":
        write_labels(labels, np.zeros((1, 1), np.float32))
        fields = {"descr": "<f4", "fortran_order": False}
        with labels.open("wb") as file:
            np.lib.format.write_array_header_1_0(
                file, fields | {"shape": (24, 1 << 27)}
            )
            file.truncate(file.tell() + 24 * (1 << 29))
    elif what == "two sets":
        shutil.copy(level(folder, 4), folder / "other-r02.tfrecords")
    elif what == "too large":
        shutil.copy(level(folder, 4), level(folder, 2048))
    elif what == "short labels":
        write_labels(labels, np.eye(23, dtype=np.float32))
    elif what == "two ones":
        write_labels(labels, np.ones((24, 2), np.float32))
    elif what == "a two":
        write_labels(labels, 2 * np.eye(24, dtype=np.float32))
    elif what == "text labels":
        labels.write_text("0 1 2")
    elif what == "header of labels":
        content = bytearray(labels.read_bytes())
        content[10] ^= 1  # The bracket that opens it.
        labels.write_bytes(content)
    elif what == "no labels":
        labels.unlink()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("missing", "r03.tfrecords is missing; copy"),
        ("cut off", "3127 bytes, like the first, .*has 75047 bytes, which"),
        ("empty", "expected records in .*r04.tfrecords, found 0 bytes"),
        ("fewer", "as many records in .*r03.* as in .*r02.*, 23, found 24"),
        ("shape", r"r04.tfrecords, found \(3, 8, 8\); prepare"),
        ("not square", r"shape \(1 or 3, 4, 4\) in .*, found \(3, 4, 8\)"),
        ("pixels", "number 0, counted from 0, is damaged or something else"),
        ("no pictures", "found no tf.train.Example; these are not"),
        ("grey level", "3 channels in .*r04.* as in .*r03.*, found 1"),
        ("endless numbers", "records of at most 4x4 pixels .* has 1,048,576 b"),
        ("endless number", "found no tf.train.Example; these are not"),
        ("nested", "in the records of .{,400}; these are not"),
        ("many numbers", r"found \(4, 4, 4, .{,80}; prepare"),
        ("text as shape", r"found \(b'.*,\); prepare"),
        ("sparse", "records of at most 4x4 pixels .* has 21,474,836,464 bytes"),
        ("a pipe", "r02.tfrecords is missing"),
        ("labels are a pipe", "rxx.labels, but there is no such file"),
        ("sparse labels", "at most 65536 classes in .*, found 134217728"),
        ("two sets", f"one data set in .*, found {NAME}, other; give"),
        ("too large", f"at most 1024x1024 in .*, found {NAME}-r11"),
        ("short labels", r"shape \(24, classes\) .*, found \w+ \(23, 23\)"),
        ("two ones", "a single 1 in every row of .*row 0 has something"),
        ("a two", "a single 1 in every row of .*row 0 has something"),
        ("text labels", "rxx.labels, but it is no .npy file of numbers"),
        ("header of labels", "rxx.labels, but it is no .npy file of numbers"),
        ("no labels", "rxx.labels, but there is no such file; train"),
    ],
)
def test_what_cannot_be_used_is_found_at_once(records, what, message):
    open_source(str(records), labels=True)
    bad_files(records, what)
    with pytest.raises(UserError, match=message):
        open_source(str(records), labels=True)


def test_rgb_records_do_not_become_grey():
    with pytest.raises(UserError, match="1 channel .* found 3; use --channels"):
        open_source(str(OFFICIAL), channels=1)


def test_no_labels_where_none_were_asked_for():
    source = TFRecords(OFFICIAL)
    assert source.num_classes == 0
    with pytest.raises(UserError, match="opened without labels"):
        source.labels(ALL)
    with pytest.raises(UserError, match="records in .* go up to 32x32"):
        source.images(ALL, 64)


def test_damage_in_the_middle_is_met_by_its_record(records):
    source = TFRecords(records)
    assert len(list(source.verify())) == 24
    file = level(records, 8)
    whole = file.read_bytes()
    # Of record 5: its length, the shape, the name of the pixels, a pixel.
    damages = {0: True, 30: True, 38: True, 100: False}
    for offset, seen_at_once in damages.items():
        place = 5 * 247 + offset
        damaged = bytearray(whole)
        damaged[place] ^= 1
        file.write_bytes(damaged)
        source.images(ALL[:5], 8)
        source.images(ALL, 16)
        if seen_at_once:
            with pytest.raises(UserError, match="r03.* number 5, counted"):
                source.images(ALL, 8)
        with pytest.raises(UserError, match="r03.* number 5, counted"):
            list(source.verify())
    file.write_bytes(whole[: 20 * 247])
    with pytest.raises(UserError, match="at least 5187 bytes .*is cut off"):
        source.images(ALL, 8)
    file.unlink()
    with pytest.raises(UserError, match="cannot read .*r03.tfrecords: No such"):
        source.images(ALL, 8)


def test_two_records_in_one_are_found(records):
    file = level(records, 4)
    whole = file.read_bytes()
    # As long as records 5 and 6, so that the file's size gives nothing away.
    write_records(file, [bytes(2 * 98 - 16)])
    together = file.read_bytes()
    assert len(together) == 2 * 98
    file.write_bytes(whole[: 5 * 98] + together + whole[7 * 98 :])
    source = TFRecords(records)
    with pytest.raises(UserError, match="r02.* number 5, counted"):
        source.images(ALL, 4)
    with pytest.raises(UserError, match="r02.* is damaged or something else"):
        list(source.verify())


def test_wrong_data_is_one_line_and_writes_nothing(tmp_path, records):
    bad_files(records, "no labels")
    answer = subprocess.run(
        [
            sys.executable,
            "-m",
            "progan_tf.train",
            f"--data={records}",
            "--resolution=32",
            "--labels",
            f"--run_dir={tmp_path / 'run'}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert "expected labels in" in line
    assert not (tmp_path / "run").exists()


def test_classes_without_pictures_are_named(records, caplog):
    labels = np.eye(9, dtype=np.float32)[ALL % 4 * 2]
    write_labels(records / f"{NAME}-rxx.labels", labels)
    assert open_source(str(records), labels=True).num_classes == 9
    (message,) = caplog.messages
    assert "5 of the 9 classes of" in message
    assert message.endswith("have no pictures: 1, 3, 5, 7, 8")
