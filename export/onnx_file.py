"""The format onnx: a file for onnxruntime and others.

It takes `latent_vector` (and `labels`) and gives `default`, as a
`GeneratorModule` does: float32 `[batch, R, R, channels]` in [0, 1], for any
batch. It is of opset 17, which onnxruntime reads from 1.12 on.
"""

from progan_tf.export.format import CARD_FILE, OPENVINO, Format, named_inputs


def _write(generator, path, precision, files, options):
    from progan_tf.export.onnx_graph import onnx_model
    from progan_tf.export.precision import in_precision

    # The card becomes the model's description.
    card = files.get(CARD_FILE, b"").decode()
    model = in_precision(generator.model, precision)
    graph = onnx_model(model, precision, card)
    path.write_bytes(graph.SerializeToString())


def _load(path):
    import onnxruntime

    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(str(path), providers=providers)
    return lambda inputs: session.run(["default"], inputs)[0]


def _snippet(latent_size, classes, count):
    return f"""import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("path/to/this")
{named_inputs(latent_size, classes, count)}
(images,) = session.run(None, inputs)
"""


_NOTE = f"""The batch may have any size. onnxruntime-web runs the same file in a
browser:

```javascript
const session = await ort.InferenceSession.create("path/to/this");
const latents = new ort.Tensor("float32", numbers, [1, numbers.length]);
const {{default: images}} = await session.run({{latent_vector: latents}});
```

{OPENVINO}"""

ONNX = Format(
    name="onnx",
    ending=".onnx",
    write=_write,
    load=_load,
    snippet=_snippet,
    note=_NOTE,
    # Its convolution supports bfloat16 only from opset 22 on, which is too new
    # for many runtimes. onnxruntime computes in float16 on GPUs; on most CPUs
    # it converts to float32 and back.
    precisions=("float32", "float16"),
    packages=("onnx", "onnxruntime"),
)
