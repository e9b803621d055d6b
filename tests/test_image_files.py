"""Images in grids and folders: whole, not mixed and not made twice."""

import json
import os
import threading
import time

import numpy as np
import pytest
from PIL import Image
from seeded import Source

from progan_tf.errors import UserError
from progan_tf.generation import image_files
from progan_tf.generation.image_files import place_of, save_folder, save_grid


def read(path):
    """The pixels of a file, uint8 `[height, width, 1 or 3]`."""
    if path.suffix == ".npy":
        return np.load(path)
    with Image.open(path) as image:
        pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]


def contents(folder):
    """dict from name to bytes of every file, hidden ones too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---- places ----


@pytest.mark.parametrize(
    "name, kind, place",
    [
        ("new/", None, (True, "png")),
        ("new/", "npy", (True, "npy")),
        ("", "jpg", (True, "jpg")),
        ("x.png", None, (False, "png")),
        ("x.JPG", "jpg", (False, "jpg")),
        ("x.npy", None, (False, "npy")),
        ("x.npz", None, (False, "npz")),
    ],
)
def test_places(tmp_path, name, kind, place):
    assert place_of(os.path.join(tmp_path, name), kind) == place


def test_places_that_cannot_be_written(tmp_path):
    file = tmp_path / "file.png"
    file.write_bytes(b"")
    with pytest.raises(UserError, match="expected FOLDER/, FILE.png, "):
        place_of(str(tmp_path / "grid.gif"))
    for missing in (tmp_path / "missing" / "grid.png", file / "grid.png"):
        with pytest.raises(UserError, match="cannot write"):
            place_of(str(missing))
    with pytest.raises(UserError, match="--format=jpg is for FOLDER/"):
        place_of(str(file), "jpg")
    with pytest.raises(UserError, match="cannot write"):
        save_folder(Source(), [0], f"{file}/", "png")
    assert file.read_bytes() == b""


# ---- grids ----


def test_a_grid_is_about_square(tmp_path):
    for count, columns, size in (
        (1, None, (4, 4)),
        (5, None, (12, 8)),
        (64, None, (32, 32)),
        (5, 5, (20, 4)),
    ):
        path = tmp_path / "grid.png"
        save_grid(Source(), range(count), path, columns)
        with Image.open(path) as grid:
            assert grid.size == size
    row = read(path)
    np.testing.assert_array_equal(row[:, 8:12], Source().image(2))


def test_a_jpeg_keeps_its_colours_at_full_resolution(tmp_path):
    # Red and green in turn: at half the resolution both would be brown.
    image = np.zeros((16, 16, 3), "uint8")
    image[:, ::2, 0] = image[:, 1::2, 1] = 200
    image_files.write_image(tmp_path / "x.jpg", image)
    with Image.open(tmp_path / "x.jpg") as file:
        assert file.format == "JPEG"
        pixels = np.asarray(file).astype(int)
    np.testing.assert_allclose(pixels, image, atol=30)


@pytest.mark.parametrize(
    "shape, count", [((1024, 1024, 3), 320), ((4, 4, 3), 300_000_000)]
)
def test_a_grid_that_is_too_large(tmp_path, shape, count):
    source = Source()
    source.shape = shape
    with pytest.raises(UserError, match="write FOLDER/ or FILE.npz"):
        save_grid(source, range(count), tmp_path / "grid.png")
    assert source.made == []
    assert not list(tmp_path.iterdir())


# ---- folders ----


@pytest.mark.parametrize("kind", image_files.FORMATS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_file_for_each_seed(tmp_path, kind, channels):
    folder = tmp_path / "a" / "b"
    source = Source(channels=channels)
    # A seed that comes twice is one file.
    assert save_folder(source, [5, 1234567, 5], folder, kind) == 2
    names = sorted(path.name for path in folder.iterdir())
    assert names == [
        ".generate.json",
        f"seed000005.{kind}",
        f"seed1234567.{kind}",
    ]
    pixels = read(folder / names[1])
    assert pixels.shape == (4, 4, channels)
    if kind != "jpg":
        np.testing.assert_array_equal(pixels, source.image(5))


def test_an_interrupted_folder_goes_on(tmp_path):
    seeds = range(100, 160)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    save_folder(Source(), seeds, whole, "png")
    with pytest.raises(KeyboardInterrupt):
        save_folder(Source(stop_at=140), seeds, parts, "png")
    there = [name for name in contents(parts) if name.startswith("seed")]
    assert there
    assert not [n for n in contents(parts) if ".tmp." in n]
    source = Source()
    assert save_folder(source, seeds, parts, "png") == 60 - len(there)
    assert len(source.made) == 60 - len(there)
    assert contents(parts) == contents(whole)
    # And again there is nothing to do.
    assert save_folder(Source(stop_at=100), seeds, parts, "png") == 0


def test_more_seeds_are_added(tmp_path):
    source = Source()
    save_folder(source, range(5), tmp_path, "npy")
    assert save_folder(source, range(3, 8), tmp_path, "npy") == 3
    assert source.made == list(range(8))


def test_images_of_another_request_are_not_mixed_in(tmp_path):
    save_folder(Source("one"), range(4), tmp_path, "png")
    before = contents(tmp_path)
    with pytest.raises(UserError, match="differs in generator; .*--overwrite"):
        save_folder(Source("two"), range(2, 6), tmp_path, "png")
    with pytest.raises(UserError, match="differs in format; "):
        save_folder(Source("one"), range(4), tmp_path, "jpg")
    assert contents(tmp_path) == before
    # Not a seed of the first request is left.
    made = save_folder(Source("two"), [7], tmp_path, "jpg", overwrite=True)
    assert made == 1
    assert sorted(contents(tmp_path)) == [".generate.json", "seed000007.jpg"]
    # Given again it goes on, as it does without that flag.
    assert save_folder(Source("two"), [7], tmp_path, "jpg", overwrite=True) == 0


def test_images_of_an_unknown_request_are_not_mixed_in(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "seed000000.png").write_text("whose?")
    for manifest in (None, "{", "[]", json.dumps({"generator": "one"})):
        if manifest is not None:
            (tmp_path / ".generate.json").write_text(manifest)
        with pytest.raises(UserError, match="--overwrite to replace them"):
            save_folder(Source(), [1], tmp_path, "png")
    save_folder(Source(), [1], tmp_path, "png", overwrite=True)
    names = [".generate.json", "notes.txt", "seed000001.png"]
    assert sorted(contents(tmp_path)) == names


def test_a_full_disk_is_one_line_and_goes_on(tmp_path, monkeypatch):
    write, space = image_files.write_image, threading.Semaphore(20)

    def write_while_there_is_space(path, image):
        if not space.acquire(blocking=False):
            raise UserError(f"cannot write {path}: No space left on device")
        write(path, image)

    full = write_while_there_is_space
    monkeypatch.setattr(image_files, "write_image", full)
    with pytest.raises(UserError, match="No space left"):
        save_folder(Source(), range(90), tmp_path, "png")
    monkeypatch.undo()
    assert save_folder(Source(), range(90), tmp_path, "png") == 70


def test_few_images_wait_for_slow_files(tmp_path, monkeypatch):
    monkeypatch.setattr(
        image_files, "write_image", lambda *_: time.sleep(0.001)
    )
    source = Source()
    save_folder(source, range(500), tmp_path, "png")
    assert len(source.made) == 500
    # Those that wait, those that are written, and the one that was just made.
    most = 2 * min(8, os.cpu_count()) + 3
    assert 1 < source.most_held <= most
