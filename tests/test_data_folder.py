"""Folders of pictures: what is found, order, memory, damage, classes."""

import json
import logging
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from progan_tf.data import Folder
from progan_tf.errors import UserError


def _fill(folder, count, size=(16, 16), name="{:03d}.png"):
    """Writes pictures of one colour each: the red value is the number."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        file = folder / name.format(i)
        Image.new("RGB", size, (i % 256, 0, 99)).save(file)
    return folder


def _truncate(file):
    """Leaves the header and a part of the pixels."""
    rng = np.random.default_rng(0)
    noise = rng.integers(256, size=(64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file)
    file.write_bytes(file.read_bytes()[:2000])


# The folder.


def test_files_are_found_at_any_depth_and_sorted(tmp_path):
    _fill(tmp_path / "b", 10, name="{:02d}.png")
    _fill(tmp_path / "a" / "deep", 10, name="{:02d}.PNG")
    _fill(tmp_path / ".hidden", 3)
    (tmp_path / "notes.txt").write_text("no picture")
    source = Folder(tmp_path)
    assert len(source) == 20
    assert (source.resolution, source.num_classes) == (16, 0)
    red = source.images(np.arange(20), 4)[:, 0, 0, 0]
    assert red.tolist() == list(range(10)) * 2


def test_a_folder_that_links_to_itself_is_read_once(tmp_path):
    _fill(tmp_path, 20)
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert len(Folder(tmp_path)) == 20


def test_the_same_picture_for_the_same_index_in_any_batch(tmp_path):
    source = Folder(_fill(tmp_path, 30))
    indices = np.array([7, 29, 7, 0])
    together = source.images(indices, 8)
    assert together[:, 0, 0, 0].tolist() == [7, 29, 7, 0]
    for index, image in zip(indices, together, strict=True):
        again = source.images(np.array([index]), 8)[0]
        np.testing.assert_array_equal(again, image)


def test_pictures_are_decoded_once_where_they_fit(tmp_path, monkeypatch):
    reads = []

    def counted(path, resolution, channels):
        reads.append(resolution)
        return np.zeros((resolution, resolution, channels), np.uint8)

    monkeypatch.setattr("progan_tf.data.folder.read_picture", counted)
    _fill(tmp_path, 20, size=(256, 256))
    everything = np.arange(20)
    source = Folder(tmp_path, cache_bytes=20 * 64 * 64 * 3)
    for size in (4, 8, 16, 32, 64, 4):
        source.images(everything, size)
    assert reads == [64] * 20
    # A resolution that cannot fit is decoded each time.
    for size in (128, 256, 256):
        source.images(everything, size)
    assert reads[20:] == [128] * 20 + [256] * 40
    # Where 64x64 does not fit, lower ones are kept on their own.
    reads.clear()
    source = Folder(tmp_path, cache_bytes=20 * 8 * 8 * 3)
    for _ in range(3):
        source.images(everything, 8)
    assert reads == [64] * 20
    source.images(everything, 4)  # This drops what was kept of 8.
    source.images(everything, 8)
    assert reads[20:] == [64] * 40


@pytest.mark.parametrize("cache_bytes", [0, 4 << 20])
def test_low_resolutions_are_the_means_of_64x64(tmp_path, cache_bytes):
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(300, 64, 64, 3), dtype=np.uint8)
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{number:03d}.png")
    source = Folder(tmp_path, cache_bytes=cache_bytes)
    indices = np.concatenate([rng.permutation(300), [7, 7]])
    for size in (4, 16, 64):
        factor = 64 // size
        blocks = pixels.reshape(300, size, factor, size, factor, 3)
        means = np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8)
        images = source.images(indices, size)
        np.testing.assert_array_equal(images, means[indices])
    assert source.images(indices[:0], 4).shape == (0, 4, 4, 3)


def test_what_is_returned_does_not_share_memory_with_the_cache(tmp_path):
    source = Folder(_fill(tmp_path, 20))
    source.images(np.array([3]), 4)[:] = 255
    source.images(np.array([3]), 4)[:] = 255
    assert source.images(np.array([3]), 4)[0, 0, 0, 0] == 3


def test_the_resolution_is_what_most_pictures_reach(tmp_path):
    _fill(tmp_path / "large", 8, size=(300, 300))
    _fill(tmp_path / "small", 10, size=(45, 180))
    source = Folder(tmp_path)
    assert source.resolution == 32
    with pytest.raises(UserError) as error:
        source.images(np.array([0]), 64)
    assert str(error.value) == (
        "resolution 64 is beyond the data: most pictures of "
        f"{tmp_path} have a short side under 64 (median 45); "
        "use --resolution=32 or larger pictures"
    )


# Damage.


def test_a_broken_picture_is_replaced_named_once_and_counted(tmp_path, caplog):
    _fill(tmp_path, 200)
    _truncate(tmp_path / "120.png")
    source = Folder(tmp_path)
    assert source.unreadable == 0
    with caplog.at_level(logging.WARNING, "progan_tf"):
        for resolution in (4, 8):
            # Twice in one batch: two threads may meet the damage at once.
            images = source.images(np.array([119, 120, 120]), resolution)
            assert images[:, 0, 0, 0].tolist() == [119, 121, 121]
    assert source.unreadable == 1
    (message,) = [record.getMessage() for record in caplog.records]
    assert "120.png" in message


def test_the_last_picture_is_replaced_by_the_first(tmp_path):
    _fill(tmp_path, 150)
    _truncate(tmp_path / "149.png")
    source = Folder(tmp_path)
    assert source.images(np.array([149]), 4)[0, 0, 0, 0] == 0


def test_one_broken_picture_in_fifty_is_too_many(tmp_path):
    _fill(tmp_path, 50)
    _truncate(tmp_path / "020.png")
    source = Folder(tmp_path)
    for _ in range(2):  # The second time as well.
        with pytest.raises(UserError, match="1 of the 50 .*020.png"):
            source.images(np.arange(50), 4)


def test_text_called_jpg_is_skipped(tmp_path, caplog):
    _fill(tmp_path, 200)
    (tmp_path / "100.jpg").write_text("this is not a picture")
    with caplog.at_level(logging.WARNING, "progan_tf"):
        source = Folder(tmp_path)
    assert (len(source), source.unreadable) == (200, 1)
    assert "100.jpg" in caplog.text


def test_many_broken_files_are_counted_and_few_named(tmp_path, caplog):
    _fill(tmp_path, 20)
    for i in range(30):
        (tmp_path / f"{i}.jpg").write_text("this is not a picture")
    with caplog.at_level(logging.WARNING, "progan_tf"):
        with pytest.raises(UserError, match="30 of the 50 pictures") as error:
            Folder(tmp_path)
    assert len(caplog.records) == 20
    assert str(error.value).count(".jpg") == 3
    assert "\n" not in str(error.value)


def test_a_large_folder_says_how_far_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("progan_tf.progress._SECONDS", 0)
    Folder(_fill(tmp_path, 25))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("read 1 of 25 headers")
    assert lines[-1].startswith("read 24 of 25 headers")


def test_a_decompression_bomb_counts_as_unreadable(tmp_path, monkeypatch):
    _fill(tmp_path, 200)
    Image.new("1", (100, 100)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)
    assert Folder(tmp_path).unreadable == 1


def test_a_sub_folder_that_may_not_be_read(tmp_path, monkeypatch, caplog):
    _fill(tmp_path, 20)
    _fill(tmp_path / "lost+found", 20)
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("lost+found"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    # Not by its mode, which means nothing to root.
    monkeypatch.setattr("os.scandir", refuse)
    assert len(Folder(tmp_path)) == 20
    assert caplog.messages == [
        f"skipped unreadable folder {tmp_path}/lost+found: Permission denied"
    ]


def test_wrong_folders(tmp_path):
    with pytest.raises(UserError, match="expected a folder .*nowhere"):
        Folder(tmp_path / "nowhere")
    with pytest.raises(UserError, match="found no file at all"):
        Folder(tmp_path)
    for i in range(3):
        (tmp_path / f"{i}.txt").touch()
    with pytest.raises(UserError, match="found 3 other files"):
        Folder(tmp_path)
    _fill(tmp_path, 15)
    with pytest.raises(UserError, match="at least 16 pictures, found 15"):
        Folder(tmp_path)
    shutil.copy(tmp_path / "000.png", tmp_path / "016.png")
    assert len(Folder(tmp_path)) == 16


def test_pictures_of_a_few_pixels_are_refused(tmp_path):
    _fill(tmp_path, 20, size=(3, 40))
    with pytest.raises(UserError, match="short side of 3 or less"):
        Folder(tmp_path)


# Classes.


def test_each_sub_folder_is_a_class(tmp_path):
    _fill(tmp_path / "dogs", 12)
    _fill(tmp_path / "cats" / "black", 8)
    (tmp_path / "empty").mkdir()
    source = Folder(tmp_path, labels=True)
    assert source.class_names == ("cats", "dogs")
    assert source.num_classes == 2
    labels = source.labels(np.array([0, 7, 8, 19]))
    assert labels.tolist() == [0, 0, 1, 1]
    assert labels.dtype == np.int64


def test_a_stand_in_is_of_the_same_class(tmp_path):
    _fill(tmp_path / "cats", 60)
    _fill(tmp_path / "dogs", 60)
    _truncate(tmp_path / "cats" / "059.png")
    source = Folder(tmp_path, labels=True)
    os.remove(tmp_path / "dogs" / "000.png")  # It must not be asked for.
    assert source.images(np.array([59]), 4)[0, 0, 0, 0] == 0
    assert source.unreadable == 1


def test_wrong_classes(tmp_path):
    _fill(tmp_path / "cats", 20)
    with pytest.raises(UserError, match="two or more sub-folders.*found 1"):
        Folder(tmp_path, labels=True)
    _fill(tmp_path / "dogs", 20)
    _fill(tmp_path, 2)
    with pytest.raises(UserError, match="but 2 lie in"):
        Folder(tmp_path, labels=True)
    with pytest.raises(UserError, match="without labels"):
        Folder(tmp_path).labels(np.array([0]))


def test_kinds_of_pictures_that_are_not_read_are_named(tmp_path, caplog):
    for name in ("a", "b"):
        _fill(tmp_path / name, 10)
    (tmp_path / "phone").mkdir()
    for number in range(3):
        (tmp_path / "phone" / f"{number}.HEIC").touch()
    (tmp_path / "a" / "scan.tif").touch()
    (tmp_path / "a" / "notes.txt").touch()
    (tmp_path / ".hidden").mkdir()
    assert Folder(tmp_path, labels=True).class_names == ("a", "b")
    assert caplog.messages == [
        f"{tmp_path}: 3 .heic, 1 .tif are skipped; the program reads only "
        "JPEG, PNG, WebP, BMP or GIF",
        f"{tmp_path}: these sub-folders are not classes, because no picture "
        "in them can be read: phone",
    ]


def test_folders_that_lead_to_one_another_end(tmp_path):
    _fill(tmp_path / "a", 10)
    _fill(tmp_path / "b", 10)
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / one / "link").symlink_to(tmp_path / other)
        (tmp_path / one / "above").symlink_to(tmp_path)
    assert len(Folder(tmp_path)) >= 20


def test_a_very_deep_folder(tmp_path, monkeypatch):
    _fill(tmp_path, 20)
    # Deeper than functions of Python can call one another.
    deepest = tmp_path
    monkeypatch.chdir(tmp_path)
    for _ in range(1200):
        os.mkdir("d")
        os.chdir("d")
    shutil.copy(deepest / "000.png", "last.png")
    try:
        assert len(Folder(tmp_path)) == 21
    finally:
        # `shutil.rmtree` calls itself, too.
        os.unlink("last.png")
        for _ in range(1200):
            os.chdir("..")
            os.rmdir("d")


def test_names_that_no_terminal_should_get(tmp_path, caplog):
    for name in ("a", "b\x1b[2J"):
        _fill(tmp_path / name, 60)
    (tmp_path / "a" / "x\x1b[2J\n.png").write_text("broken")
    source = Folder(tmp_path, labels=True)
    assert source.class_names == ("a", "b\ufffd[2J")
    assert "skipped unreadable a/x\ufffd[2J\ufffd.png" in caplog.text
    not_utf_8 = os.fsdecode(b"c\xff")
    _fill(tmp_path / not_utf_8, 20)
    assert Folder(tmp_path, labels=True).class_names[-1] == "c\ufffd"
    assert json.dumps(source.class_names, ensure_ascii=False).encode()
