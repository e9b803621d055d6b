"""Pictures of a run's generator, by the library and by the command."""

import pathlib
import signal
import time

import numpy as np
import pytest
from PIL import Image
from processes import assert_mistake, finished, run_command, started_command
from tiny import make_run

from progan_tf import sampling
from progan_tf.checkpoint import load_generator
from progan_tf.config import resolve
from progan_tf.errors import UserError
from progan_tf.export import export_saved_model


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A finished run without classes."""
    return make_run(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def classes_dir(tmp_path_factory):
    """A run with 3 classes, while 16x16 fades in."""
    folder = tmp_path_factory.mktemp("classes")
    phases = resolve("laptop", {"resolution": 16}).schedule().phases
    middle = (phases[-1].start + phases[-1].fade_end) // 2
    return make_run(folder, middle, labels=True, num_classes=3)


def generate(*arguments):
    """The finished process of the command."""
    return run_command("generate", *arguments)


def complaints(done):
    """What a command has said besides its progress on a slow machine."""
    lines = done.stderr.splitlines()
    return [line for line in lines if not line.startswith("generated ")]


def read(path):
    """The pixels of a PNG file, uint8 `[height, width, 3]`."""
    with Image.open(path) as image:
        return np.asarray(image)


def test_the_highest_finished_resolution_is_taken(run_dir, classes_dir):
    assert load_generator(run_dir).output_shape == (None, 16, 16, 3)
    assert load_generator(run_dir, 4).output_shape == (None, 4, 4, 3)
    # 16x16 is still fading.
    assert load_generator(classes_dir).output_shape == (None, 8, 8, 3)
    with pytest.raises(UserError, match="no finished resolution 16; .* 4, 8$"):
        load_generator(classes_dir, 16)


def test_a_run_in_its_first_fade_has_no_generator(tmp_path):
    run = make_run(tmp_path / "run", images_seen=100, stable_kimg=0)
    for resolution in (None, 8):
        with pytest.raises(UserError) as error:
            load_generator(run, resolution)
        wanted = f" {resolution}" if resolution else ""
        assert str(error.value) == (
            f"{run} has no finished resolution{wanted}; it has none yet: "
            "train it further"
        )


def test_the_average_and_the_latest_weights_differ(run_dir):
    average, latest = (
        sampling.generate_images(load_generator(run_dir, 8, kind), [0])
        for kind in (True, False)
    )
    assert not np.array_equal(average, latest)


def test_class_of_a_run(classes_dir):
    generator = load_generator(classes_dir)
    own = sampling.generate_images(generator, range(3))
    third = sampling.generate_images(generator, range(3), [2] * 3)
    np.testing.assert_array_equal(own[2], third[2])
    assert not np.array_equal(own[0], third[0])
    with pytest.raises(UserError, match="from 0 to 2; received 3"):
        sampling.generate_images(generator, [0], [3])


def test_a_keras_file_gives_the_same_images(classes_dir, tmp_path):
    generator = load_generator(classes_dir)
    generator.save(tmp_path / "generator.keras")
    loaded = load_generator(tmp_path / "generator.keras")
    np.testing.assert_array_equal(
        sampling.generate_images(loaded, [0, 1, 5]),
        sampling.generate_images(generator, [0, 1, 5]),
    )


def test_a_grid(run_dir, tmp_path):
    out = tmp_path / "grid.png"
    done = generate(f"--run_dir={run_dir}", "--seeds=0-4,9", f"--out={out}")
    assert done.returncode == 0, done.stderr
    # The bar is for terminals.
    assert done.stdout + done.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["grid.png"]
    grid = read(out)
    assert grid.shape == (32, 48, 3)
    images = sampling.generate_images(load_generator(run_dir), [4, 9])
    np.testing.assert_array_equal(grid[16:, 16:32], images[0])
    np.testing.assert_array_equal(grid[16:, 32:], images[1])


def test_files_of_one_class(classes_dir, tmp_path):
    out = tmp_path / "new"
    done = generate(
        f"--run_dir={classes_dir}",
        "--seeds=3,10",
        f"--out={out}/",
        "--class=1",
        "--latest",
        "--resolution=4",
    )
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in out.iterdir())
    assert names == [".generate.json", "seed000003.png", "seed000010.png"]
    files = [out / name for name in names[1:]]
    expected = sampling.generate_images(
        load_generator(classes_dir, 4, average=False), [3, 10], [1, 1]
    )
    np.testing.assert_array_equal([read(f) for f in files], expected)


def test_a_module_in_place_of_a_run(classes_dir, tmp_path):
    generator = load_generator(classes_dir)
    export_saved_model(generator, tmp_path / "module", trainable=True)
    place = f"--module={tmp_path / 'module'}"
    strip = (f"--out={tmp_path / 'walk.png'}", "--seeds=3,8", "--scale=1")
    # At the same time, because most of it is importing TensorFlow.
    walk = started_command("walk", place, *strip)
    done = generate(place, f"--out={tmp_path / 'x.npz'}", "--seeds=7-9,3")
    walk = finished(walk)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert (walk.returncode, walk.stdout + walk.stderr) == (0, "")
    with np.load(tmp_path / "x.npz") as arrays:
        images, labels = arrays["images"], arrays["labels"]
        np.testing.assert_array_equal(arrays["seeds"], [7, 8, 9, 3])
    np.testing.assert_array_equal(labels, [1, 2, 0, 0])
    expected = sampling.generate_images(generator, [7, 8, 9, 3]).astype(int)
    # Rounding: the module gives [0, 1].
    assert np.abs(images - expected).max() <= 1
    # A walk keeps the class of its first seed.
    np.testing.assert_array_equal(read(tmp_path / "walk.png")[:, :8], images[3])


def test_stopped_by_signals_it_goes_on(run_dir, tmp_path):
    count = 4000
    out = tmp_path / "out"
    arguments = (f"--run_dir={run_dir}", f"--seeds=0-{count - 1}")
    for number, status in ((signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        process = started_command("generate", *arguments, f"--out={out}/")
        there = len(list(out.glob("seed*"))) if out.exists() else 0
        while process.poll() is None:
            if out.exists() and len(list(out.glob("seed*"))) > there + 50:
                break
            time.sleep(0.02)
        process.send_signal(number)
        done = finished(process)
        assert (done.returncode, done.stdout) == (status, "")
        assert not complaints(done)
        assert there < len(list(out.glob("seed*"))) < count
        if number == signal.SIGTERM:
            assert not list(out.glob(".seed*"))
    before = {path: path.stat().st_mtime_ns for path in out.glob("seed*")}
    # Now the rest, and the same once more.
    done = generate(*arguments, f"--out={out}/")
    assert (done.returncode, done.stdout) == (0, "")
    assert not complaints(done)
    names = {f"seed{seed:06d}.png" for seed in range(count)}
    assert {path.name for path in out.iterdir()} == names | {".generate.json"}
    assert before == {path: path.stat().st_mtime_ns for path in before}
    images = sampling.generate_images(load_generator(run_dir), range(count))
    files = [read(out / name) for name in sorted(names)]
    np.testing.assert_array_equal(files, images)
    done = generate(*arguments, f"--out={out}/")
    assert done.returncode == 0
    assert "already holds these images" in done.stdout


def test_mistakes_before_tensorflow_is_loaded(run_dir, tmp_path):
    place = f"--run_dir={run_dir}"
    out = f"--out={tmp_path}/grid.png"
    file = f"--run_dir={tmp_path}/generator.keras"
    pathlib.Path(tmp_path, "generator.keras").touch()
    for arguments, words in (
        ((place, out, "--seeds=5-1"), "'5-1'"),
        ((place, out, "--batch_size=8"), "batch_size"),
        ((place, "--out=no/such.png"), "cannot write"),
        ((place, out, "--format=jpg"), "--format=jpg is for FOLDER/"),
        ((place,), "--out"),
        ((out, place, "--module=x"), "one of --run_dir and --module"),
        ((out, "--module=x", "--latest"), "a module holds one generator"),
        ((out, "--module=x", "--resolution=8"), "a module holds one"),
        ((file, out, "--latest"), "needs a run directory"),
    ):
        assert_mistake(generate(*arguments), words)
    assert [p.name for p in tmp_path.iterdir()] == ["generator.keras"]


def test_mistakes_in_the_choice_of_a_generator(run_dir, tmp_path):
    out = tmp_path / "new"
    none = tmp_path / "none"
    mistakes = {
        (f"--run_dir={run_dir}", "--class=0"): "expected no class",
        (f"--run_dir={none}",): f"no {none}",
        (f"--module={run_dir}",): "cannot read",
    }
    # At the same time, because most of it is importing TensorFlow.
    processes = [
        started_command("generate", *arguments, f"--out={out}/")
        for arguments in mistakes
    ]
    for process, words in zip(processes, mistakes.values(), strict=True):
        assert_mistake(finished(process), words)
    # Nothing is made where nothing can be generated.
    assert not out.exists()


def test_help_shows_commands():
    done = generate("--help")
    assert done.returncode == 0
    assert "python -m progan_tf.generate --run_dir=" in done.stdout
    for name in ("run_dir", "module", "resolution", "seeds", "out"):
        assert f"\n  --{name}: " in done.stdout
