"""Every reader of pictures, on randomly damaged files.

It either reads a damaged file or raises a one-line `UserError`: never another
exception, and never after a long time. The damage follows from a seed, so that
errors found once are tested again: see `FOUND`.
"""

import io
import pathlib
import random
import re
import shutil
import time

import lmdb
import numpy as np
import pytest
from pictures import random_pixels
from PIL import Image

from progan_tf.data import open_source
from progan_tf.data.example import parse_example
from progan_tf.data.labels_file import read_labels_file
from progan_tf.data.picture_files import read_picture, read_size
from progan_tf.data.tfds import record_starts
from progan_tf.errors import UserError
from progan_tf.preparation import inspection
from progan_tf.preparation.writers import open_writer

COUNT = 20  # Pictures in a set.
SECONDS = 10  # That nothing may take.
EACH = 20  # Damages of each file that are tried each time.

# Numbers of damages that once ended in anything else, by kind of data.
FOUND = {"arrays": (208, 267)}


def encoded(pixels, kind, **save):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **save)
    return file.getvalue()


def make_pictures(folder):
    pixels = random_pixels(1, 24, 24, 3)[0]
    pixels[4:20] = 7
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "PNG", "WEBP", "BMP", "GIF"):
        save = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}
        (folder / f"x.{kind}").write_bytes(encoded(pixels, kind, **save))
    (folder / "deep.png").write_bytes(
        encoded(pixels[..., 0].astype(np.uint16) * 99, "PNG", transparency=693)
    )
    palette = Image.fromarray(pixels).convert("P")
    palette.save(folder / "palette.png", transparency=3)
    frames = [Image.fromarray(pixels[..., n]) for n in range(3)]
    for name in ("film.gif", "film.webp"):
        frames[0].save(folder / name, save_all=True, append_images=frames[1:])


def read_pictures(folder, path):
    # A folder counts what is raised, of whatever kind.
    try:
        read_size(path)
        read_picture(path, 16, 3)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:
        assert str(error)


def make_lmdb(folder):
    environment = lmdb.open(str(folder), map_size=1 << 22, lock=False)
    with environment.begin(write=True) as transaction:
        for number, pixels in enumerate(random_pixels(COUNT, 16, 16, 3)):
            # Some values lie within the pages of keys.
            size = 16 if number % 3 else 4
            content = encoded(pixels[:size, :size], "PNG")
            transaction.put(f"8-{number:05}".encode(), content)
    environment.close()


def read_lmdb(folder, path):
    read_source(f"lsun:{folder}")


def make_arrays(folder):
    arrays = {"x": random_pixels(COUNT, 8, 8, 3), "y": np.arange(COUNT) % 3}
    np.savez_compressed(folder / "x.npz", **arrays)


def read_arrays(folder, path):
    read_source(str(folder / "x.npz"), labels=True)


def make_set(form):
    def make(folder):
        folder.rmdir()
        with open_writer(form, folder, "set", 16, 3) as writer:
            for pixels in random_pixels(COUNT, 16, 16, 3):
                writer.append(writer.encode(pixels))
            writer.finish(np.arange(COUNT) % 3, ("a", "b", "é"))

    return make


def read_set(folder, path):
    read_source(str(folder), labels=True)
    inspection.describe(folder)
    inspection.save_samples(folder, folder.parent / "samples.png")


def verify_set(folder, path):
    inspection.verify(folder)


PICTURES = [pathlib.Path(f"{number:03}.png") for number in range(COUNT)]


def make_labels(folder):
    (folder / "classes.txt").write_text(
        "".join(f"{n % 3}\n" for n in range(COUNT))
    )
    lines = [f"{path} {number % 3}\n" for number, path in enumerate(PICTURES)]
    (folder / "named.txt").write_text("".join(lines))
    np.save(folder / "numbers.npy", np.arange(COUNT) % 3)
    np.save(folder / "rows.npy", np.eye(3)[np.arange(COUNT) % 3])


def read_labels(folder, path):
    names, labels = read_labels_file(path, PICTURES)
    assert labels.shape == (COUNT,)
    assert 0 <= labels.min() and labels.max() < len(names)


