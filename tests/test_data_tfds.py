"""Data sets of TensorFlow Datasets, made here: nothing is downloaded."""

import io
import logging
import shutil
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from progan_tf.data import TFDS, open_source
from progan_tf.data.tfds import Shards, record_starts
from progan_tf.errors import UserError

TRAIN, TEST = 200, 20
BROKEN = 42  # The number of the picture that cannot be read.


def colours(numbers):
    """The colours of the pictures, which say their number."""
    return [(number, 255 - number, 7) for number in numbers]


class TinyCreatures(tfds.core.GeneratorBasedBuilder):
    """Pictures of 20x30 in one colour each; the class is number % 3."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name="cats"),
        tfds.core.BuilderConfig(name="dogs"),
    ]

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(names=["tom", "kit", "moggy"]),
            "name": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features)
        )

    def _split_generators(self, dl_manager):
        return {
            "train": self._generate_examples(range(TRAIN)),
            "test": self._generate_examples(range(TRAIN, TRAIN + TEST)),
        }

    def _generate_examples(self, numbers):
        for number, colour in zip(numbers, colours(numbers), strict=True):
            file = io.BytesIO()
            Image.new("RGB", (30, 20), colour).save(file, "PNG")
            if number == BROKEN:
                file = io.BytesIO(b"broken")
            file.seek(0)
            yield (
                number,
                {
                    "image": file,
                    "label": -1 if number == TRAIN else number % 3,
                    "name": f"creature {number}",
                },
            )


class TinyTexts(tfds.core.GeneratorBasedBuilder):
    """A data set without pictures."""

    VERSION = tfds.core.Version("1.0.0")
    FEATURES = {"text": tfds.features.Text()}

    def _info(self):
        features = tfds.features.FeaturesDict(self.FEATURES)
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        raise OSError("no network\nand no manual folder")

    def _generate_examples(self):
        raise NotImplementedError


class TinyUnlabelled(TinyTexts):
    """Pictures that cannot be downloaded, without labels."""

    FEATURES = {"image": tfds.features.Image(shape=(32, 32, 1))}


class TinyFloats(TinyTexts):
    """Pictures that are stored as the bytes of their numbers."""

    FEATURES = {"image": tfds.features.Image(shape=(8, 8, 1), dtype=np.float32)}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Where the data set is prepared, as TFDS does it by default."""
    folder = tmp_path_factory.mktemp("tfds")
    TinyCreatures(data_dir=folder, config="cats").download_and_prepare()
    return folder


def numbers_of(source, indices):
    """The pictures' own numbers, read from their colours."""
    images = source.images(indices, 4)
    numbers = images[:, 0, 0, 0].astype(int)
    expected = np.array(colours(numbers), np.uint8)[:, None, None]
    np.testing.assert_array_equal(images, expected + np.zeros((4, 4, 1), "u1"))
    return numbers


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("tiny_creatures", range(TRAIN)),
        ("tiny_creatures/cats", range(TRAIN)),
        ("tiny_creatures/test", range(TRAIN, TRAIN + TEST)),
        ("tiny_creatures/cats/test", range(TRAIN, TRAIN + TEST)),
        ("tiny_creatures/cats:1.0.0", range(TRAIN)),
        ("tiny_creatures:1.0.0/test", range(TRAIN, TRAIN + TEST)),
        ("tiny_creatures/cats/train+test", range(TRAIN + TEST)),
    ],
)
def test_names(data_dir, name, members):
    source = TFDS(f"tfds:{name}", data_dir=data_dir)
    numbers = numbers_of(source, np.arange(len(source)))
    # Where a picture is broken another one stands in.
    assert len(numbers) == len(members)
    assert set(numbers) == set(members) - {BROKEN}
    assert (source.resolution, source.num_classes) == (16, 0)


def test_parts_of_splits_are_in_the_order_of_tfds(data_dir):
    whole = TFDS("tfds:tiny_creatures/cats", data_dir=data_dir)
    part = "tfds:tiny_creatures/cats/test[5:]+train[10:25]"
    source = TFDS(part, data_dir=data_dir)
    assert len(source) == TEST - 5 + 15
    builder = TinyCreatures(data_dir=data_dir, config="cats")
    order = [
        int(str(example["name"].numpy(), "ascii").split()[1])
        for example in builder.as_dataset(
            split="train", decoders={"image": tfds.decode.SkipDecoding()}
        )
    ]
    readable = [at for at in range(TRAIN) if order[at] != BROKEN]
    found = numbers_of(whole, np.array(readable))
    assert found.tolist() == [order[at] for at in readable]
    last = [15 + at for at in range(15) if order[10 + at] != BROKEN]
    expected = [order[10 + at - 15] for at in last]
    assert numbers_of(source, np.array(last)).tolist() == expected


def test_classes(data_dir):
    source = TFDS("tfds:tiny_creatures/cats", labels=True, data_dir=data_dir)
    assert source.class_names == ("tom", "kit", "moggy")
    indices = np.array([TRAIN - 1, 0, 5, 5, 100])
    labels = source.labels(indices)
    assert labels.dtype == np.int64
    everything = np.arange(TRAIN)
    # The stand-in of the broken picture has its class.
    numbers = numbers_of(source, everything)
    assert (source.labels(everything) == numbers % 3).all()
    assert (labels == numbers[indices] % 3).all()
    with pytest.raises(UserError, match="opened without labels"):
        TFDS("tfds:tiny_creatures/cats", data_dir=data_dir).labels(indices)


