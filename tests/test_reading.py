"""Untrusted files: read, or refused in one line."""

import io
import os
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from progan_tf import reading
from progan_tf.errors import UserError


def npy(array, **header):
    """The bytes of an .npy file, perhaps with another header than its own."""
    file = io.BytesIO()
    fields = {
        "descr": np.lib.format.dtype_to_descr(array.dtype),
        "fortran_order": False,
        "shape": array.shape,
    }
    np.lib.format.write_array_header_1_0(file, fields | header)
    return file.getvalue() + array.tobytes()


def archive(path, members, **keywords):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **keywords) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "read",
    [reading.read_text, reading.read_json, reading.read_array],
)
def test_what_is_not_a_file_is_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        with pytest.raises(UserError, match="^cannot read .*it is not a file$"):
            read(place)
    with pytest.raises(UserError, match="^cannot read .*: No such file"):
        read(tmp_path / "nothing")
    os.symlink("loop", tmp_path / "loop")
    with pytest.raises(UserError, match="Too many levels of symbolic links"):
        read(tmp_path / "loop")
    with pytest.raises(UserError, match="File name too long"):
        read(tmp_path / ("x" * 300))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 100_000, "nested too deep"),
        (b"{", "Expecting property name"),
        (b"", "Expecting value"),
        (b"1" * 5000, "digits"),
        (b'"\\ud800"', "surrogates not allowed"),
        (b"\xff\xfe{", "can't decode byte"),
        (b"\0\0", "not a text file"),
    ],
)
def test_what_is_no_json(tmp_path, content, message):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(UserError, match=f"^cannot read .*x.json: .*{message}"):
        reading.read_json(tmp_path / "x.json")


def test_json_as_other_programs_write_it(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b'\xef\xbb\xbf{"\xc3\xa9": [1, "\\ud83d\\ude3a"]}\r\n')
    assert reading.read_json(path) == {"é": [1, "😺"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            npy(np.zeros(3), shape=(4,)),
            "it is cut off: expected 32 bytes, found 24",
        ),
        (npy(np.zeros(0), shape=(1 << 40,)), "it is cut off"),
        (npy(np.zeros(3), shape=(-1,)), "."),
        (npy(np.zeros(3), shape="x"), "not a valid shape|shape"),
        (npy(np.zeros(3), shape=(2.5,)), "shape"),
        (npy(np.zeros(3), descr="|O"), "holds Python objects"),
        (npy(np.zeros(3), descr="<q9"), "descr|dtype"),
        (npy(np.zeros(3))[:9], "EOF|expected"),
        (npy(np.zeros(3))[:30], "EOF|expected"),
        (b"\x93NUMPY\x09\x00" + npy(np.zeros(3))[8:], "is not supported"),
        (b"PK\x03\x04", "magic string"),
        (b"", "EOF|expected"),
    ],
)
def test_what_is_no_array(tmp_path, content, message):
    path = tmp_path / "x.npy"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"^cannot read .*x.npy: .*({message})"):
        reading.read_array(path)
    path = archive(tmp_path / "x.npz", {"x.npy": content})
    with reading.ArrayArchive(path) as arrays:
        assert arrays.names == ("x",)
        with pytest.raises(UserError, match=r"^cannot read .* as \.npz: x: "):
            arrays["x"]


def test_arrays_come_back(tmp_path):
    arrays = {
        "x": np.arange(6, dtype=">i2").reshape(2, 3),
        "y": np.asfortranarray(np.ones([3, 2])),
        "z": np.array(7),
    }
    np.savez_compressed(tmp_path / "x.npz", **arrays)
    with reading.ArrayArchive(tmp_path / "x.npz") as archived:
        for name, array in arrays.items():
            np.testing.assert_array_equal(archived[name], array)
            np.save(tmp_path / "x.npy", array)
            array_again = reading.read_array(tmp_path / "x.npy")
            np.testing.assert_array_equal(array_again, array)
            assert array_again.dtype == array.dtype


def test_more_than_the_memory_is_refused(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", np.zeros(1000, np.uint8))
    monkeypatch.setattr(reading, "_memory", lambda: 999)
    with pytest.raises(UserError, match="1,000 bytes do not fit in the memory"):
        reading.read_array(tmp_path / "x.npy")


def test_an_archive_that_lies_takes_no_memory(tmp_path):
    # It says of a member that it has a gigabyte; there are some bytes.
    content = npy(np.zeros(100, np.uint8), shape=(1 << 30,))
    path = archive(tmp_path / "x.npz", {"x.npy": content})
    whole = path.read_bytes()
    size = struct.pack("<I", len(content))
    path.write_bytes(whole.replace(size, struct.pack("<I", (1 << 30) + 200)))
    tracemalloc.start()
    with reading.ArrayArchive(path) as arrays, pytest.raises(UserError):
        arrays["x"]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The array itself, which is never written to, takes none.
    assert most < (1 << 30) + (1 << 24)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(17), b"x" * 99])
def test_what_is_no_archive(tmp_path, content):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"^cannot read .*x.npz as \.npz: "):
        reading.ArrayArchive(tmp_path / "x.npz")


def test_a_picture_of_too_many_pixels(tmp_path, monkeypatch, recwarn):
    Image.new("1", (100, 100)).save(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 6000)
    with reading.open_picture(tmp_path / "x.png") as image:
        assert image.size == (100, 100)
    assert not recwarn.list
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)
    with pytest.raises(ValueError, match="more than 8,000 pixels"):
        with reading.open_picture(tmp_path / "x.png"):
            pass


def test_a_picture_that_is_a_pipe_or_a_program(tmp_path):
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(OSError, match="it is not a file"):
        with reading.open_picture(tmp_path / "x.png"):
            pass
    (tmp_path / "y.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"
    )
    with pytest.raises(ValueError, match="not a picture of a known kind"):
        with reading.open_picture(tmp_path / "y.png"):
            pass


def test_text_chunks_of_a_picture_take_no_memory(tmp_path):
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "PNG")
    content = file.getvalue()
    text = b"zTXtx\0\0" + zlib.compress(bytes(1 << 26))
    chunk = struct.pack(">I", len(text) - 4) + text
    chunk += struct.pack(">I", zlib.crc32(text))
    path = tmp_path / "x.png"
    path.write_bytes(content[:33] + chunk + content[33:])
    tracemalloc.start()
    with pytest.raises(Exception, match="too large"):
        with reading.open_picture(path) as image:
            image.load()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 23


def test_a_giant_text_is_not_read(tmp_path):
    path = tmp_path / "x.txt"
    with path.open("wb") as file:
        file.truncate(20 << 30)  # It takes no room on the disk.
    tracemalloc.start()
    with pytest.raises(UserError, match="more than 1,073,741,824 bytes"):
        reading.read_text(path)
    path.write_text("text")
    assert reading.read_text(path) == "text"
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 20


def test_an_array_of_more_than_is_of_use(tmp_path):
    path = tmp_path / "x.npy"
    with path.open("wb") as file:
        header = {
            "descr": "<f4",
            "fortran_order": False,
            "shape": (40, 1 << 27),
        }
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 40 * (1 << 29))  # Without the room.
    with pytest.raises(
        UserError, match="21,474,836,480 bytes are more than the 80"
    ):
        reading.read_array(path, most=80)


def test_an_archive_that_would_fill_the_memory(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros(1 << 20, np.uint8))
    with reading.ArrayArchive(tmp_path / "x.npz") as arrays:
        assert not arrays["x"].any()
        monkeypatch.setattr(reading, "_LARGE", 1000)
        with pytest.raises(UserError, match="it would grow to 1,048,704 bytes"):
            arrays["x"]
