"""The film of a run, from its samples."""

import numpy as np
import pytest
from PIL import Image

from progan_tf.config import resolve
from progan_tf.errors import UserError
from progan_tf.generation import run_film


@pytest.fixture
def run_dir(tmp_path):
    """A run with samples of 3 x 2 cells after 1, 1.5 and 3 thousand images."""
    config = resolve("laptop-wgan", {"resolution": 8, "run_dir": str(tmp_path)})
    config.save_config()
    (tmp_path / "samples").mkdir()
    names = ["000001.000", "000001.500", "000003.000"]
    for i, name in enumerate(names):
        cells = np.arange(6).reshape(2, 3) + 10 * (i + 1)
        grid = cells.repeat(64, 0).repeat(64, 1).astype("uint8")
        path = tmp_path / "samples" / f"fakes-{name}.png"
        Image.fromarray(grid).save(path)
    Image.fromarray(grid).save(tmp_path / "samples" / "reals.png")
    return tmp_path


def test_growth_in_order_and_proportion(run_dir):
    def shown(**options):
        frames = run_film.growth_frames(run_dir, 12, **options)
        return [int(frame[0, 0, 0]) for frame in frames]

    assert shown() == [10] * 4 + [20] * 4 + [30] * 4
    # The last is shown for the mean of 0.5 and 1.5 thousand images.
    assert shown(by_images=True) == [10] * 2 + [20] * 6 + [30] * 4


def test_growth_of_some_cells_with_a_bar(run_dir):
    frames = list(run_film.growth_frames(run_dir, 4, columns=2, rows=1))
    assert [f.shape for f in frames] == [(64 + 4, 128, 3)] * 4
    assert [f.dtype for f in frames] == ["uint8"] * 4
    assert frames[0][:64, ::64].tolist() == [[[10] * 3, [11] * 3]] * 64
    # A quarter of the bar is light after the first of four frames.
    bars = [frame[64:, :, 0] for frame in frames]
    assert [int((bar == 224).sum()) for bar in bars] == [128, 256, 384, 512]
    assert (bars[0][:, :32] == 224).all()
    assert next(run_film.growth_frames(run_dir, 4)).shape == (132, 192, 3)


def test_growth_of_one_sample(run_dir):
    for path in sorted(run_dir.glob("samples/fakes-*"))[1:]:
        path.unlink()
    for by_images in (False, True):
        frames = run_film.growth_frames(run_dir, 3, by_images=by_images)
        assert [int(frame[0, 0, 0]) for frame in frames] == [10] * 3


def test_mistakes_in_growth(run_dir):
    for options, words in (
        ({"columns": 4}, "at most 3 columns.* received 4"),
        ({"rows": 3}, "at most 2 rows.* received 3"),
    ):
        with pytest.raises(UserError, match=words):
            run_film.growth_frames(run_dir, 4, **options)
    first, *others = sorted(run_dir.glob("samples/fakes-*"))
    whole = first.read_bytes()
    # Cut short; and without the name of its second chunk.
    for damaged in (whole[:60], whole[:37] + b"\xff" * 4 + whole[41:]):
        first.write_bytes(damaged)
        with pytest.raises(UserError, match=f"cannot read .*{first.name}"):
            list(run_film.growth_frames(run_dir, 4))
    # Of another run, or of other software.
    Image.new("RGB", (200, 100)).save(first)
    with pytest.raises(UserError, match=f"{first.name} has 200x100 pixels"):
        list(run_film.growth_frames(run_dir, 4))
    Image.new("RGB", (20, 20)).save(others[-1])
    with pytest.raises(UserError, match=f"{others[-1].name} has 20x20 pixels"):
        run_film.growth_frames(run_dir, 4)
    for path in (first, *others):
        path.unlink()
    with pytest.raises(UserError, match="no samples/fakes"):
        run_film.growth_frames(run_dir, 4)


def test_only_pngs_are_opened(run_dir):
    # Of EPS files Pillow would have Ghostscript run.
    path = run_dir / "samples" / "fakes-000003.000.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    with pytest.raises(UserError, match="cannot read .*not a picture"):
        run_film.growth_frames(run_dir, 4)
