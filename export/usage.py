"""How to use an exported model, for its card: a snippet for each format."""


def usage(form, latent_size, classes):
    """What a reader who has only the file needs.

    Args:
        form: str, a key of `progan_tf.export.formats.FORMATS`.
        latent_size: int, numbers a latent.
        classes: int, 0 for none.

    Returns:
        str, Markdown; its code makes four images of the model at
        "path/to/this".
    """
    snippet, note = {
        "hub": (_hub, _HUB_NOTE),
        "keras": (_keras, _KERAS_NOTE),
        "onnx": (_onnx, _ONNX_NOTE),
        "litert": (_litert, _LITERT_NOTE),
    }[form]
    return f"```python\n{snippet(latent_size, classes)}```\n\n{note}"


def _hub(latent_size, classes):
    inputs = f"tf.random.normal([4, {latent_size}])"
    if classes:
        inputs = (
            f'{{"latent_vector": {inputs}, '
            f'"labels": tf.one_hot([0, 0, 0, 0], {classes})}}'
        )
    return f"""import tensorflow as tf
import tensorflow_hub as hub

module = hub.load("path/to/this")
images = module({inputs})
"""


# tensorflow-hub 0.16 imports pkg_resources, which setuptools 82 does not have.
_HUB_NOTE = """It needs `pip install tensorflow-hub tf_keras "setuptools<82"`.

As a layer of Keras 3, and of Keras 2 (`tf_keras`):

```python
layer = keras.layers.TFSMLayer(
    "path/to/this", call_endpoint="serving_default"
)  # layer(inputs)["default"] are the images
layer = hub.KerasLayer("path/to/this")
```

Its signatures, for TensorFlow Serving, are `default` and `serving_default`.
Packed as `.tar.gz` on a web server, `hub.load` takes it from there.
"""


def _keras(latent_size, classes):
    inputs = f"keras.random.normal([4, {latent_size}])"
    if classes:
        inputs = f"[{inputs}, keras.ops.one_hot([0, 0, 0, 0], {classes})]"
    return f"""import keras
import progan_tf.layers

generator = keras.saving.load_model("path/to/this")
images = (generator({inputs}) + 1) / 2
"""


_KERAS_NOTE = """It needs the Python package progan-tf, whose layers it has. Any
backend of Keras will do.
"""


def _onnx(latent_size, classes):
    return f"""import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("path/to/this")
{_named_inputs(latent_size, classes)}
(images,) = session.run(None, inputs)
"""


_ONNX_NOTE = """The batch may have any size.
"""


def _litert(latent_size, classes):
    return f"""import numpy as np
from ai_edge_litert.interpreter import Interpreter

run = Interpreter("path/to/this").get_signature_runner()
{_named_inputs(latent_size, classes)}
images = run(**inputs)["default"]
"""


_LITERT_NOTE = """The batch may have any size.
"""


def _named_inputs(latent_size, classes):
    latents = f"np.random.randn(4, {latent_size}).astype(np.float32)"
    lines = [f'inputs = {{"latent_vector": {latents}}}']
    if classes:
        labels = f"np.eye({classes}, dtype=np.float32)[[0, 0, 0, 0]]"
        lines.append(f'inputs["labels"] = {labels}')
    return "\n".join(lines)
