"""The format litert: a file for LiteRT, formerly TensorFlow Lite.

Its one signature takes `latent_vector` (and `labels`) and gives `default`, as
a `GeneratorModule` does. The batch may have any size, unless one is asked for:
runtimes in browsers take no other than that of the file. All operations are
LiteRT's own.
"""

from progan_tf.export.format import Format, named_inputs


def _write(model, path, precision, files, options):
    from progan_tf.export.checks import append_files, write_checked

    batch_size = options.get("batch_size")

    def write(file):
        file.write_bytes(_converted(model, precision, batch_size))
        # `unzip` finds them, as it finds other files packed in LiteRT's.
        append_files(file, files)

    return write_checked(path, write, _loaded, model, precision, batch_size)


def _converted(generator, precision, batch_size):
    import tensorflow as tf

    from progan_tf.export.module import GeneratorModule
    from progan_tf.export.precision import in_precision

    # In float32, because float16 is how the converter stores that.
    generator = _upscaling_apart(in_precision(generator, "float32"))
    module = GeneratorModule(generator, batch_size=batch_size, empty=False)
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
    import keras

    from progan_tf.layers import EqualizedConv2D, NearestUpscale

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

    # Keras hands on a mask, where a layer can take one.
    def call(layer, *inputs, mask=None):
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
    return lambda inputs: run(**inputs)["default"]


def _snippet(latent_size, classes, count):
    return f"""import numpy as np
from ai_edge_litert.interpreter import Interpreter

run = Interpreter("path/to/this").get_signature_runner()
{named_inputs(latent_size, classes, count)}
images = run(**inputs)["default"]
"""


_NOTE = """Runtimes in browsers, such as LiteRT.js, take no `batch` of any size:
for them export with `--batch_size=1`, and call
`model.run({latent_vector: tensor})`.

OpenVINO computes in bfloat16 where the processor has it; for exact images set
its property `INFERENCE_PRECISION_HINT` to `f32`.
"""

LITERT = Format(
    name="litert",
    ending=".tflite",
    write=_write,
    snippet=_snippet,
    note=_NOTE,
    # Its operations do not take bfloat16. float16 is of the weights, half the
    # file: a CPU then still computes in float32.
    precisions=("float32", "float16"),
    packages=("ai_edge_litert",),
    options=("batch_size",),
    of_precision=" weights",
)
