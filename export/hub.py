"""The format hub: a TF-Hub module."""

from progan_tf.export.format import Format


def _write(model, path, precision, files, options):
    from progan_tf.export.saved_model import write_module

    trainable = bool(options.get("trainable"))
    return write_module(model, path, trainable, files, precision)


def _snippet(latent_size, classes, count):
    inputs = f"tf.random.normal([{count}, {latent_size}])"
    if classes:
        inputs = (
            f'{{"latent_vector": {inputs}, '
            f'"labels": tf.one_hot([0] * {count}, {classes})}}'
        )
    return f"""import tensorflow as tf
import tensorflow_hub as hub

module = hub.load("path/to/this")
images = module({inputs})
"""


# tensorflow-hub 0.16 imports pkg_resources, which setuptools 82 does not have.
_NOTE = """It needs `pip install tensorflow-hub tf_keras "setuptools<82"`.

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

HUB = Format(
    name="hub",
    ending="",
    write=_write,
    snippet=_snippet,
    note=_NOTE,
    options=("trainable",),
    has_picture=True,
)
