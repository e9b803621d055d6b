"""Features from modules of several kinds."""

import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from progan_tf.errors import UserError
from progan_tf.metrics import extract_features, feature_batches, load_features

PICTURES = np.random.RandomState(0).randint(0, 256, (20, 8, 8, 3), "uint8")
MEANS = PICTURES.mean((1, 2)) / 255


class Means(tf.Module):
    """Features by a function, which differ in training: colours' means.

    Args:
        size: what images must have as height and width, or None.
    """

    def __init__(self, size=None):
        super().__init__()
        self.scale = tf.Variable([1.0, 2.0, 3.0])
        spec = tf.TensorSpec([None, size, size, 3], tf.float32)
        # As hub modules do; the first must not be taken.
        for training in (True, False):
            self.__call__.get_concrete_function(spec, training=training)

    @tf.function
    def __call__(self, images, training=False):
        return self.scale * tf.reduce_mean(images, (1, 2)) + 9.0 * training


def saved(path, function, *shape, dtype=tf.float32):
    """A SavedModel of one signature from images."""
    spec = tf.TensorSpec(shape, dtype, "images")
    module = tf.Module()
    module.function = tf.function(function, [spec], autograph=False)
    tf.saved_model.save(module, str(path), {"default": module.function})
    return path


def test_a_function_that_knows_training(tmp_path):
    tf.saved_model.save(Means(), str(tmp_path / "module"))
    features = load_features(str(tmp_path / "module"))
    assert features.dimension == 3
    assert not features.is_inception_2015
    assert features.name == str(tmp_path / "module")
    vectors = features(PICTURES)
    # Enlarged as they are for a network that takes any size, which keeps
    # means but for what the corners weigh.
    np.testing.assert_allclose(vectors, MEANS * [1, 2, 3], rtol=2e-4)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(features.logits(vectors), vectors)
    grey = features(PICTURES[..., 1:2])
    np.testing.assert_allclose(grey, MEANS[:, [1] * 3] * [1, 2, 3], rtol=2e-4)


def test_what_is_tiny_is_enlarged_where_any_size_is_taken(tmp_path):
    def sizes(images):
        size = tf.cast(tf.shape(images)[1:3], tf.float32)
        return tf.tile(size[tf.newaxis], [tf.shape(images)[0], 1])

    free = load_features(saved(tmp_path / "m", sizes, None, None, None, 3))
    assert free(np.zeros((1, 16, 16, 3), "uint8")).tolist() == [[299, 299]]
    assert free(np.zeros((1, 512, 512, 3), "uint8")).tolist() == [[512, 512]]
    fixed = load_features(saved(tmp_path / "f", sizes, None, 32, 64, 3))
    assert fixed(np.zeros((1, 16, 16, 3), "uint8")).tolist() == [[32, 64]]


def test_a_signature(tmp_path):
    def function(images):
        return {"default": images[:, 0, 0], "other": images}

    path = saved(tmp_path / "module", function, None, None, None, 3)
    corners = load_features(path)(PICTURES)
    np.testing.assert_allclose(corners, PICTURES[:, 0, 0] / 255, rtol=1e-6)
    # A mark of the first format, whose graph has no tag: this one has.
    (path / "tfhub_module.pb").touch()
    with pytest.raises(UserError, match=r"cannot read .*tags"):
        load_features(path)


def test_an_address(tmp_path, monkeypatch):
    address = "https://example.com/module/1"
    path = saved(tmp_path / "m", lambda x: x[:, 0, 0], None, 8, 8, 3)
    asked = []

    def resolve(handle):
        asked.append(handle)
        return str(path)

    monkeypatch.setitem(
        sys.modules, "tensorflow_hub", types.SimpleNamespace(resolve=resolve)
    )
    features = load_features(address)
    assert asked == [address]
    assert (features.name, features.files) == (address, str(path))
    assert features.dimension == 3
    # What Python takes for a package that is not there.
    monkeypatch.setitem(sys.modules, "tensorflow_hub", None)
    with pytest.raises(UserError, match=r'pip install "progan-tf\[hub\]"'):
        load_features(address)


def test_an_exported_keras_model(tmp_path):
    model = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(5)]
    )
    model.export(str(tmp_path / "model"), verbose=False)
    features = load_features(tmp_path / "model")
    # Of one colour each, which shrinking keeps.
    colours = np.random.RandomState(2).randint(0, 256, (3, 1, 1, 3), "uint8")
    images = colours.repeat(8, 1).repeat(8, 2)
    expected = model(images[:, :4, :4] / 255.0)
    np.testing.assert_allclose(features(images), expected, rtol=1e-4, atol=1e-5)


