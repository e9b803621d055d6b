"""Writing data sets: whole or not at all, whatever interrupts it."""

import os
import pathlib
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
from pictures import random_pixels

from progan_tf.data import open_source
from progan_tf.errors import UserError
from progan_tf.preparation.inspection import verify
from progan_tf.preparation.writers import FORMS, open_writer

ROOT = pathlib.Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.parametrize("form", FORMS)


def write(form, folder, pictures, labels=None, class_names=()):
    shape = pictures.shape
    with open_writer(form, folder, "cats", shape[1], shape[3]) as writer:
        for picture in pictures:
            writer.append(writer.encode(picture))
        assert writer.count == len(pictures)
        writer.finish(labels, class_names)


def test_what_is_written_is_read(tmp_path, form):
    pictures = random_pixels(10, 16, 16, 3)
    labels = np.arange(10) % 4
    write(form, tmp_path / "new" / "set", pictures, labels)
    source = open_source(str(tmp_path / "new" / "set"), labels=True)
    indices = np.array([9, 0, 3, 3])
    images = source.images(indices, 16)
    np.testing.assert_array_equal(images, pictures[indices])
    assert images.flags.owndata and images.flags.c_contiguous
    blocks = pictures[indices].reshape(4, 4, 4, 4, 4, 3).mean((2, 4))
    np.testing.assert_array_equal(source.images(indices, 4), np.rint(blocks))
    assert source.labels(indices).tolist() == [1, 0, 3, 3]
    assert source.class_names == ("0", "1", "2", "3")
    assert "all 10 pictures are intact" in verify(tmp_path / "new" / "set")
    # Nothing hidden is left, and the permissions are the usual ones.
    assert os.listdir(tmp_path / "new") == ["set"]
    with open_writer(form, tmp_path / "none", "cats", 4, 3):
        pass
    assert os.listdir(tmp_path) == ["new"]


def test_a_class_that_no_picture_has(tmp_path, form):
    names = ("body", "fur", "eyes")
    pictures = random_pixels(4, 4, 4, 3)
    write(form, tmp_path / "set", pictures, np.array([0, 1, 1, 0]), names)
    source = open_source(str(tmp_path / "set"), labels=True)
    assert source.num_classes == 3
    assert source.class_names == (
        names if form == "compact" else ("0", "1", "2")
    )


def test_a_failed_writer_leaves_nothing(tmp_path, form):
    with pytest.raises(ZeroDivisionError):
        with open_writer(form, tmp_path / "set", "cats", 8, 3) as writer:
            writer.append(writer.encode(random_pixels(1, 8, 8, 3)[0]))
            raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


def test_a_place_that_is_taken_stays_as_it_is(tmp_path, form):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "precious.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("set", "file"):
        with pytest.raises(UserError, match="is there already"):
            open_writer(form, tmp_path / name, "cats", 8, 3).__enter__()
    assert (tmp_path / "set" / "precious.txt").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["file", "set"]
    (tmp_path / "set" / "precious.txt").unlink()  # An empty folder is free.
    write(form, tmp_path / "set", random_pixels(2, 4, 4, 3))
    assert len(open_source(str(tmp_path / "set"))) == 2


def test_two_writers_of_one_set(tmp_path, form):
    pictures = random_pixels(3, 4, 4, 3)
    with open_writer(form, tmp_path / "set", "cats", 4, 3) as writer:
        writer.append(writer.encode(pictures[0]))
        with pytest.raises(UserError, match="another command is writing"):
            open_writer(form, tmp_path / "set", "cats", 4, 3).__enter__()
        writer.append(writer.encode(pictures[1]))
        writer.finish()
    images = open_source(str(tmp_path / "set")).images(np.arange(2), 4)
    np.testing.assert_array_equal(images, pictures[:2])


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, form):
    pictures = random_pixels(200, 16, 16, 3)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # For the system a file that may not grow is much like a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(UserError, match="cannot write .*set: .*large"):
            write(form, tmp_path / "set", pictures)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []


def test_wrong_arguments(tmp_path, form):
    for shape in ((24, 3), (2048, 3), (2, 3), (16, 4)):
        with pytest.raises(UserError):
            open_writer(form, tmp_path / "set", "cats", *shape).__enter__()
    for name in ("", "../cats", "a/b"):
        with pytest.raises(UserError, match="without slashes, got"):
            open_writer(form, tmp_path / "set", name, 8, 3).__enter__()
    with open_writer(form, tmp_path / "set", "cats", 8, 3) as writer:
        with pytest.raises(UserError, match="no picture to write"):
            writer.finish()
        for shape in ((8, 8, 1), (4, 4, 3), (8, 8)):
            with pytest.raises(ValueError, match="expected a uint8 image"):
                writer.encode(np.zeros(shape, np.uint8))
        with pytest.raises(ValueError, match="got float64"):
            writer.encode(np.zeros((8, 8, 3)))
        for picture in random_pixels(3, 8, 8, 3):
            writer.append(writer.encode(picture))
        for labels in ([0, 1], [0, 1, -1], [0.0, 1.0, 1.0]):
            with pytest.raises(ValueError, match="labels"):
                writer.finish(np.array(labels))
        with pytest.raises(ValueError, match="from 0 to 1, got 0 to 2"):
            writer.finish(np.array([0, 1, 2]), ("a", "b"))
    assert os.listdir(tmp_path) == []


def test_a_killed_writer_leaves_no_data_set(tmp_path, form):
    script = f"""
import os, signal, numpy as np
from progan_tf.preparation.writers import open_writer
with open_writer({form!r}, "set", "cats", 4, 3) as writer:
    for _ in range(1000):
        writer.append(writer.encode(np.zeros((4, 4, 3), np.uint8)))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    answer = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
    )
    assert answer.returncode == -signal.SIGKILL
    (partial,) = tmp_path.glob(".set.*.tmp")
    with pytest.raises(UserError, match="does not exist"):
        open_source(str(tmp_path / "set"))
    (partial / "cats-r10.tfrecords").write_text("other")
    write(form, tmp_path / "set", random_pixels(5, 4, 4, 3))
    assert os.listdir(tmp_path) == ["set"]
    assert "cats-r10.tfrecords" not in os.listdir(tmp_path / "set")
    assert len(open_source(str(tmp_path / "set"))) == 5


def test_what_was_made_for_a_set_that_fails_is_undone(form, tmp_path):
    with open_writer(form, tmp_path / "a" / "b" / "set", "set", 8, 3):
        assert (tmp_path / "a" / "b").is_dir()
    assert not list(tmp_path.iterdir())
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o750)
    with open_writer(form, mine, "set", 8, 3):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (mine.stat().st_mode & 0o777, list(mine.iterdir())) == (0o750, [])
