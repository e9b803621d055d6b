"""Classes from files beside the pictures."""

import os
import pathlib

import numpy as np
import pytest
from pictures import random_pixels, write_pictures
from PIL import Image

from progan_tf.data.folder import Folder
from progan_tf.data.labels_file import read_labels_file
from progan_tf.errors import UserError

PICTURES = [pathlib.Path(name) for name in ("a,1.png", "b.png", "c/d.png")]


def read(folder, content):
    """What is read of a text or, as .npy, of an array."""
    if isinstance(content, str):
        path = folder / "labels.csv"
        path.write_text(content, encoding="utf-8")
    else:
        path = folder / "labels.npy"
        np.save(path, content)
    return read_labels_file(path, PICTURES)


@pytest.mark.parametrize(
    ("content", "names", "labels"),
    [
        ("2\n0\n10\n", ("0", "2", "10"), [1, 0, 2]),
        ("0\n1\n" + 50 * "9", ("0", "1", 50 * "9"), [0, 1, 2]),
        ("0\n00\n" + 20 * "0" + "1", ("0", "1"), [0, 0, 1]),
        ("dog\n\ncat\r\ndog", ("cat", "dog"), [1, 0, 1]),
        ("\ufeffb.png,x\nc/d.png, y\na,1.png,x", ("x", "y"), [0, 0, 1]),
        ("b.png,1\nc/d.png,0\na,1.png,1", ("0", "1"), [1, 1, 0]),
        (np.array([1, 0, 1], np.uint8), ("0", "1"), [1, 0, 1]),
        (np.array([[1], [0], [2]]), ("0", "1", "2"), [1, 0, 2]),
        (np.array([3, 2**62, 3]), ("3", str(2**62)), [0, 1, 0]),
        (np.eye(3)[[1, 1, 0]], ("0", "1", "2"), [1, 1, 0]),
        # As of CelebA's identities; names of both may hold spaces.
        ("c/d.png 3\nb.png 10\na,1.png 3", ("3", "10"), [0, 1, 0]),
        ("b.png\tx y\nc/d.png  z\na,1.png\tx y", ("x y", "z"), [0, 0, 1]),
        ("b.png;x y\nc/d.png ; z\na,1.png;x y", ("x y", "z"), [0, 0, 1]),
    ],
)
def test_what_is_understood(tmp_path, content, names, labels):
    found, numbers = read(tmp_path, content)
    assert found == names
    assert numbers.tolist() == labels
    assert numbers.dtype == np.int64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0\n1\n", "one label for each of the 3 pictures, got 2"),
        (np.arange(4), "3 pictures, got 4"),
        (np.float32(1), "3 pictures, got 0"),
        ("a,1.png,0\nb.png,1\n", "3 pictures, got 2"),
        ("a,1.png,0\nb.png,1\nb.png,1", "each picture once; got 'b.png,1'"),
        ("a,1.png,0\nb.png,1\n0", "got '0'"),
        (
            "file,class\nb.png,1\n",
            "such as 'a,1.png', .* got 'file' and 0 more",
        ),
        ("0\n0\n0", "two or more classes"),
        ("x\nx\nx", "two or more classes"),
        (np.array([0, -1, 1]), "from -1"),
        (np.array([0.5, 0, 1]), "got float64"),
        (np.ones([3, 2]), "got float64"),
        (np.zeros([3, 2], [("a", "u1")]), "as one-hot rows; got"),
        ("b.png 1\nc/d.png 0\nx.png 1", "got 'x.png' and 0 more"),
        ("b.png 1\nc/d.png 0\na,1.png", "expected lines such as picture.png"),
        ("b.png 1\nc/d.png 0\nb.png 1", "each picture once; got 'b.png 1'"),
        ("a\0b", "not a text file"),
        ("a\nb\n" + 5000 * "9", "classes of at most 200 letters .* 99+[.]+9+$"),
        (np.eye(3, (1 << 16) + 1), "at most 65536 classes .* got 65537"),
        (np.array(["a", "b", None]), "holds Python objects"),
    ],
)
def test_what_is_not(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, content)


def test_no_such_file(tmp_path):
    with pytest.raises(UserError, match="no.csv: No such file"):
        read_labels_file(tmp_path / "no.csv", PICTURES)