def test_pictures_become_as_large_as_the_module_wants(tmp_path):
    seen = []

    def function(images):
        seen.append(images.shape.as_list())
        return tf.reshape(images, [-1, 6 * 6 * 3])

    path = saved(tmp_path / "module", function, None, 6, 6, 3)
    features = load_features(path)
    assert seen == [[None, 6, 6, 3]]
    assert features.dimension == 108
    # Smoothed, not sampled: every row counts, one in four of them white.
    stripes = np.zeros((1, 24, 24, 3), "uint8")
    stripes[:, ::4] = 200
    grey = features(stripes).reshape(6, 6, 3)[1:-1] * 255
    np.testing.assert_allclose(grey, np.full_like(grey, 50), atol=1)
    gradient = np.arange(12, dtype="uint8")[:, np.newaxis, np.newaxis] * 20
    image = np.broadcast_to(gradient, (1, 12, 12, 3))
    column = features(image).reshape(6, 6, 3)[:, 0, 0] * 255
    # Between two pixels each; the edges have only one neighbour.
    np.testing.assert_allclose(column[1:-1], [50, 90, 130, 170], atol=0.1)


def test_batches_do_not_matter(tmp_path):
    def function(images):
        kernel = tf.cos(tf.range(27 * 32, dtype=tf.float32))
        kernel = tf.reshape(kernel, [3, 3, 3, 32])
        maps = tf.nn.relu(tf.nn.conv2d(images, kernel, 1, "SAME"))
        return tf.reduce_mean(maps, (1, 2))

    features = load_features(saved(tmp_path / "m", function, None, 8, 8, 3))
    whole = extract_features(features, PICTURES)
    assert whole.shape == (20, 32)
    for cuts in ([3], [1, 2, 16], [17, 18]):
        parts = extract_features(features, np.split(PICTURES, cuts))
        np.testing.assert_array_equal(parts, whole)
    np.testing.assert_array_equal(features(PICTURES), whole)
    assert [len(x) for x in feature_batches(features, PICTURES)] == [16, 4]
    with pytest.raises(UserError, match="at least 1 picture .* received 0"):
        extract_features(features, [])


@pytest.mark.parametrize(
    "function, shape, dtype, words",
    [
        (lambda x: x, (None, 8, 8, 3), "float32", "makes .16, 8, 8, 3."),
        (lambda x: (x[:, 0, 0],) * 2, (None, 8, 8, 3), "float32", ", .16, 3."),
        (lambda x: x[0, 0], (None, 8, 8, 3), "float32", "makes .8, 3."),
        (lambda x: x, (None, 512), "float32", "takes float32 .None, 512."),
        (lambda x: x[:, 0, 0], (None, 8, 8, 3), "uint8", "takes uint8"),
        (lambda x: x[:, 0, 0], (None, 8, 8, 1), "float32", "8, 8, 1"),
        (lambda x: x[:, 0, 0], (2, 8, 8, 3), "float32", "takes float32 .2, 8"),
        (
            lambda x: tf.reshape(x, [7, -1]),
            (None, 8, 8, 3),
            "float32",
            "Input to reshape",
        ),
    ],
)
def test_modules_of_another_interface(tmp_path, function, shape, dtype, words):
    def named(images):
        outputs = function(images)
        if isinstance(outputs, tuple):
            return dict(zip("ab", outputs, strict=True))
        return outputs

    path = saved(tmp_path / "module", named, *shape, dtype=dtype)
    expected = r"expected a module from images float32 \[N, H, W, 3\] .*"
    with pytest.raises(UserError, match=expected + words) as error:
        load_features(path)
    assert str(path) in str(error.value)


def test_a_module_without_any_function(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "module"))
    with pytest.raises(UserError, match="it takes nothing"):
        load_features(tmp_path / "module")


def test_a_folder_that_holds_no_module(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="cannot read"):
        load_features(tmp_path)
    with pytest.raises(
        UserError, match=r"the folder of .* there is no folder .*none"
    ):
        load_features(tmp_path / "none")


def test_features_that_are_not_finite(tmp_path):
    def function(images):
        return 1.0 / images[:, 0, 0]

    path = saved(tmp_path / "module", function, None, 8, 8, 3)
    with pytest.raises(UserError, match="gave NaN or infinity"):
        load_features(path)


def test_wrong_pictures(tmp_path):
    features = load_features(
        saved(tmp_path / "m", lambda x: x[:, 0, 0], None, None, None, 3)
    )
    with pytest.raises(UserError, match="received float64"):
        features(PICTURES / 255)
    with pytest.raises(UserError, match="8x8, as the others; received 4x4"):
        extract_features(features, [PICTURES, PICTURES[:, :4, :4]])
