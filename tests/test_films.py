"""Films, read back from their files, and the growth of a run."""

import importlib.util
import itertools
import os
import pathlib
import re
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from progan_tf.errors import UserError
from progan_tf.generation import films

BOTH = pytest.mark.parametrize("name", ["film.gif", "film.mp4"])


def flat_frames(count, height=16, width=24):
    """Frames uint8 of one colour each: red that becomes blue."""
    for i in range(count):
        frame = np.zeros((height, width, 3), "uint8")
        frame[..., 0], frame[..., 2] = 240 - 10 * i, 10 * i
        yield frame


def broken_frames(error):
    """Some frames, and then an error."""
    yield from flat_frames(3)
    raise error


def read_mp4(path):
    """Frames uint8 `[frames, height, width, 3]`, and what ffmpeg says of it."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", f"file:{path}"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    said = done.stderr.decode()
    width, height = map(int, re.search(r", (\d+)x(\d+)", said).groups())
    frames = np.frombuffer(done.stdout, "uint8")
    return frames.reshape(-1, height, width, 3), said


def read_gif(path):
    """Frames uint8 `[frames, height, width, 3]`, and their milliseconds."""
    frames, durations = [], []
    with Image.open(path) as image:
        assert image.info["loop"] == 0, "not endless"
        for i in range(image.n_frames):
            image.seek(i)
            frames.append(np.asarray(image.convert("RGB")))
            durations.append(image.info["duration"])
    return np.array(frames), durations


# ---- films ----


def test_progress_where_there_is_no_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("progan_tf.progress._SECONDS", 0.0)
    films.write_film(flat_frames(4), tmp_path / "film.gif", fps=10, total=4)
    first, *_ = capsys.readouterr().err.splitlines()
    assert first.startswith("written 1 of 4 frames")


def test_gif(tmp_path):
    path = tmp_path / "film.gif"
    films.write_film(flat_frames(10), path, fps=30, total=10)
    frames, durations = read_gif(path)
    np.testing.assert_array_equal(frames, list(flat_frames(10)))
    # Hundredths of a second, which a thirtieth is not.
    assert durations == [30, 40, 30, 30, 40, 30, 30, 40, 30, 30]
    assert [p.name for p in tmp_path.iterdir()] == ["film.gif"]


def test_gif_holds_equal_frames(tmp_path):
    path = tmp_path / "film.GIF"
    first, second = flat_frames(2)
    films.write_film(iter([first, first, first, second]), path, 10, 4)
    assert read_gif(path)[1] == [300, 100]
    films.write_film(iter([first] * 3), path, 10, 3)
    assert read_gif(path)[1] == [300]


def test_mp4(tmp_path, monkeypatch):
    # A colon and a percent sign mean something to ffmpeg elsewhere.
    monkeypatch.chdir(tmp_path)
    path = pathlib.Path("a:b %03d.mp4")
    films.write_film(flat_frames(12), path, fps=25, total=12)
    frames, said = read_mp4(path)
    assert "Duration: 00:00:00.48" in said
    assert re.search(r"Video: h264 .*yuv420p\(tv, bt709, .* 25 fps", said)
    # Bright colours show whether the film says how they are coded.
    np.testing.assert_allclose(frames, list(flat_frames(12)), atol=5)
    assert os.listdir(tmp_path) == [path.name]


def test_mp4_of_grey_pictures_with_odd_sides(tmp_path):
    path = tmp_path / "film.mp4"
    grey = np.full((15, 21, 1), 200, "uint8")
    films.write_film(itertools.repeat(grey, 3), path, 1, total=3)
    frames, _ = read_mp4(path)
    assert frames.shape == (3, 16, 22, 3)
    np.testing.assert_allclose(frames[:, :14, :20], 200, atol=5)
    assert frames[:, 15].max() < 60


@BOTH
@pytest.mark.parametrize(
    "error", [UserError("a mistake"), KeyboardInterrupt(), OSError(28, "full")]
)
def test_what_fails_leaves_the_old_file(name, error, tmp_path):
    path = tmp_path / name
    path.write_text("old")
    expected = UserError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected):
        films.write_film(broken_frames(error), path, 30, total=10)
    assert os.listdir(tmp_path) == [name]
    assert path.read_text() == "old"


@BOTH
@pytest.mark.parametrize("total", [2, 4])
def test_another_number_of_frames(name, total, tmp_path):
    with pytest.raises(ValueError, match=f"expected {total} frames.* 3"):
        films.write_film(flat_frames(3), tmp_path / name, 30, total)
    assert not os.listdir(tmp_path)


@BOTH
def test_frames_of_other_kinds(name, tmp_path):
    (frame,) = flat_frames(1)
    for other in (frame[:-1], frame.astype("float32")):
        with pytest.raises(ValueError, match="frame 2 is"):
            films.write_film(iter([frame, other]), tmp_path / name, 30, 2)
    wide = np.zeros((1, 8193, 3), "uint8")
    with pytest.raises(UserError, match="at most 8192 pixels .* 8193x1"):
        films.write_film(iter([wide]), tmp_path / name, 30, 1)
    assert not os.listdir(tmp_path)


def test_what_ffmpeg_says_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(films, "_H264", "-c:v no_such_codec -f mp4")
    with pytest.raises(UserError, match="ffmpeg cannot write .*: .*[a-z]"):
        films.write_film(flat_frames(10), tmp_path / "film.mp4", 30, 10)
    assert not os.listdir(tmp_path)


def test_a_gif_too_large_for_memory(tmp_path):
    frame = np.zeros((1000, 2000, 3), "uint8")
    with pytest.raises(UserError, match="1001 frames 2000x1000 .* 2.0 GB"):
        films.write_film(iter([frame]), tmp_path / "film.gif", 30, 1001)
    assert not os.listdir(tmp_path)


def test_mistakes_in_the_place(tmp_path, monkeypatch):
    suffixes = (".mp4", ".gif")
    for path, fps, words in (
        ("film.avi", 30, r"expected FILE.mp4, FILE.gif; received '.*film.avi'"),
        ("no/film.gif", 30, "cannot write .*no/film.gif"),
        ("film.gif", 51, "at most 50 frames a second in a GIF; received 51"),
    ):
        with pytest.raises(UserError, match=words):
            films.check_place(tmp_path / path, suffixes, fps)
    (tmp_path / "folder.gif").mkdir()
    with pytest.raises(UserError, match="expected a file"):
        films.check_place(tmp_path / "folder.gif", suffixes, 30)
    films.check_place(tmp_path / "film.gif", suffixes, 50)
    films.check_place(tmp_path / "film.mp4", suffixes, 120)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    films.check_place(tmp_path / "film.gif", suffixes, 30)
    with pytest.raises(UserError, match=r"pip install progan-tf\[film\]"):
        films.check_place(tmp_path / "film.mp4", suffixes, 30)


def test_a_strip(tmp_path):
    films.write_film(flat_frames(3), tmp_path / "strip.png", 30, total=3)
    with Image.open(tmp_path / "strip.png") as image:
        pixels = np.asarray(image)
    expected = np.concatenate(list(flat_frames(3)), axis=1)
    np.testing.assert_array_equal(pixels, expected)


def test_a_strip_that_is_too_long(tmp_path):
    def frames():
        yield np.zeros((2, 100, 3), "uint8")
        raise AssertionError("more than one frame was made")

    with pytest.raises(UserError, match="at most 65500 pixels .* 65600x2"):
        films.write_film(frames(), tmp_path / "strip.png", 30, total=656)
    assert not os.listdir(tmp_path)
