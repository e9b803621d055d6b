"""Writing a generator as an ONNX file."""

from progan_tf.export.checks import write_checked
from progan_tf.export.formats import check_request
from progan_tf.export.module import IMAGES
from progan_tf.export.precision import in_precision


def export_onnx_file(
    generator, path, overwrite=False, precision="float32", card=None
):
    """Write a generator as an ONNX file and compare its images.

    It takes `latent_vector` (and `labels`) and gives `default`, as a
    `GeneratorModule` does: float32 `[batch, R, R, channels]` in [0, 1], for
    any batch. It is of opset 17, which onnxruntime reads from 1.12 on.

    Args:
        generator: `keras.Model` from latents (and one-hot labels) to images
            in [-1, 1], whose layers are those of `progan_tf.layers`.
        path: the file, which ends with `.onnx`.
        overwrite: bool, replace what is there.
        precision: "float32", or "float16", which onnxruntime computes in on
            GPUs; on most CPUs it converts to float32 and back.
        card: str, Markdown to become the model's description.

    Returns:
        float, the largest difference between the images of 8 seeds in [0, 1].

    Raises:
        UserError: if `onnx` or `onnxruntime` is not installed, for another
            ending, if something is there and may not be overwritten, for a
            layer that is not of this package, if it cannot be written, or if
            the images differ. Then nothing is left of it, and what was there
            is as it was.
    """
    path = check_request("onnx", path, precision, overwrite)
    # Not at the top, because this package is complete without them.
    from progan_tf.export.onnx_graph import onnx_model

    model = onnx_model(in_precision(generator, precision), precision, card)
    data = model.SerializeToString()
    return write_checked(
        path,
        lambda file: file.write_bytes(data),
        _loaded,
        generator,
        precision,
    )


def _loaded(file):
    """The written file, as a function of the named inputs."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        str(file), providers=["CPUExecutionProvider"]
    )
    return lambda inputs: session.run([IMAGES], inputs)[0]
