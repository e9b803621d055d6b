"""Which files of a folder are pictures."""

import os
import pathlib

import pytest
from PIL import Image

from progan_tf.data.folder import find_pictures
from progan_tf.errors import UserError


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_is_no_picture(tmp_path):
    # To read it would wait for somebody who writes.
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UserError, match="found 1 other files"):
        find_pictures(tmp_path)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    os.symlink("a.png", tmp_path / "link.png")
    # To be named as unreadable, as a picture that somebody misses.
    os.symlink("nothing", tmp_path / "dangling.png")
    (tmp_path / "folder.png").mkdir()
    names = ["a.png", "dangling.png", "link.png"]
    assert find_pictures(tmp_path) == [pathlib.Path(name) for name in names]
