"""The picture of augmented reals."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from tiny import make_folder, tiny_config

from progan_tf.data import ShuffledOrder
from progan_tf.data.folder import Folder
from progan_tf.errors import UserError
from progan_tf.training.preview import check_preview, write_preview


def cells(path, rows, columns, size=64):
    """uint8 `[rows, columns, size, size, 3]` of a PNG."""
    grid = np.array(Image.open(path).convert("RGB"))
    assert grid.shape == (rows * size, columns * size, 3)
    return grid.reshape(rows, size, columns, size, 3).swapaxes(1, 2)


@pytest.mark.parametrize("augment", ["color,translation,cutout", "ada"])
def test_from_the_pictures_to_all_changes(tmp_path, augment):
    folder = make_folder(tmp_path / "pictures", size=32)
    config = tiny_config(
        tmp_path / "run", augment=augment, augment_p=1.0, data=str(folder)
    )
    source, path = Folder(folder), tmp_path / "seen.png"
    write_preview(config, source, str(path))
    found = cells(path, 6, 12)[:, :, 4::8, 4::8]
    order = ShuffledOrder(20, config.seed).indices(0, 12)
    reals = source.images(order, 8)
    # At p 0 they are as they are; then ever more of them are changed.
    np.testing.assert_array_equal(found[0], reals)
    changed = [(row != reals).any((1, 2, 3)) for row in found]
    for fewer, more in zip(changed, changed[1:], strict=False):
        assert (fewer <= more).all()
    assert changed[-1].sum() >= 11


def test_what_cannot_be_previewed(tmp_path):
    config = tiny_config(tmp_path)
    with pytest.raises(UserError, match="preview_augment needs --augment"):
        check_preview(config, "seen.png")
    folder = make_folder(tmp_path / "pictures")
    config = tiny_config(tmp_path, augment="color", data=str(folder))
    with pytest.raises(UserError, match=r"apart.*--preview_augment"):
        check_preview(config, f"{folder}/odd/seen.png")
    check_preview(config, f"{tmp_path}/seen.png")
    with pytest.raises(UserError, match=r"expected --preview_augment=FILE.png"):
        check_preview(config, "seen.jpg")


def test_the_command_trains_nothing(tmp_path):
    folder = make_folder(tmp_path / "pictures")
    given = ["--preset=laptop", f"--data={folder}", "--resolution=16"]
    given += ["--augment=cutout", "--run_dir=run"]
    done = subprocess.run(
        [sys.executable, "-m", "progan_tf.train", *given]
        + ["--preview_augment=seen.png"],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "from the top row down, p is 0, 0.2" in done.stdout
    assert sorted(os.listdir(tmp_path)) == ["pictures", "seen.png"]