def read_source(data, labels=False):
    source = open_source(data, labels=labels, preparing=True)
    indices = np.arange(len(source))[:40]
    if labels:
        source.labels(indices)
    size = 4
    while size <= source.resolution:
        images = source.images(indices, size)
        assert images.shape == (len(indices), size, size, 3)
        size *= 2


def make_shard(folder):
    make_set("tfrecords")(folder)
    for path in folder.iterdir():
        if "r03" not in path.name:
            path.unlink()


def read_shard(folder, path):
    starts = record_starts(path, COUNT)
    content = path.read_bytes()
    for start, end in zip(starts[:-1], starts[1:], strict=True):
        try:
            parse_example(content[start + 12 : end - 4])
        except ValueError as error:
            assert "not a tf.train.Example" in str(error)


KINDS = {
    "pictures": (make_pictures, read_pictures),
    "lmdb": (make_lmdb, read_lmdb),
    "arrays": (make_arrays, read_arrays),
    "compact": (make_set("compact"), read_set),
    "tfrecords": (make_set("tfrecords"), read_set),
    "compact, verified": (make_set("compact"), verify_set),
    "tfrecords, verified": (make_set("tfrecords"), verify_set),
    "labels": (make_labels, read_labels),
    "shard": (make_shard, read_shard),
}


def damaged(content, seed):
    """Other bytes: flipped, cut, overwritten, swapped, doubled or replaced."""
    draw = random.Random(seed)
    content = bytearray(content)
    size = max(1, len(content))
    # Half of the time at the beginning, where headers are.
    reach = min(size, 200) if draw.random() < 0.5 else size
    for _ in range(draw.choice((1, 1, 1, 2, 5, 20))):
        place, way = draw.randrange(reach), draw.randrange(8)
        length = draw.choice((1, 2, 4, 8, 100, 4096))
        if way <= 1 and place < len(content):
            content[place] ^= 1 << draw.randrange(8)
        elif way == 2:
            del content[place:]
        elif way == 3:
            content[place : place + length] = (
                draw.choice((b"\xff", b"\0", b"\x7f", b"[", b"9", b"\x80"))
                * length
            )
        elif way == 4:
            other = draw.randrange(size)
            part = content[place : place + length]
            content[place : place + length] = content[other : other + length]
            content[other : other + length] = part
        elif way == 5:
            content[place:place] = content[place : place + length]
        elif way == 6:
            del content[place : place + length]
        else:
            # As of JSON, and of the headers of arrays.
            numbers = list(re.finditer(rb"\d+|\"\w*\"|\[|\(", content[:5000]))
            values = b'-1 0 1e999 null {} [] true "x" 99999999999999999999'
            if numbers:
                chosen = draw.choice(numbers)
                value = draw.choice(values.split())
                content[chosen.start() : chosen.end()] = value
    return bytes(content)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory):
    """A folder of whole files of each kind."""
    folders = {}
    for kind, (make, _) in KINDS.items():
        folders[kind] = tmp_path_factory.mktemp("whole") / "set"
        folders[kind].mkdir()
        make(folders[kind])
    return folders


def run(kind, whole, folder, seeds):
    """Damages each file by each number; returns what should not have come."""
    wrong = []
    _, read = KINDS[kind]
    for path in sorted(whole.iterdir()):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        for seed in seeds:
            content = damaged(path.read_bytes(), seed)
            (folder / path.name).write_bytes(content)
            start = time.monotonic()
            try:
                read(folder, folder / path.name)
            except UserError as error:
                if len(str(error)) > 1000:
                    wrong.append((path.name, seed, "a long message"))
            except Exception as error:
                wrong.append((path.name, seed, repr(error)))
            if time.monotonic() - start > SECONDS:
                wrong.append((path.name, seed, "too long"))
        shutil.copy(path, folder)
    return wrong


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_read_or_refused(wholes, tmp_path, kind, monkeypatch):
    # Larger pictures are read, but take their time.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1 << 20)
    whole, folder = wholes[kind], tmp_path / "set"
    shutil.copytree(whole, folder)
    for path in sorted(folder.iterdir()):
        KINDS[kind][1](folder, path)  # Whole ones are read.
    # To verify takes TensorFlow, and time.
    each = EACH // 4 if "verified" in kind else EACH
    seeds = [*range(each), *FOUND.get(kind, ())]
    assert not run(kind, whole, folder, seeds)
