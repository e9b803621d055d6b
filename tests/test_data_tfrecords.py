"""The official code's records: reading its own, and writing the same."""

import filecmp
import os
import pathlib
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf
from pictures import random_pixels
from PIL import Image
from test_resume import assert_equal_to_the_bit, train_until
from tiny import checkpoint_values, tiny_config

from progan_tf.data import Compact, TFRecords, open_source
from progan_tf.data.example import example_before_data, parse_example
from progan_tf.data.pyramid import pyramid, shrink
from progan_tf.errors import UserError
from progan_tf.preparation.writers import open_writer
from progan_tf.trainer import Trainer
from progan_tf.training.devices import make_strategy

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDENS = ROOT / "tests" / "goldens"
NAME = "official_tfrecords"
ALL = np.arange(24)
# The tool shuffles; see `create_from_images` of its data-set tool.
ORDER = np.arange(24)
np.random.RandomState(123).shuffle(ORDER)


def golden_pictures():
    """The pictures in the order of the records, uint8 [24, 32, 32, 3]."""
    paths = sorted((GOLDENS / f"{NAME}_png").iterdir())
    return np.stack([np.asarray(Image.open(path)) for path in paths])[ORDER]


def write_records(path, examples):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for example in examples:
            writer.write(example)


# What the official tool wrote.


def test_official_records_are_the_official_pictures():
    source = open_source(str(GOLDENS / NAME), labels=True)
    assert isinstance(source, TFRecords)
    assert (len(source), source.resolution) == (24, 32)
    assert source.class_names == ("0", "1", "2")
    expected = golden_pictures()
    np.testing.assert_array_equal(source.images(ALL, 32), expected)
    labels = source.labels(ALL)
    assert labels.tolist() == (ORDER % 3).tolist()
    assert labels.dtype == np.int64
    indices = np.array([23, 0, 7, 23])
    images = source.images(indices, 32)
    np.testing.assert_array_equal(images, expected[indices])
    images[:] = 0  # The caller owns it.
    np.testing.assert_array_equal(source.images(ALL, 32), expected)


@pytest.mark.parametrize("size", [4, 8, 16])
def test_official_levels_are_those_of_the_pyramid(size):
    source = TFRecords(GOLDENS / NAME)
    levels = source.images(ALL, size)
    pictures = golden_pictures()
    for picture, expected in zip(pictures, levels, strict=True):
        found = {image.shape[0]: image for image in pyramid(picture)}
        np.testing.assert_array_equal(found[size], expected)
    together = shrink(pictures, size)
    np.testing.assert_array_equal(together, levels)


def test_what_is_written_is_what_the_official_tool_writes(tmp_path):
    with open_writer("tfrecords", tmp_path / "out", NAME, 32, 3) as writer:
        for picture in golden_pictures():
            writer.append(writer.encode(picture))
        writer.finish(ORDER % 3)
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == sorted(os.listdir(GOLDENS / NAME))
    equal, _, _ = filecmp.cmpfiles(
        GOLDENS / NAME, tmp_path / "out", written, shallow=False
    )
    assert sorted(equal) == written


def test_the_parts_of_an_example_may_come_in_any_order(tmp_path):
    pictures = random_pixels(5, 4, 4, 3)
    examples = []
    for picture in pictures:
        pixels = picture.transpose(2, 0, 1).tobytes()
        usual = example_before_data((3, 4, 4)) + pixels
        # Two bytes begin the example, and the 18 of the shape come first.
        other = usual[:2] + usual[20:] + usual[2:20]
        assert list(parse_example(usual)) == ["shape", "data"]
        assert list(parse_example(other)) == ["data", "shape"]
        examples += [usual, other]
    write_records(tmp_path / "cats-r02.tfrecords", examples)
    images = TFRecords(tmp_path).images(np.arange(10), 4)
    np.testing.assert_array_equal(images, pictures.repeat(2, axis=0))


def test_grey_records_are_given_as_grey_and_as_rgb(tmp_path):
    pictures = random_pixels(6, 8, 8, 1)
    with open_writer("tfrecords", tmp_path / "out", "grey", 8, 1) as writer:
        for picture in pictures:
            writer.append(writer.encode(picture))
        writer.finish()
    grey = TFRecords(tmp_path / "out", channels=1).images(np.arange(6), 8)
    np.testing.assert_array_equal(grey, pictures)
    rgb = TFRecords(tmp_path / "out").images(np.arange(6), 8)
    np.testing.assert_array_equal(rgb, pictures.repeat(3, axis=3))


def test_memory_does_not_grow_with_the_set(tmp_path):
    count = 10_000_000
    pixels = random_pixels(1, 3, 4, 4)[0]
    file = tmp_path / "many-r02.tfrecords"
    write_records(file, [example_before_data((3, 4, 4)) + pixels.tobytes()])
    record = file.read_bytes()
    with file.open("rb+") as stream:
        for index in (1234567, count - 1):  # The rest is a hole.
            stream.seek(index * len(record))
            stream.write(record)
    tracemalloc.start()
    source = TFRecords(tmp_path)
    images = source.images(np.array([0, 1234567, count - 1]), 4)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(source) == count
    expected = [pixels.transpose(1, 2, 0)] * 3
    np.testing.assert_array_equal(images, expected)
    assert peak < 1_000_000


# Training.


def test_resumed_run_on_compact_data_equals_run_on_records(
    tmp_path, monkeypatch
):
    with open_writer("compact", tmp_path / "compact", NAME, 32, 3) as writer:
        for picture in golden_pictures():
            writer.append(writer.encode(picture))
        writer.finish(ORDER % 3)
    assert isinstance(open_source(str(tmp_path / "compact")), Compact)
    strategy = make_strategy("CPU:0")
    settings = {"labels": True, "fade_kimg": 0, "stable_kimg": 0.016}
    settings["tick_kimg"] = 0.008  # No call of the trainer goes beyond a tick.
    records = str(GOLDENS / NAME)
    whole = tiny_config(tmp_path / "whole", data=records, **settings)
    assert Trainer(whole, strategy).train()
    compact = str(tmp_path / "compact")
    parts = tiny_config(tmp_path / "parts", data=compact, **settings)
    trainer = Trainer(parts, strategy)
    assert not train_until(monkeypatch, trainer, 24)
    assert Trainer(parts, strategy).train()
    assert_equal_to_the_bit(
        checkpoint_values(tmp_path / "whole"),
        checkpoint_values(tmp_path / "parts"),
    )


def test_labels_of_many_classes_take_little_memory(tmp_path):
    labels = np.arange(2000) * 7 % 5000
    with open_writer("tfrecords", tmp_path / "set", "set", 4, 1) as writer:
        for image in random_pixels(2000, 4, 4, 1):
            writer.append(writer.encode(image))
        tracemalloc.start()
        writer.finish(labels, tuple(map(str, range(5000))))
    source = open_source(str(tmp_path / "set"), labels=True)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # All rows of ones and zeros take 40 MB.
    assert most < 12e6
    assert source.num_classes == 5000
    assert source.labels(np.arange(2000)).tolist() == labels.tolist()
    file = tmp_path / "set" / "set-rxx.labels"
    assert file.stat().st_size == 128 + 4 * 2000 * 5000
    one_hot = np.load(file, mmap_mode="r+")
    one_hot[1999] = 0
    with pytest.raises(UserError, match="but row 1999 has something else"):
        open_source(str(tmp_path / "set"), labels=True)
