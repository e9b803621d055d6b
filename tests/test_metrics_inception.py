"""Features of the Inception-2015 graph, by a stand-in of one layer."""

import numpy as np
import pytest
import tensorflow as tf

from progan_tf.errors import UserError
from progan_tf.metrics import load_features
from progan_tf.metrics.features import GRAPH_FILE

PICTURES = np.random.RandomState(0).randint(0, 256, (20, 8, 8, 3), "uint8")


def inception_graph(path, dimension=2048, classes=1008):
    """A graph with the names of Inception-2015, but one layer.

    It computes leaky means: pictures at 8x8 minus 128, over 128, normalized,
    each pixel times a matrix, rectified, and the mean of all.

    Returns:
        dict of its weights.
    """
    random = np.random.RandomState(1)
    weights = {
        "mean": random.normal(size=3),
        "variance": random.uniform(1, 2, 3),
        "beta": random.normal(size=3),
        "matrix": random.normal(size=(3, dimension)),
        "classes": random.normal(size=(dimension, classes)) / dimension**0.5,
        "biases": 100 + random.normal(size=classes),
    }
    weights = {name: x.astype("float32") for name, x in weights.items()}
    with tf.Graph().as_default() as graph:
        code = tf.compat.v1.placeholder(tf.string, [], "DecodeJpeg/contents")
        image = tf.cast(tf.io.decode_jpeg(code, 3), tf.float32, "Cast")
        images = tf.expand_dims(image, 0, "ExpandDims")
        images = tf.raw_ops.ResizeBilinear(images=images, size=[8, 8])
        x = (images - 128.0) / 128.0
        x = tf.identity(x, "to_normalize")
        x = tf.identity(x, "normalized")
        kernel = tf.constant(weights["matrix"][np.newaxis, np.newaxis])
        x = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "VALID"))
        x = tf.nn.avg_pool2d(x, 8, 1, "VALID", name="pool_3")
        x = tf.reshape(x, [1, dimension], name="pool_3/_reshape")
        matrix = tf.constant(weights["classes"], name="softmax/weights")
        x = tf.matmul(x, matrix, name="softmax/logits/MatMul")
        tf.nn.softmax(x + weights["biases"], name="softmax")
        for name in ("mean", "variance", "beta"):
            tf.constant(weights[name], name=name)
    definition = graph.as_graph_def()
    # What the real one normalizes by, and today's TensorFlow no longer makes.
    (node,) = (n for n in definition.node if n.name == "normalized")
    node.op = "BatchNormWithGlobalNormalization"
    node.input[:] = ["to_normalize", "mean", "variance", "beta", "beta"]
    node.attr["variance_epsilon"].f = 0.001
    node.attr["scale_after_normalization"].b = False
    definition.versions.producer = 8
    path.write_bytes(definition.SerializeToString())
    return weights


@pytest.fixture(scope="module")
def inception(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inception")
    weights = inception_graph(folder / GRAPH_FILE)
    return load_features(folder), weights


def test_the_inception_graph(inception):
    features, weights = inception
    assert features.is_inception_2015
    assert features.dimension == 2048
    x = (PICTURES / 128.0 - 1 - weights["mean"]) / np.sqrt(
        weights["variance"] + 0.001
    ) + weights["beta"]
    pooled = np.maximum(x @ weights["matrix"], 0).mean((1, 2))
    vectors = features(PICTURES)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, pooled, rtol=1e-4, atol=1e-4)
    # Without the biases.
    logits = pooled @ weights["classes"]
    np.testing.assert_allclose(
        features.logits(vectors), logits, rtol=1e-3, atol=1e-3
    )


def test_the_inception_graph_resizes_by_itself(inception):
    features, _ = inception
    large = PICTURES.repeat(4, 1).repeat(4, 2)
    # Old graphs take every fourth pixel, the corner's first.
    np.testing.assert_allclose(
        features(large), features(PICTURES), rtol=1e-4, atol=1e-5
    )
    grey = PICTURES[..., :1]
    np.testing.assert_array_equal(
        features(grey), features(grey.repeat(3, axis=-1))
    )


def test_other_graphs_are_no_inception(tmp_path):
    path = tmp_path / "graph.pb"
    path.write_bytes(b"no graph at all")
    with pytest.raises(UserError, match="expected the Inception-2015"):
        load_features(path)
    path.write_bytes(tf.Graph().as_graph_def().SerializeToString())
    with pytest.raises(UserError, match="graph.pb is another file"):
        load_features(path)
    inception_graph(path, dimension=16)
    with pytest.raises(UserError, match="graph.pb is another file"):
        load_features(path)


def tensor(value):
    return lambda images: tf.constant(value) + 0 * images[0, 0, 0, 0]


@pytest.mark.parametrize(
    ("pooled", "words"),
    [
        (tensor(np.ones((16, 1, 1, 7), "f")), "another file"),
        (tensor(np.ones(16, "f")), "another file"),
        (lambda images: tf.reshape(images, [3]), "another file"),
        (tf.strings.as_string, "another file"),
        (
            lambda images: (
                tf.raw_ops.Abort(error_msg="gone"),
                tf.ones([16, 1, 1, 2048]),
            )[1],
            "Abort; .* --trust",
        ),
    ],
)
def test_graphs_that_pose_as_inception(tmp_path, pooled, words):
    path = tmp_path / "graph.pb"
    with tf.Graph().as_default() as graph:
        code = tf.compat.v1.placeholder(tf.float32, [None, None, None, 3])
        images = tf.identity(code, "ExpandDims")
        tf.identity(pooled(images), "pool_3")
        matrix = tf.ones([2048, 1008])
        tf.matmul(tf.ones([1, 2048]), matrix, name="softmax/logits/MatMul")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(UserError, match=words):
        load_features(path)
