"""The project command, and what it reads and writes."""

import json
import signal

import numpy as np
import pytest
from generators import make_generator
from PIL import Image
from processes import run_command, started_command
from tiny import make_run

from progan_tf.checkpoint import load_generator
from progan_tf.errors import UserError
from progan_tf.generation.projection_files import check_places, read_target
from progan_tf.sampling import as_generator, generate_images


def command(*arguments):
    """The finished process of the command."""
    return run_command("project", *arguments)


def test_the_command(tmp_path):
    run_dir = make_run(tmp_path / "run")
    # Twice as wide as high, so that the centre counts.
    picture = np.zeros((32, 64, 3), "uint8")
    picture[:, 16:48] = (250, 120, 30)
    Image.fromarray(picture).save(tmp_path / "photo.png")
    out = tmp_path / "new" / "folder"
    places = [f"--run_dir={run_dir}", f"--out={out}"]
    flags = [f"--target={tmp_path}/photo.png", "--candidates=32", "--steps=70"]
    done = command(*places, *flags)
    assert done.returncode == 0, done.stderr
    # One line, and the bar is for terminals.
    assert done.stderr == ""
    assert done.stdout.startswith("PSNR ")
    assert " dB after 70 steps: " in done.stdout
    assert done.stdout.count("\n") == 1
    names = sorted(path.name for path in out.iterdir())
    files = ["latent.npy", "result.png", "search.gif", "target.png"]
    assert names == ["found.json", *files]
    facts = json.loads((out / "found.json").read_text())
    assert facts.keys() == {"class", "psnr", "steps"}
    assert (facts["class"], facts["steps"]) == (None, 70)
    assert done.stdout.startswith(f"PSNR {facts['psnr']:.1f} dB")
    target = np.asarray(Image.open(out / "target.png"))
    assert target.shape == (256, 256, 3)
    assert np.all(target == (250, 120, 30))
    latent = np.load(out / "latent.npy")
    assert latent.shape == (16,)
    generator = as_generator(load_generator(run_dir))
    image = generator.images_of(latent[np.newaxis])[0]
    result = np.asarray(Image.open(out / "result.png"))
    np.testing.assert_array_equal(result[::16, ::16], image)
    with Image.open(out / "search.gif") as film:
        assert film.size == (512, 256)
        assert film.n_frames > 2


def test_a_search_that_is_stopped_keeps_what_it_found(tmp_path):
    run_dir = make_run(tmp_path / "run")
    out = tmp_path / "found"
    arguments = ["--target=seed:3", f"--run_dir={run_dir}", f"--out={out}"]
    flags = [*arguments, "--candidates=8", "--steps=1000000"]
    search = started_command("project", *flags, PYTHONUNBUFFERED="1")
    # The first line of its progress comes when some steps are taken.
    assert "searched" in search.stderr.readline()
    search.send_signal(signal.SIGINT)
    said, _ = search.communicate(timeout=60)
    assert search.returncode == 0
    facts = json.loads((out / "found.json").read_text())
    assert 0 < facts["steps"] < 1_000_000
    assert f"after {facts['steps']} steps" in said
    assert np.load(out / "latent.npy").shape == (16,)


def test_a_seed_as_target():
    generator = as_generator(make_generator(8))
    own = generate_images(generator, [1000])[0]
    np.testing.assert_array_equal(read_target("seed:1000", generator), own)
    with pytest.raises(UserError, match="expected one seed"):
        read_target("seed:1-2", generator)


@pytest.mark.parametrize("name", ["target.png", "result.png", "search.gif"])
def test_the_target_is_not_replaced(tmp_path, name):
    target = tmp_path / name
    Image.fromarray(np.zeros((8, 8, 3), "uint8")).save(target)
    with pytest.raises(UserError, match="would be replaced"):
        check_places(str(target), f"{tmp_path}/")
    check_places(str(target), str(tmp_path / "other"))


def test_other_files_of_these_names_are_not_replaced(tmp_path):
    (tmp_path / "result.png").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"result.png would be replaced, and"):
        check_places("seed:1", str(tmp_path))
    (tmp_path / "found.json").write_text("{}")  # Of an earlier search.
    check_places("seed:1", str(tmp_path))


def test_mistakes_in_the_command(tmp_path):
    text = tmp_path / "text.png"
    text.write_text("not a picture")
    out = tmp_path / "new"
    for target, words in (
        (tmp_path / "none.png", "there is no file"),
        (text, "as a picture; expected JPEG, PNG"),
    ):
        done = command("--run_dir=x", f"--out={out}", f"--target={target}")
        assert done.returncode == 2
        assert done.stdout == ""
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert not out.exists()
