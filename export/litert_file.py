"""Writing a generator for LiteRT, formerly TensorFlow Lite."""

import keras
import tensorflow as tf

from progan_tf.export.card import append_card
from progan_tf.export.checks import write_checked
from progan_tf.export.formats import check_request
from progan_tf.export.module import IMAGES, GeneratorModule
from progan_tf.export.precision import in_precision
from progan_tf.layers import EqualizedConv2D, NearestUpscale


def export_litert_file(
    generator, path, overwrite=False, precision="float32", card=None
):
    """Write a generator as a `.tflite` file and compare its images.

    Its one signature takes `latent_vector` (and `labels`) and gives `default`,
    as a `GeneratorModule` does. The batch may have any size. All operations
    are LiteRT's own.

    Args:
        generator: `keras.Model` from latents (and one-hot labels) to images
            in [-1, 1], whose layers are those of `progan_tf.layers`.
        path: the file, which ends with `.tflite`.
        overwrite: bool, replace what is there.
        precision: "float32", or "float16" for weights in float16, half the
            file. A CPU then still computes in float32.
        card: str, Markdown to lie in the file as README.md, where `unzip`
            finds it, as it finds other files packed in LiteRT's.

    Returns:
        float, the largest difference between the images of 8 seeds in [0, 1].

    Raises:
        UserError: if `ai-edge-litert` is not installed, for another ending,
            if something is there and may not be overwritten, if it cannot be
            written, or if the images differ. Then nothing is left of it, and
            what was there is as it was.
    """
    path = check_request("litert", path, precision, overwrite)

    def write(file):
        file.write_bytes(_converted(generator, precision))
        append_card(file, card)

    return write_checked(path, write, _loaded, generator, precision)


def _converted(generator, precision):
    # In float32, because float16 is how the converter stores that.
    generator = _upscaling_apart(in_precision(generator, "float32"))
    module = GeneratorModule(generator)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.signature().get_concrete_function()], module
    )
    if precision == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def _upscaling_apart(generator):
    """The same function, upscaling before a convolution and not within it.

    LiteRT's transposed convolution is slower than that, for all its fewer
    taps: measured on two x86 cores at 32x32 to 256x256, images take 1.4 to
    2.5 times as long. Its kernels are larger, too.
    """
    fused = {
        layer.name
        for layer in generator.layers
        if isinstance(layer, EqualizedConv2D) and layer.resample == "up"
    }

    def rebuilt(layer):
        config = layer.get_config()
        if layer.name in fused:
            config["resample"] = None
        return type(layer).from_config(config)

    def call(layer, *inputs):
        if layer.name in fused:
            inputs = [NearestUpscale()(*inputs)]
        return layer(*inputs)

    apart = keras.models.clone_model(
        generator, clone_function=rebuilt, call_function=call
    )
    apart.set_weights(generator.get_weights())
    return apart


def _loaded(file):
    """The written file's signature, as a function of the named inputs."""
    # Not tf.lite.Interpreter, which is deprecated in favour of this one.
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(model_path=str(file)).get_signature_runner()
    return lambda inputs: run(**inputs)[IMAGES]
