"""The format hub: a TF-Hub module."""

from progan_tf.export.format import CARD_FILE, SAMPLE_FILE, Folder, Format


def _write(generator, path, precision, files, options):
    import tensorflow as tf

    from progan_tf.export.module import GeneratorModule
    from progan_tf.export.precision import in_precision
    from progan_tf.text import first_line

    trainable = bool(options.get("trainable"))
    model = in_precision(generator.model, precision)
    module = GeneratorModule(model, trainable)
    names = "default", "serving_default"
    signatures = dict.fromkeys(names, module.signature())
    try:
        tf.saved_model.save(module, str(path), signatures=signatures)
    except tf.errors.OpError as error:
        # TensorFlow has errors of its own for a full disk.
        raise OSError(first_line(error)) from error
    for name, data in files.items():
        (path / name).write_bytes(data)


def _load(path):
    import tensorflow as tf

    from progan_tf.saved_models import load_saved_model

    # Our own module, whatever its folder is called.
    module = load_saved_model(path, str(path), trust=True)

    def images_of(inputs):
        inputs = {name: tf.constant(array) for name, array in inputs.items()}
        return module.signatures["default"](**inputs)["default"]

    return images_of


def _snippet(latent_size, classes, count):
    inputs = f"tf.random.normal([{count}, {latent_size}])"
    if classes:
        labels = f"tf.one_hot([0] * {count}, {classes})"
        inputs = f'{{"latent_vector": {inputs}, "labels": {labels}}}'
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
`hub.load` also takes the address of the module on a web server, packed as
`.tar.gz`.
"""

HUB = Format(
    name="hub",
    ending="",
    write=_write,
    load=_load,
    snippet=_snippet,
    note=_NOTE,
    options=("trainable",),
    folder=Folder(
        kind="module",
        mark="saved_model.pb",
        parts=frozenset(
            ("saved_model.pb", "fingerprint.pb", "variables", "assets")
            + (CARD_FILE, SAMPLE_FILE)
        ),
        archive=".tar.gz",
    ),
    has_picture=True,
)
