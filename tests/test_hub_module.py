"""TF-Hub modules as generators; other SavedModels are refused."""

import io
import pathlib
import shutil
import tarfile

import numpy as np
import pytest
import tensorflow as tf

from progan_tf.errors import UserError
from progan_tf.export import export_saved_model
from progan_tf.generation.hub_module import load_module
from progan_tf.generation.projection import project
from progan_tf.latents import seeded_latents
from progan_tf.networks import Generator
from progan_tf.sampling import as_generator, generate_images


def make_generator(num_classes=0, channels=3):
    family = Generator(16, 12, num_classes, channels, fmap_max=8, seed=1)
    return family.at(16, fade=False)


@pytest.fixture(scope="module")
def generator():
    return make_generator()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, generator):
    path = tmp_path_factory.mktemp("frozen") / "module"
    export_saved_model(generator, path)
    return path


@pytest.fixture(scope="module")
def module(folder):
    return load_module(folder)


def assert_same(images, expected):
    """Equal but for rounding: [0, 1] and back is not exact."""
    difference = np.abs(images.astype(int) - expected)
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 0.01


def test_its_images_are_those_of_the_generator(module, generator):
    assert (module.latent_size, module.num_classes) == (12, 0)
    assert module.image_shape == (16, 16, 3)
    expected = generate_images(generator, range(20))
    assert len(np.unique(expected)) > 100
    assert_same(generate_images(module, range(20)), expected)


def test_its_floats(module, generator):
    latents = seeded_latents([3, 4], 12)
    images = module(latents)
    assert images.dtype == tf.float32
    expected = np.clip(generator(latents), -1, 1)
    np.testing.assert_allclose(images, expected, atol=1e-5)


def test_labels_and_variables(tmp_path):
    generator = make_generator(num_classes=3, channels=1)
    export_saved_model(generator, tmp_path / "module", trainable=True)
    module = load_module(str(tmp_path / "module"))
    assert (module.latent_size, module.num_classes) == (12, 3)
    assert module.image_shape == (16, 16, 1)
    for labels in (None, [2] * 6):
        expected = generate_images(generator, range(6), labels)
        assert_same(generate_images(module, range(6), labels), expected)
    with pytest.raises(UserError, match="from 0 to 2; received 3"):
        generate_images(module, [0], [3])


def test_a_packed_module(tmp_path, folder, module):
    path = tmp_path / "module.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, arcname=".")
    packed = load_module(path)
    np.testing.assert_array_equal(
        generate_images(packed, range(4)), generate_images(module, range(4))
    )
    assert packed.fingerprint == module.fingerprint


def test_fingerprints(tmp_path, folder, module, generator):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "README.md").write_text("Another card.")
    assert load_module(copy).fingerprint == module.fingerprint
    # Not a byte of it is in the graph or the variables of the other.
    save(tmp_path / "other", lambda z: sigmoid_images(z, 1.0))
    assert load_module(tmp_path / "other").fingerprint != module.fingerprint
    same, other = make_generator(), make_generator()
    expected = as_generator(generator).fingerprint
    assert as_generator(same).fingerprint == expected
    other.trainable_weights[-1].assign_add([0.0, 0.0, 1e-6])
    assert as_generator(other).fingerprint != expected


def test_a_picture_is_projected(module):
    target = generate_images(module, [1000])[0]
    found = project(module, target, starts=16, steps=150, candidates=16)
    assert found.history[0] < 20
    assert found.psnr > 28


# ---- modules of others ----


def sigmoid_images(latents, scale, channels=3):
    """Images float32 `[B, 4, 4, channels]` from 0 to scale."""
    count = 16 * channels
    kernel = np.linspace(-2, 2, latents.shape[-1] * count, dtype="float32")
    rows = latents @ tf.constant(kernel.reshape(-1, count))
    images = tf.reshape(tf.sigmoid(rows), [-1, 4, 4, channels])
    return scale * images


def save(
    path, function, shape=(None, 6), name="z", key="default", output="default"
):
    """Write a SavedModel of a function with one signature."""
    spec = tf.TensorSpec(shape, name=name)
    signature = tf.function(
        lambda x: {output: function(x)}, [spec], autograph=False
    )
    tf.saved_model.save(tf.Module(), str(path), signatures={key: signature})


def test_an_input_of_any_name(tmp_path):
    path = tmp_path / "module"
    save(path, lambda z: sigmoid_images(z, 1), name="x", key="serving_default")
    module = load_module(path)
    latents = seeded_latents([5, 6], 6)
    expected = 2 * sigmoid_images(latents, 1.0) - 1
    np.testing.assert_allclose(module(latents), expected, atol=1e-6)
    # Of known shape though the signature does not tell it.
    assert module.image_shape == (4, 4, 3)