def test_a_picture_without_class(data_dir):
    source = TFDS("tfds:tiny_creatures/cats/test", data_dir=data_dir)
    place = np.flatnonzero(numbers_of(source, np.arange(TEST)) == TRAIN)[0]
    with pytest.raises(UserError, match=rf"picture {place} .*\(label -1\)"):
        source = TFDS(
            "tfds:tiny_creatures/cats/test", labels=True, data_dir=data_dir
        )
        source.labels(np.arange(TEST))


def test_broken_pictures_are_named(data_dir, caplog):
    source = TFDS("tfds:tiny_creatures/cats", data_dir=data_dir)
    with caplog.at_level(logging.WARNING, "progan_tf"):
        source.images(np.arange(TRAIN), 4)
        source.images(np.arange(TRAIN), 8)
    assert source.unreadable == 1
    (message,) = [
        record.getMessage()
        for record in caplog.records
        if record.name == "progan_tf"
    ]
    assert "tfds:tiny_creatures/cats: skipped unreadable picture" in message


def test_grey_and_too_large(data_dir):
    source = TFDS("tfds:tiny_creatures/cats", 1, data_dir=data_dir)
    assert source.images(np.array([0]), 16).shape == (1, 16, 16, 1)
    with pytest.raises(
        UserError, match="cats have a short side under 32 .* use"
    ):
        source.images(np.array([0]), 32)


def test_array_records_are_read_alike(data_dir, tmp_path):
    TinyCreatures(
        data_dir=tmp_path, config="cats", file_format="array_record"
    ).download_and_prepare()
    name = "tfds:tiny_creatures/cats/train[7:]+test"
    one, other = (
        TFDS(name, labels=False, data_dir=folder)
        for folder in (data_dir, tmp_path)
    )
    everything = np.arange(len(one))
    assert len(one) == len(other) == TRAIN - 7 + TEST
    assert sorted(numbers_of(one, everything)) == sorted(
        numbers_of(other, everything)
    )


def test_prepared_files_without_their_code(data_dir, monkeypatch):
    registry = tfds.core.registered._DATASET_REGISTRY
    monkeypatch.delitem(registry, "tiny_creatures")
    for name in ("tiny_creatures/cats", "tiny_creatures/cats/train"):
        source = TFDS(f"tfds:{name}", labels=True, data_dir=data_dir)
        assert len(source) == TRAIN
        assert source.class_names == ("tom", "kit", "moggy")


def test_the_flag(data_dir, monkeypatch):
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(data_dir))
    source = open_source("tfds:tiny_creatures/cats", labels=True)
    assert isinstance(source, TFDS)
    assert (len(source), source.name) == (TRAIN, "tfds:tiny_creatures/cats")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tiny_creature", "called 'tfds:tiny_creature'; .* tiny_creatures"),
        ("tiny_creatures/cat", "config or a split .* configs are cats, dogs"),
        ("tiny_creatures/cats/tests", "such as train, test of .*got 'tests'"),
        ("tiny_creatures/cats/train[200:]", "'train.200:.' .* no pictures"),
        ("tiny_creatures/cats/train[5:3]", "'train.5:3.' .* no pictures"),
        ("tiny_creatures:2.0.0", "cannot open .* only: 1.0.0"),
        ("", r"expected tfds:NAME\[/CONFIG\].* got 'tfds:'"),
        ("tiny_texts", "pictures in the feature 'image' .* found text; choose"),
        ("tiny_floats", r"found Image\(.* dtype=float32\); choose"),
        (
            "tiny_unlabelled",
            "cannot prepare .*: no network and no manual folder$",
        ),
    ],
)
def test_what_cannot_be_had(data_dir, name, message):
    with pytest.raises(UserError, match=message) as error:
        TFDS(f"tfds:{name}", data_dir=data_dir)
    assert len(str(error.value)) < 700


def test_no_labels_is_known_before_the_download(data_dir):
    with pytest.raises(UserError, match="feature 'label' .* found image; tr"):
        TFDS("tfds:tiny_unlabelled", labels=True, data_dir=data_dir)


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(UserError, match=r"pip install progan-tf\[tfds\]"):
        open_source("tfds:cifar10")


def test_a_damaged_label(data_dir, tmp_path):
    folder = shutil.copytree(data_dir, tmp_path / "tfds")
    (file,) = folder.glob("tiny_creatures/cats/1.0.0/*train.tfrecord*")
    content = bytearray(file.read_bytes())
    content[record_starts(file, TRAIN)[5] + 12] = 255  # What record 5 holds.
    file.write_bytes(content)
    source = TFDS("tfds:tiny_creatures/cats", labels=True, data_dir=folder)
    with pytest.raises(UserError, match="label of picture 5 .* is damaged"):
        source.labels(np.arange(TRAIN))


def test_a_file_that_is_cut_off(data_dir, tmp_path):
    (file,) = data_dir.glob("tiny_creatures/cats/1.0.0/*test.tfrecord*")
    starts = record_starts(file, TEST)
    assert len(starts) == TEST + 1
    assert starts[-1] == file.stat().st_size
    part = tmp_path / "part"
    for size in (starts[-1] - 1, starts[-2], 0):
        part.write_bytes(file.read_bytes()[:size])
        with pytest.raises(UserError, match=f"expected {TEST} records in"):
            record_starts(part, TEST)
    with pytest.raises(UserError, match=f"expected {TEST - 1} records in"):
        record_starts(file, TEST - 1)
    shutil.copy(file, part)
    builder = TinyCreatures(data_dir=data_dir, config="cats")
    (instruction,) = builder.info.splits["test"].file_instructions
    shards = Shards([instruction.replace(filename=str(part))])
    shards[TEST - 1]
    part.write_bytes(b"")
    with pytest.raises(UserError, match="at least .* it is cut off"):
        shards[TEST - 1]
