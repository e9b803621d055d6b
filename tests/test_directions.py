"""Latent directions: finding them, moving along them, and the commands."""

import numpy as np
import pytest
import scipy.linalg
from generators import make_generator
from PIL import Image
from processes import run_command
from tiny import make_run

from progan_tf.checkpoint import load_generator
from progan_tf.errors import UserError
from progan_tf.export import export_saved_model
from progan_tf.generation.hub_module import load_module
from progan_tf.generation.latent_directions import (
    STEPS,
    load_directions,
    parse_edit,
    pca,
    picture,
    save_directions,
    sefa,
)
from progan_tf.generation.walks import walk_along
from progan_tf.latents import moved, seeded_latents
from progan_tf.sampling import as_generator, generate_images

KINDS = [{}, {"num_classes": 3}, {"variant": "gan_zoo", "fused_scale": False}]


# ---- finding them ----


@pytest.mark.parametrize("options", KINDS)
def test_sefa_is_the_decomposition_of_the_first_weight(options):
    generator = make_generator(16, fmap_max=16, **options)
    found = sefa(generator, 12)
    kernel = generator.get_layer("dense_4").kernel.numpy()[:12]
    columns = [kernel[:, i] / np.linalg.norm(kernel[:, i]) for i in range(256)]
    # The left singular vectors, by another library and another algorithm.
    left, singular, _ = scipy.linalg.svd(np.stack(columns, 1).astype("f8"))
    cosines = np.abs(np.sum(found.vectors * left.T, axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-5)
    shares = singular**2 / np.sum(singular**2)
    np.testing.assert_allclose(found.strengths, shares, rtol=1e-6)


def few_pca(generator, count):
    return pca(generator, count, samples=64)


@pytest.mark.parametrize("method", [sefa, few_pca])
@pytest.mark.parametrize("options", KINDS)
def test_they_are_orthonormal_and_the_same_again(method, options):
    generator = make_generator(16, fmap_max=16, **options)
    one, other = method(generator, 5), method(generator, 5)
    for first, second in zip(one[:2], other[:2], strict=True):
        np.testing.assert_array_equal(first, second)
    assert one.vectors.dtype == np.float32
    products = one.vectors @ one.vectors.T
    np.testing.assert_allclose(products, np.eye(5), atol=1e-5)
    assert np.all(np.diff(one.strengths) <= 0) and one.strengths.sum() <= 1
    # The largest number of each is positive.
    largest = np.abs(one.vectors).argmax(axis=1)
    assert np.all(one.vectors[np.arange(5), largest] > 0)


def test_pca_finds_what_moves_the_activations():
    generator = make_generator(16, fmap_max=16)
    # A latent's number 7 does ten times as much as each of the others.
    kernel = generator.get_layer("dense_4").kernel
    factors = np.ones((12, 1), "float32")
    factors[7] = 10
    kernel.assign(kernel * factors)
    found = pca(generator, 3, samples=300)
    assert found.vectors[0].argmax() == 7
    assert found.vectors[0][7] > 0.9
    assert found.strengths[0] > 2 * found.strengths[1]


def test_what_has_no_such_layer(tmp_path):
    generator = make_generator(8)
    for count in (0, 13):
        with pytest.raises(UserError, match=f"1 to 12 dir.* received {count}"):
            sefa(generator, count)
    export_saved_model(generator, tmp_path / "module")
    with pytest.raises(UserError, match="is a TF-Hub module, whose layers"):
        pca(load_module(tmp_path / "module"))


# ---- moving along them ----


def test_a_move_stays_on_the_sphere():
    latents = seeded_latents(range(4), 12)
    vector = sefa(make_generator(8), 1).vectors[0]
    far = moved(latents, 3 * vector)
    assert far.dtype == np.float32
    lengths = [np.linalg.norm(z, axis=1) for z in (latents, far)]
    np.testing.assert_allclose(*lengths, rtol=1e-6)
    # What is not along the vector keeps its direction.
    rests = [z - np.outer(z @ vector, vector) for z in (latents, far)]
    units = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in rests]
    np.testing.assert_allclose(*units, atol=1e-5)
    assert np.all(far @ vector > latents @ vector)


def test_a_move_by_nothing_changes_no_bit():
    latents = seeded_latents(range(4), 12)
    assert moved(latents, np.zeros(12)) is latents
    generator = as_generator(make_generator(8))
    (images,) = generator.stream(range(4), offset=np.zeros(12))
    np.testing.assert_array_equal(images, generate_images(generator, range(4)))


def test_an_edit_is_a_sum(tmp_path):
    found = sefa(make_generator(8), 3)
    offset = parse_edit(" 2:1.5, 0:-1", found)
    expected = 1.5 * found.vectors[2] - found.vectors[0]
    np.testing.assert_allclose(offset, expected, atol=1e-6)
    for text in ("", "2", "2:", "2:nan", "2:1e5", "x:1", "1:2,,"):
        with pytest.raises(UserError, match="expected --edit such as"):
            parse_edit(text, found)
    with pytest.raises(UserError, match="from 0 to 2; received 3"):
        parse_edit("3:1", found)


