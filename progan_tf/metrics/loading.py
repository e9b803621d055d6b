"""Loading a network that turns pictures into vectors."""

import os
import pathlib

from progan_tf.metrics.features import GRAPH_FILE


def load_features(source, trust=False):
    """Load a network that turns pictures into vectors.

    Args:
        source: str or path. The folder of a SavedModel, an address that
            `tensorflow_hub.load` takes, or the Inception-2015-12-05 graph:
            the file classify_image_graph_def.pb or its folder.
        trust: bool, load it whatever its operations do: see `saved_models`.

    Returns:
        `Features`.

    Raises:
        UserError: if it cannot be loaded or has another interface.
    """
    # Here, because most metrics need neither of them, nor TensorFlow.
    from progan_tf.metrics.hub_features import HubModule
    from progan_tf.metrics.inception import InceptionGraph

    source = os.fspath(source)
    path = pathlib.Path(source)
    if (path / GRAPH_FILE).is_file():
        return InceptionGraph(path / GRAPH_FILE, trust)
    if path.is_file() and path.suffix == ".pb":
        return InceptionGraph(path, trust)
    return HubModule(source, trust)
