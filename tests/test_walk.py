"""The walk and film commands, run as programs."""

import numpy as np
import pytest
from PIL import Image
from processes import assert_mistake, run_command
from test_films import read_gif, read_mp4
from tiny import make_run

from progan_tf import sampling
from progan_tf.checkpoint import load_generator


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A finished run at 16x16 with two samples of 2 x 2 cells."""
    run_dir = make_run(tmp_path_factory.mktemp("run"))
    (run_dir / "samples").mkdir()
    for i in range(2):
        grid = np.full((128, 128, 3), 100 + 100 * i, "uint8")
        Image.fromarray(grid).save(run_dir / f"samples/fakes-{i:06d}.png")
    return run_dir


def assert_quiet(done):
    """It succeeded, and has nothing to say where there is no terminal."""
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_strip_passes_the_generated_images(run_dir, tmp_path):
    out = tmp_path / "walk.png"
    where = (f"--run_dir={run_dir}", f"--out={out}")
    assert_quiet(run_command("walk", *where, "--seeds=3,8", "--scale=2"))
    with Image.open(out) as image:
        strip = np.asarray(image)
    assert strip.shape == (32, 8 * 32, 3)
    images = sampling.generate_images(load_generator(run_dir), [3, 8])
    np.testing.assert_array_equal(strip[::2, 0:32:2], images[0])
    np.testing.assert_array_equal(strip[::2, 128:160:2], images[1])


def test_a_walk_without_return_as_mp4(run_dir, tmp_path):
    out = tmp_path / "walk.mp4"
    where = (f"--run_dir={run_dir}", f"--out={out}", "--seeds=3,8,1", "--fps=5")
    done = run_command(
        "walk", *where, "--noloop", "--seconds=1", "--resolution=8"
    )
    assert_quiet(done)
    frames, said = read_mp4(out)
    assert "5 fps" in said
    # Two legs and the last picture, in cells that one can see.
    assert frames.shape == (11, 128, 128, 3)
    generator = load_generator(run_dir, 8)
    images = sampling.generate_images(generator, [3, 8, 1])
    middles = frames[::5, 8::16, 8::16].astype(int)
    # Within what the compression changes, and nearer than another seed's.
    own, other = (
        np.abs(middles - np.roll(images, shift, axis=0)).mean()
        for shift in (0, 1)
    )
    assert own < 10 < other
    assert [path.name for path in tmp_path.iterdir()] == ["walk.mp4"]


def test_a_random_walk_in_a_grid_as_gif(run_dir, tmp_path):
    out = tmp_path / "walk.gif"
    where = (f"--run_dir={run_dir}", f"--out={out}", "--random=7", "--fps=10")
    done = run_command(
        "walk", *where, "--grid=3x2", "--seconds=1.2", "--smoothing=.2"
    )
    assert_quiet(done)
    frames, durations = read_gif(out)
    assert frames.shape == (12, 2 * 128, 3 * 128, 3)
    assert sum(durations) == 1200


def test_growth(run_dir, tmp_path):
    for name, read in (("growth.mp4", read_mp4), ("growth.gif", read_gif)):
        where = (f"--run_dir={run_dir}", f"--out={tmp_path / name}")
        size = ("--columns=1", "--seconds=0.5", "--fps=8")
        assert_quiet(run_command("film", *where, *size))
        frames, _ = read(tmp_path / name)
        assert frames.shape == (4, 128 + 4, 64, 3)
        levels = frames[:, :120].mean((1, 2, 3))
        np.testing.assert_allclose(levels, [100, 100, 200, 200], atol=5)


def test_mistakes_in_a_walk(run_dir, tmp_path):
    place = f"--run_dir={run_dir}"
    out = f"--out={tmp_path / 'walk.gif'}"
    for arguments, words in (
        ([out], "--seeds=1,5,9 or --random=SEED"),
        ([out, "--seeds=1,2", "--random=3"], "--seeds=1,5,9 or --random=SEED"),
        ([out, "--seeds="], "expected seeds such as"),
        ([out, "--random=3", "--grid=4"], "--grid such as 4x3"),
        ([out, "--seeds=1,2", "--grid=4x3"], "--grid does not go with --seeds"),
        ([out, "--seeds=1,2", "--smoothing=2"], "--smoothing does not go with"),
        ([out, "--random=3", "--noloop"], "--loop does not go with --random"),
        (["--out=no/walk.gif", "--random=3"], "cannot write"),
        ([out, "--random=3", "--fps=60"], "50 frames a second"),
    ):
        assert_mistake(run_command("walk", place, *arguments), words)
    assert not list(tmp_path.iterdir())


def test_mistakes_in_a_film(run_dir, tmp_path):
    out = f"--out={tmp_path / 'growth.mp4'}"
    done = run_command("film", f"--run_dir={run_dir}", out, "--rows=3")
    assert_mistake(done, "at most 2 rows")
    assert_mistake(
        run_command("film", f"--run_dir={tmp_path}", out), "no samples"
    )
    done = run_command("film", f"--run_dir={run_dir}", "--out=growth.webm")
    assert_mistake(done, "FILE.mp4, FILE.gif")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["walk", "film"])
def test_help_shows_commands(command):
    done = run_command(command, "--help")
    assert done.returncode == 0
    assert f"python -m progan_tf.{command} --run_dir=" in done.stdout
    for name in ("run_dir", "seconds", "out"):
        assert f"\n  --{name}: " in done.stdout