def test_of_a_folder_the_unreadable_pictures_have_labels_too(tmp_path):
    folder = write_pictures(tmp_path / "pictures", 200, 8)
    (folder / "000.png").write_text("not a picture")
    path = tmp_path / "labels.txt"
    path.write_text("\n".join(str(number % 7) for number in range(200)))
    source = Folder(folder, labels_file=path)
    assert (len(source), source.num_classes) == (199, 7)
    assert source.labels(np.array([0, 1, 198])).tolist() == [1, 2, 199 % 7]


def named(count):
    """Pictures as those of CelebA."""
    return [pathlib.Path(f"{number:06d}.jpg") for number in range(count)]


@pytest.mark.parametrize("separator", [" ", "\t", ";", ",", ", ", "   "])
def test_identities_of_celeba(tmp_path, separator):
    path = tmp_path / "identity.txt"
    pictures = named(40)
    path.write_text(
        "".join(
            f"{picture}{separator}{7 * (number % 4) + 1}\n"
            for number, picture in enumerate(pictures)
        )
    )
    names, labels = read_labels_file(path, pictures)
    assert names == ("1", "8", "15", "22")
    assert labels.tolist() == [number % 4 for number in range(40)]


def test_nearly_a_class_for_each_picture_is_refused(tmp_path):
    path = tmp_path / "labels.txt"
    # Of pictures that the folder has under other names.
    path.write_text("".join(f"{n}.png {n % 4}\n" for n in range(40)))
    with pytest.raises(UserError, match="40 classes for 40 pictures; lines of"):
        read_labels_file(path, named(40))
    np.save(tmp_path / "labels.npy", np.arange(40) // 1.9 // 1)
    with pytest.raises(UserError, match="as whole numbers"):
        read_labels_file(tmp_path / "labels.npy", named(40))
    np.save(tmp_path / "labels.npy", (np.arange(40) // 1.9).astype(int))
    with pytest.raises(UserError, match="21 classes for 40 pictures$"):
        read_labels_file(tmp_path / "labels.npy", named(40))
    folder = tmp_path / "folder"
    for number, pixels in enumerate(random_pixels(16, 8, 8)):
        (folder / str(number % 9)).mkdir(parents=True, exist_ok=True)
        path = folder / str(number % 9) / f"{number}.png"
        Image.fromarray(pixels).save(path)
    with pytest.raises(UserError, match="9 classes for 16 pictures$"):
        Folder(folder, labels=True)


def test_numbers_without_pictures_are_told_and_no_classes(tmp_path, caplog):
    path = tmp_path / "labels.txt"
    path.write_text("".join(f"{n % 4 + 1}\n" for n in range(40)))
    names, labels = read_labels_file(path, named(40))
    assert names == ("1", "2", "3", "4")
    assert labels.max() == 3
    (message,) = caplog.messages
    assert "the 4 numbers that have pictures (1, 2, 3, 4)" in message
    caplog.clear()
    path.write_text("".join(f"{(0, 5, 700)[n % 3]}\n" for n in range(40)))
    assert read_labels_file(path, named(40))[0] == ("0", "5", "700")
    assert "(0, 5, 700)" in caplog.text
    # Of one-hot rows each column is a class, as of prepared sets.
    np.save(tmp_path / "labels.npy", np.eye(9)[np.arange(40) % 3 * 3])
    names, labels = read_labels_file(tmp_path / "labels.npy", named(40))
    assert (len(names), set(labels)) == (9, {0, 3, 6})


def test_letters_that_are_written_in_two_ways(tmp_path):
    one, other = "é.png", "e\u0301.png"
    path = tmp_path / "labels.txt"
    path.write_text(f"{one},1\nb.png,0\n", encoding="utf-8")
    pictures = [pathlib.Path("b.png"), pathlib.Path(other)]
    assert read_labels_file(path, pictures)[1].tolist() == [0, 1]
    for name in ("é", "e\u0301"):
        write_pictures(tmp_path / "in" / name, 10, 8)
    with pytest.raises(UserError, match="sub-folders of different names"):
        Folder(tmp_path / "in", labels=True)


@pytest.mark.parametrize("name", ["labels.txt", "labels.npy"])
def test_what_is_no_labels_file_at_all(tmp_path, name):
    path = tmp_path / name
    os.mkfifo(path)  # To open it to read would wait for a writer.
    with pytest.raises(UserError, match="it is not a file"):
        read_labels_file(path, PICTURES)
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match="it is not a file"):
        read_labels_file(path, PICTURES)
    path.rmdir()
    np.savez(tmp_path / "x.npz", x=[1, 2, 3])
    (tmp_path / "x.npz").rename(path)
    with pytest.raises(UserError, match="not a text file|magic string"):
        read_labels_file(path, PICTURES)