def test_a_module_of_tensorflow_1(tmp_path):
    """As google/progan-128/1: two graphs, the input named `default`, too."""
    v1, path = tf.compat.v1, tmp_path / "module"
    latents = seeded_latents([5, 6], 6)
    with tf.Graph().as_default(), v1.Session() as session:
        z = v1.placeholder(tf.float32, [None, 6])
        images = sigmoid_images(z, 1) * v1.get_variable("level", [])
        images = tf.abs(images)
        session.run(v1.global_variables_initializer())
        expected = session.run(images, {z: latents})
        info = v1.saved_model.utils.build_tensor_info
        signature = v1.saved_model.build_signature_def(
            {"default": info(z)}, {"default": info(images)}
        )
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session, ["train"], {"default": signature}
        )
        builder.add_meta_graph([], {"default": signature})
        builder.save()
    (path / "tfhub_module.pb").write_bytes(b"\x08\x03")
    module = load_module(path)
    np.testing.assert_allclose(module(latents), 2 * expected - 1, atol=1e-6)
    assert generate_images(module, [5]).shape == (1, 4, 4, 3)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"key": "classify"}, r"classify from z \(None, 6\) to default "),
        ({"output": "images"}, r"to images \(None, 4, 4, 3\)"),
        # A number of images of its own.
        ({"shape": (1, 6)}, r"from z \(1, 6\)"),
        ({"shape": (None, 0)}, r"from z \(None, 0\)"),
        ({"shape": (None, 2, 6)}, r"from z \(None, 2, 6\)"),
    ],
)
def test_other_signatures(tmp_path, options, words):
    save(tmp_path / "x", lambda z: sigmoid_images(z, 1), **options)
    with pytest.raises(UserError, match=f"no generator: .*{words}"):
        load_module(tmp_path / "x")


@pytest.mark.parametrize(
    "function, words",
    [
        (lambda z: sigmoid_images(z, 1)[:, 0, 0], r"images are \[1, 3\]"),
        (lambda z: sigmoid_images(z, 1, 4), r"images are \[1, 4, 4, 4\]"),
        (lambda z: sigmoid_images(z, 2) - 1, r"from -\d.* expected .*\[0, 1\]"),
        (lambda z: sigmoid_images(z, 255), r"to \d\d\.\d; expected"),
        (lambda z: sigmoid_images(z, np.nan), "from nan"),
        (lambda z: tf.reshape(z, [-1, 4, 4, 3]), "makes no image: .*reshape"),
        (lambda z: sigmoid_images(z, 1)[:0], r"images are \[0, 4, 4, 3\]"),
        (lambda z: sigmoid_images(z, 1)[:, :0], r"are \[1, 0, 4, 3\]"),
    ],
)
def test_other_outputs(tmp_path, function, words):
    save(tmp_path / "x", function)
    with pytest.raises(UserError, match=words) as caught:
        load_module(tmp_path / "x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda z: sigmoid_images(z, 1)[:1], r"images \[1, 4, 4, 3\] of 8"),
        (
            lambda z: tf.tile(sigmoid_images(z, 1)[:1], [2, 1, 1, 1])[1:],
            r"images \[1, 4, 4, 3\] of 8 latents",
        ),
        (
            lambda z: tf.ensure_shape(sigmoid_images(z, 1), [1, 4, 4, 3]),
            "cannot make 8 images at once",
        ),
    ],
)
def test_modules_that_do_with_one_image_alone(tmp_path, function, words):
    save(tmp_path / "x", function)
    module = load_module(tmp_path / "x")
    for seeds in (range(10), [3]):
        with pytest.raises(UserError, match=words):
            generate_images(module, seeds)


def test_labels_of_no_class(tmp_path):
    specs = [tf.TensorSpec([None, 6], name="z")]
    specs.append(tf.TensorSpec([None, 0], name="labels"))
    signature = tf.function(
        lambda z, labels: {"default": sigmoid_images(z, 1)}, specs
    )
    path = str(tmp_path / "x")
    tf.saved_model.save(tf.Module(), path, signatures={"default": signature})
    with pytest.raises(UserError, match=r"labels \(None, 0\)"):
        load_module(path)


@pytest.mark.parametrize(
    "function",
    [
        lambda z: tf.stop_gradient(sigmoid_images(z, 1)),
        lambda z: tf.round(sigmoid_images(z, 1)),
        lambda z: tf.ones([tf.shape(z)[0], 4, 4, 3]) / 2,
    ],
)
def test_modules_without_a_gradient_are_refused_before_the_look(
    tmp_path, function
):
    save(tmp_path / "x", function)
    target, looked = np.zeros((4, 4, 3), "uint8"), []
    with pytest.raises(UserError, match="cannot search with .*x, as its grad"):
        project(
            load_module(tmp_path / "x"),
            target,
            steps=2,
            candidates=8,
            looked=lambda *done: looked.append(done),
        )
    assert not looked


def test_no_signature(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "x"))
    with pytest.raises(UserError, match="its signatures: none$"):
        load_module(tmp_path / "x")


def test_no_module(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "saved_model.pb").write_bytes(b"\x0a\xff\xff")
    (tmp_path / "text.tar.gz").write_text("text")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(folder, arcname=".")
    (tmp_path / "half.tar.gz").write_bytes(packed.getvalue()[:-5000])
    for name, words in (
        (
            "none",
            "expected the folder of a module, or its .tar.gz; there is no ",
        ),
        ("empty", "cannot read .*empty as a TF-Hub module"),
        ("broken", "cannot read .*broken as a TF-Hub module"),
        ("text.tar.gz", "cannot unpack .*text.tar.gz"),
        ("half.tar.gz", "cannot unpack .*half.tar.gz"),
    ):
        with pytest.raises(UserError, match=words) as caught:
            load_module(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_an_archive_that_reaches_outside(tmp_path):
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../../evil"), io.BytesIO())
    with pytest.raises(UserError, match="cannot unpack .*outside"):
        load_module(tmp_path / "evil.tar.gz")
    assert [p.name for p in pathlib.Path(tmp_path).iterdir()] == ["evil.tar.gz"]
