"""The format keras: a `.keras` file."""

from progan_tf.export.format import Format


def _write(model, path, precision, files, options):
    from progan_tf.export.checks import append_files, write_checked
    from progan_tf.export.precision import in_precision

    # The layers compute in it; the weights are float32 all the same.
    rebuilt = in_precision(model, precision)

    def write(file):
        rebuilt.save(file)
        append_files(file, files)

    return write_checked(path, write, _loaded, model, precision)


def _loaded(file):
    """The written model, as a function of the named inputs."""
    import keras
    import numpy as np
    import tensorflow as tf

    model = keras.saving.load_model(file, compile=False)
    # As a graph, which takes less memory than layer by layer.
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


_NOTE = """It needs the Python package progan-tf, whose layers it has. Any
backend of Keras will do.
"""

KERAS = Format(
    name="keras",
    ending=".keras",
    write=_write,
    snippet=_snippet,
    note=_NOTE,
    latents="latents",
    images="images",
    values="about in [-1, 1]",
)
