"""The network of the FID and of the inception score.

The FID (Heusel et al. 2017) and the inception score (Salimans et al. 2016) are
defined by one file: classify_image_graph_def.pb of 2015-12-05. Other Inception
networks give other numbers.
"""

import numpy as np
import tensorflow as tf
from google.protobuf import message

from progan_tf.errors import UserError
from progan_tf.metrics.features import GRAPH_FILE, Features
from progan_tf.reading import open_file
from progan_tf.saved_models import check_graph

# Names in that graph: the input, pictures of any size from 0 to 255; the
# features; and the product with the weights of the classes.
_INPUT, _FEATURES, _PRODUCT = "ExpandDims", "pool_3", "softmax/logits/MatMul"
_DIMENSION, _CLASSES = 2048, 1008


class InceptionGraph(Features):
    """The Inception-2015-12-05 graph: 2048 features, before the classifier.

    It is known by its operations' names and the shape of its classifier; that
    the weights are the published ones is for the user to make sure of. Raises
    UserError for the file of another network.
    """

    is_inception_2015 = True

    def __init__(self, path, trust=False):
        definition, graph = _read(path), tf.Graph()
        check_graph(definition, str(path), trust)
        self._path = path
        with graph.as_default():
            shape = [None, None, None, 3]
            self._images = tf.compat.v1.placeholder(tf.float32, shape)
            try:
                self._pooled, product = tf.graph_util.import_graph_def(
                    definition,
                    input_map={f"{_INPUT}:0": self._images},
                    return_elements=[f"{_FEATURES}:0", _PRODUCT],
                    name="",
                )
            # A name is missing, or there is any other damage.
            except Exception as error:
                raise _not_inception(path) from error
        if [x.shape for x in product.inputs[1:]] != [(_DIMENSION, _CLASSES)]:
            raise _not_inception(path)
        weights = product.inputs[1]
        # Not a `tf.function`: TensorFlow still runs the graph's operations in
        # a graph as old as this one, but not within functions.
        self._session = tf.compat.v1.Session(graph=graph)
        self._weights = self._run(weights, {})
        super().__init__(str(path))

    def logits(self, vectors):
        """Scores of the 1008 classes, `[N, 2048]` to `[N, 1008]`.

        Without the classifier's biases, like the official code and published
        inception scores.
        """
        return vectors @ self._weights

    def _vectors(self, images):
        inputs = {self._images: images.astype("float32")}
        pooled = self._run(self._pooled, inputs)
        if pooled.shape != (len(images), 1, 1, _DIMENSION):
            raise _not_inception(self._path)
        return pooled[:, 0, 0]

    def _run(self, tensor, inputs):
        """A tensor's value, an array; graphs may only pose as Inception's."""
        try:
            return np.asarray(self._session.run(tensor, inputs), "float32")
        except (tf.errors.OpError, TypeError, ValueError) as error:
            raise _not_inception(self._path) from error


def _read(path):
    """The `GraphDef` of a file."""
    try:
        with open_file(path) as file:
            return tf.compat.v1.GraphDef.FromString(file.read())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except message.DecodeError as error:
        raise _not_inception(path) from error


def _not_inception(path):
    expected = f"expected the Inception-2015-12-05 graph, {GRAPH_FILE}"
    return UserError(f"{expected}; {path} is another file")
