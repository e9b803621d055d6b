"""PyTorch files that are malicious or unexpected: one line."""

import contextlib
import functools
import os
import sys
import zipfile

import pytest
from published_files import (
    GOLDENS,
    Hostile,
    assert_refused_by,
    gan_zoo_content,
    save_gan_zoo,
)

from progan_tf.weights import read_gan_zoo, read_official, read_published

pytest.importorskip("torch", reason="these are files of PyTorch")

assert_refused = functools.partial(assert_refused_by, read_gan_zoo)
NAMES = ["gan_zoo_16", "gan_zoo_16_legacy"]


@pytest.mark.parametrize("legacy", [False, True])
def test_nothing_is_executed(tmp_path, legacy):
    canary, content = tmp_path / "canary", gan_zoo_content("gan_zoo_16")
    content["config"].alpha = Hostile(canary)
    path = save_gan_zoo(tmp_path / "x.pth", content, legacy)
    assert_refused(path, "asks for '(posix|nt).system'.*Nothing")
    assert not canary.exists()
    content["config"] = contextlib.ExitStack()
    path = save_gan_zoo(tmp_path / "x.pth", content, legacy)
    assert_refused(path, "asks for 'contextlib.ExitStack'")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.001, 0.1, 0.6, 0.99])
def test_a_truncated_file(tmp_path, name, share):
    data = (GOLDENS / f"{name}.pth").read_bytes()
    path = tmp_path / "x.pth"
    path.write_bytes(data[: int(share * len(data))])
    assert_refused(path, "not a complete file of PyTorch")


@pytest.mark.parametrize(
    ("place", "byte"),
    [
        (0, 0),  # The signature of an entry of the archive's directory.
        (6, 255),  # The version that it takes to read it.
        (46, 255),  # The first letter of its name.
    ],
)
def test_a_damaged_directory(tmp_path, place, byte):
    data = bytearray((GOLDENS / "gan_zoo_16.pth").read_bytes())
    data[data.index(b"PK\1\2") + place] = byte
    path = tmp_path / "x.pth"
    path.write_bytes(data)
    assert_refused(path, "not a complete file of PyTorch")


def test_other_files(tmp_path):
    assert_refused(tmp_path / "none.pth", "No such file")
    path = tmp_path / "x.pth"
    path.write_bytes(b"")
    assert_refused(path, "a file that torch.save wrote")
    golden = GOLDENS / "official_16_fused.pkl"
    assert_refused(golden, "a file that torch.save wrote")
    assert_refused(save_gan_zoo(path, [1, 2]), "holds no netG and netD")
    # The official reader tells the other way round.
    golden = GOLDENS / "gan_zoo_16_legacy.pth"
    assert_refused_by(read_official, golden, "something else")
    assert read_published(golden).info.program == "gan_zoo"


def test_an_archive_that_would_grow(tmp_path):
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", bytes(10_000_000))
    assert_refused(path, "would unpack to 10,000,000 bytes")


def test_without_pytorch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    golden = GOLDENS / "gan_zoo_16.pth"
    assert_refused(golden, r'pip install "progan-tf\[torch\]"')


def test_a_byte_that_was_changed(tmp_path):
    data = bytearray((GOLDENS / "gan_zoo_16.pth").read_bytes())
    path = tmp_path / "x.pth"
    data[len(data) // 2] ^= 1  # Of a kernel; PyTorch would not notice.
    path.write_bytes(data)
    assert_refused(path, "not a complete file of PyTorch")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.pth")
    assert_refused_by(read_published, tmp_path / "x.pth", "it is not a file")
