"""Classes from files beside the pictures."""

import pathlib

import numpy as np
import pytest
from pictures import write_pictures

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
        ("2\n0\n10\n", tuple(map(str, range(11))), [2, 0, 10]),
        ("0\n00\n" + 20 * "0" + "1", ("0", "1"), [0, 0, 1]),
        ("dog\n\ncat\r\ndog", ("cat", "dog"), [1, 0, 1]),
        ("\ufeffb.png,x\nc/d.png, y\na,1.png,x", ("x", "y"), [0, 0, 1]),
        ("b.png,1\nc/d.png,0\na,1.png,1", ("0", "1"), [1, 1, 0]),
        (np.array([1, 0, 1], np.uint8), ("0", "1"), [1, 0, 1]),
        (np.array([[1], [0], [2]]), ("0", "1", "2"), [1, 0, 2]),
        (np.eye(3)[[1, 1, 0]], ("0", "1", "2"), [1, 1, 0]),
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
        ("file,class\nb.png,1\n", "'file', which is no picture .*'a,1.png'"),
        ("0\n0\n0", "two or more classes"),
        ("x\nx\nx", "two or more classes"),
        (np.array([0, -1, 1]), "from -1"),
        (np.array([0.5, 0, 1]), "got float64"),
        (np.ones([3, 2]), "got float64"),
        (np.zeros([3, 2], [("a", "u1")]), "as one-hot rows; got"),
        ("0\n1\n65536", "from 0 to at most 65535 in .*, got 65536; number"),
        (np.array([0, 1, 2**62]), "at most 65535"),
        ("0\n1\n" + 5000 * "9", "at most 65535"),
        (np.array(["a", "b", None]), "cannot read the labels"),
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
