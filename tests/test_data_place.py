"""Where prepared sets may be written, and how one replaces another."""

import os
import pathlib

import pytest

from progan_tf.data import open_source
from progan_tf.errors import UserError
from progan_tf.preparation import place


def make_set(folder, text):
    folder.mkdir()
    (folder / "compact.json").write_text(text)


def test_a_set_does_not_lie_within_its_source(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to("photos")
    monkeypatch.chdir(tmp_path)
    for source in ("photos", "link", "celeba:photos", str(tmp_path)):
        with pytest.raises(UserError, match="photos/set lies within"):
            place.check_place("photos/set", False, source)
    for source in ("photos/set/more", "phot", "cats", "tfds:mnist"):
        place.check_place("photos/set", False, source)


@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_replacement_that_fails_is_undone(tmp_path, monkeypatch, fails_at):
    out = tmp_path / "set"
    make_set(out, "old")
    rename, calls = pathlib.Path.rename, []

    def failing(path, target):
        calls.append(path)
        if len(calls) == fails_at:
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(pathlib.Path, "rename", failing)
    with pytest.raises(UserError, match="cannot write .*set: Input/output"):
        with place.place_for(out, overwrite=True) as folder:
            make_set(folder, "new")
    assert (out / "compact.json").read_text() == "old"
    assert os.listdir(tmp_path) == ["set"]


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    # Not by its mode, which means nothing to root.
    monkeypatch.setattr("os.listdir", refuse)
    message = f"^cannot read {tmp_path}: Permission denied$"
    with pytest.raises(UserError, match=message):
        place.check_place(tmp_path, overwrite=True)
    with pytest.raises(UserError, match=message):
        open_source(str(tmp_path))
