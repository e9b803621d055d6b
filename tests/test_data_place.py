"""Where prepared sets may be written, and how one replaces another."""

import pytest

from progan_tf.data import open_source
from progan_tf.errors import UserError
from progan_tf.preparation import check_place


def test_a_set_does_not_lie_within_its_source(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to("photos")
    monkeypatch.chdir(tmp_path)
    for source in ("photos", "link", "celeba:photos", str(tmp_path)):
        with pytest.raises(UserError, match="photos/set lies within"):
            check_place("photos/set", False, source)
    for source in ("photos/set/more", "phot", "cats", "tfds:mnist"):
        check_place("photos/set", False, source)


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    # Not by its mode, which means nothing to root.
    monkeypatch.setattr("os.listdir", refuse)
    message = f"^cannot read {tmp_path}: Permission denied$"
    with pytest.raises(UserError, match=message):
        check_place(tmp_path, overwrite=True)
    with pytest.raises(UserError, match=message):
        open_source(str(tmp_path))
