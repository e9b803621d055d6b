"""The format litert: a file for LiteRT, formerly TensorFlow Lite.

Its one signature takes `latent_vector` (and `labels`) and gives `default`, as
a `GeneratorModule` does. The batch size is free, unless a fixed one is given:
runtimes in browsers need a fixed batch size. All operations are LiteRT's
built-in ones.
"""

import re

from progan_tf.errors import UserError
from progan_tf.export.format import OPENVINO, Format, append_files, named_inputs
from progan_tf.text import first_line


def _write(generator, path, precision, files, options):
    from progan_tf.export.module import GeneratorModule
    from progan_tf.export.precision import in_precision

    # In float32; the converter then stores float16.
    model = _upscaling_apart(in_precision(generator.model, "float32"))
    batch_size = options.get("batch_size")
    module = GeneratorModule(model, batch_size=batch_size, empty=False)
    arguments = module.signature(), module, precision, generator.name
    path.write_bytes(converted(*arguments))
    # `unzip` extracts them, as is usual for files packed in LiteRT's.
    append_files(path, files)


def converted(function, module, precision, name):
    """A function as LiteRT's bytes, whose weights are of a precision.

    It is a `tf.function` with an input signature; `module` holds its variables.
    Raises UserError, in which `name` stands for the generator, for an operation
    that LiteRT does not support.
    """
    import tensorflow as tf

    from progan_tf.command import stderr_held_back

    try:
        # The converter prints the lines of its errors, too.
        with stderr_held_back(shown=False):
            converter = tf.lite.TFLiteConverter.from_concrete_functions(
                [function.get_concrete_function()], module
            )
            if precision == "float16":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
                converter.target_spec.supported_types = [tf.float16]
            return converter.convert()
    except Exception as error:  # The converter raises errors of any kind.
        missing = re.findall(r"'tf\.(\w+)' op is neither", str(error))
        reason = first_line(error)
        if missing:
            names = ", ".join(dict.fromkeys(missing))
            reason = f"it does not support the operation {names}"
        raise UserError(
            f"{name} cannot be converted to LiteRT, for browsers and phones: "
            f"{reason}"
        ) from error


def _upscaling_apart(generator):
    """An equivalent model with upscaling before the convolutions.

    LiteRT's transposed convolution is slower than that in spite of fewer
    taps: measured on two x86 cores at 32x32 to 256x256, images take 1.4 to
    2.5 times as long. Its kernels are larger, too.
    """

    from progan_tf.export.precision import rebuilt
    from progan_tf.layers import EqualizedConv2D, NearestUpscale

    fused = {
        layer.name
        for layer in generator.layers
        if isinstance(layer, EqualizedConv2D) and layer.resample == "up"
    }

    def changes(layer):
        return {"resample": None} if layer.name in fused else {}

    # Options are what the layer was called with, and a mask if it takes one.
    def call(layer, *inputs, **options):
        if layer.name in fused:
            inputs = [NearestUpscale()(*inputs)]
        return layer(*inputs, **options)

    return rebuilt(generator, changes, call)


def _load(path):
    # Not tf.lite.Interpreter, which is deprecated in favour of this one.
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(model_path=str(path)).get_signature_runner()
    return lambda inputs: run(**inputs)["default"]


def _snippet(latent_size, classes, count):
    return f"""import numpy as np
from ai_edge_litert.interpreter import Interpreter

run = Interpreter("path/to/this").get_signature_runner()
{named_inputs(latent_size, classes, count)}
images = run(**inputs)["default"]
"""


_NOTE = f"""\
Browser runtimes such as LiteRT.js need a fixed batch size: for them,
export with `--batch_size=1` and call `model.run({{latent_vector: tensor}})`.

{OPENVINO}"""

LITERT = Format(
    name="litert",
    ending=".tflite",
    write=_write,
    load=_load,
    snippet=_snippet,
    note=_NOTE,
    # Its operations do not support bfloat16. float16 applies to the weights and
    # halves the file; a CPU still computes in float32.
    precisions=("float32", "float16"),
    packages=("ai_edge_litert",),
    options=("batch_size",),
    of_precision=" weights",
)