def test_a_walk_swings_about_its_seeds():
    vector = sefa(make_generator(8), 1).vectors[0]
    own = seeded_latents([4, 9], 12)
    walk = walk_along([4, 9], vector, 2.0, 8, 12)
    assert walk.shape == (8, 2, 12)
    np.testing.assert_array_equal(walk[0], own)
    np.testing.assert_array_equal(walk[2], moved(own, 2.0 * vector))
    np.testing.assert_array_equal(walk[6], moved(own, -2.0 * vector))
    line = walk_along([4, 9], vector, 2.0, 5, 12, loop=False)
    np.testing.assert_array_equal(line[0], moved(own, -2.0 * vector))
    np.testing.assert_array_equal(line[2], own)


def test_the_picture():
    generator = as_generator(make_generator(8, num_classes=3))
    found = sefa(generator, 2)
    grid = picture(generator, found, seed=5, chosen=1)
    assert grid.shape == (2 * 64, 7 * 64, 3)
    cells = grid[::8, ::8].reshape(2, 8, 7, 8, 3).swapaxes(1, 2)
    own = generate_images(generator, [5], [1])[0]
    np.testing.assert_array_equal(cells[0, 3], own)
    np.testing.assert_array_equal(cells[1, 3], own)
    latents = moved(seeded_latents([5], 12), STEPS[-1] * found.vectors[1])
    end = generator.images_of(latents, [1])[0]
    np.testing.assert_array_equal(cells[1, 6], end)


# ---- files ----


def test_they_come_back_from_a_file(tmp_path):
    found = pca(make_generator(8), 3, samples=64)
    save_directions(tmp_path, found)
    for path in (tmp_path, tmp_path / "directions.npz"):
        loaded = load_directions(path, 12)
        for one, other in zip(found, loaded, strict=True):
            np.testing.assert_array_equal(one, other)
    with pytest.raises(UserError, match="latents of 12 numbers; .* have 16"):
        load_directions(tmp_path, 16)


def test_names_in_a_file_do_not_reach_the_terminal_as_control_characters(
    tmp_path,
):
    found = pca(make_generator(8), 2, samples=64)
    found = found._replace(method="\x1b[2Jpca", names=("\x9bhat", "tail"))
    save_directions(tmp_path, found)
    loaded = load_directions(tmp_path, 12)
    assert loaded.method == "\ufffd[2Jpca"
    assert loaded.names == ("\ufffdhat", "tail")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vectors": np.ones((3, 12), "float32")}, "holds no directions"),
        ({"vectors": np.eye(3, 12)}, "holds no directions"),
        ({"vectors": np.full((3, 12), np.nan, "f4")}, "holds no directions"),
        ({"strengths": np.ones(2)}, "holds no directions"),
        ({"method": np.array(3)}, "holds no directions"),
        ({"vectors": np.array([None, "x"])}, "cannot read"),
    ],
)
def test_other_files(tmp_path, change, words):
    arrays = sefa(make_generator(8), 3)._asdict() | change
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(UserError, match=words):
        load_directions(tmp_path / "x.npz")
    np.savez(tmp_path / "y.npz", vectors=arrays["vectors"])
    (tmp_path / "z.npz").write_bytes(b"no archive")
    for name in ("y.npz", "z.npz", "none.npz"):
        with pytest.raises(UserError, match="cannot read"):
            load_directions(tmp_path / name)


# ---- commands ----


def test_the_commands(tmp_path):
    place = f"--run_dir={make_run(tmp_path / 'run')}"
    out = tmp_path / "new" / "found"
    done = run_command("directions", place, f"--out={out}", "--count=3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("direction   0: ")
    assert len(done.stdout.splitlines()) == 4
    assert {p.name for p in out.iterdir()} == {
        "directions.npz",
        "directions.png",
    }
    generator = as_generator(load_generator(tmp_path / "run"))
    found = load_directions(out, generator.latent_size)
    with Image.open(out / "directions.png") as image:
        grid = np.asarray(image)
    np.testing.assert_array_equal(grid, picture(generator, found))
    given = f"--directions={out}"
    edit = "--edit=1:1.5,0:-1"
    npz, seeds = tmp_path / "x.npz", "--seeds=3,4"
    done = run_command("generate", place, given, edit, seeds, f"--out={npz}")
    assert done.returncode == 0, done.stderr
    latents = seeded_latents([3, 4], generator.latent_size)
    latents = moved(latents, parse_edit("1:1.5,0:-1", found))
    with np.load(npz) as arrays:
        images = generator.images_of(latents)
        np.testing.assert_array_equal(arrays["images"], images)
    # Other edits are other requests.
    done = run_command("generate", place, seeds, f"--out={npz}")
    assert done.returncode == 2 and "edit" in done.stderr
    strip = tmp_path / "walk.png"
    flags = "--direction=1", "--seeds=3", "--scale=1", f"--out={strip}"
    done = run_command("walk", place, given, *flags)
    assert done.returncode == 0, done.stderr
    with Image.open(strip) as image:
        row = np.asarray(image)
    assert row.shape == (16, 7 * 16, 3)
    own = generate_images(generator, [3])[0]
    np.testing.assert_array_equal(row[:, 3 * 16 : 4 * 16], own)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("generate", ["--edit=0:1"], "--edit needs --directions"),
        ("walk", ["--seeds=1,2", "--direction=1"], "--direction does not go"),
        ("walk", ["--random=1", "--directions=x"], "expected either"),
        ("directions", ["--method=ganspace"], "method"),
        ("directions", ["--run_dir=none"], "none"),
    ],
)
def test_mistakes(name, arguments, words, tmp_path):
    done = run_command(name, f"--out={tmp_path}/x.png", *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert words in line
    assert not list(tmp_path.iterdir())
