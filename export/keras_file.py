"""The format keras: a `.keras` file."""

from progan_tf.export.format import Format, append_files


def _write(generator, path, precision, files, options):
    from progan_tf.export.precision import in_precision

    # The layers compute in this precision; the weights stay float32.
    in_precision(generator.model, precision).save(path)
    append_files(path, files)


def _load(path):
    import keras
    import numpy as np
    import tensorflow as tf

    model = keras.saving.load_model(path, compile=False)
    # As a graph, which takes less memory than eager execution.
    forward = tf.function(model, autograph=False)

    def images_of(inputs):
        values = list(inputs.values())
        outputs = forward(values if len(values) > 1 else values[0])
        return ((np.asarray(outputs) + 1) / 2).clip(0, 1)

    return images_of


def _snippet(latent_size, classes, count):
    inputs = f"keras.random.normal([{count}, {latent_size}])"
    if classes:
        inputs = f"[{inputs}, keras.ops.one_hot([0] * {count}, {classes})]"
    return f"""import keras
import progan_tf.layers

generator = keras.saving.load_model("path/to/this")
images = (generator({inputs}) + 1) / 2
"""


KERAS = Format(
    name="keras",
    ending=".keras",
    write=_write,
    load=_load,
    snippet=_snippet,
    note="Loading it needs the Python package progan-tf, which has its\n"
    "layers. It runs on any backend of Keras.\n",
    latents="latents",
    images="images",
    values="about in [-1, 1]",
)
