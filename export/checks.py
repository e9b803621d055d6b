"""Comparison of an export's images with those of its generator."""

import numpy as np
import tensorflow as tf

from progan_tf.errors import UserError
from progan_tf.export.module import LABELS, LATENTS
from progan_tf.export.precision import in_precision
from progan_tf.latents import seeded_latents
from progan_tf.sampling import as_generator

_SEEDS = 8
# Limits of the root-mean-square difference, for images in [0, 1]. The largest
# measured ones were 2e-6 in float32, 0.0025 in float16 and 0.006 in bfloat16,
# and 0.1 with a mirrored kernel. The largest difference of a pixel does not
# indicate errors, because it grows with the number of pixels: with bfloat16 it
# is 0.06 in trained 32x32 images.
_TOLERANCES = {"float32": 1e-5, "float16": 0.005, "bfloat16": 0.02}


def largest_difference(
    generator, images_of, precision="float32", batch_size=None
):
    """The largest difference of a pixel value, a float, over 8 seeds.

    Compares `images_of`, the function from `Format.load`, which computes in
    `precision` and takes batches of `batch_size` if given, with the generator
    (`keras.Model`), which computes in float32 for this. Raises UserError if
    they differ by more than rounding.
    """
    generator = as_generator(in_precision(generator, "float32"))
    # A graph frees each layer's output; eager execution would keep them all.
    forward = tf.function(lambda inputs: generator(*inputs), autograph=False)
    differences = []
    # Batches of one and of two, because a file may accept only one size by
    # mistake. No larger ones, because even two images of 1024x1024 need
    # gigabytes.
    seeds = np.arange(_SEEDS)
    groups = np.split(seeds, [1, 3, 5, 7])
    if batch_size:
        groups = np.resize(seeds, (-(-_SEEDS // batch_size), batch_size))
    for seeds in groups:
        latents = seeded_latents(seeds, generator.latent_size)
        inputs = generator.inputs_of(latents, generator.labels_of(seeds))
        # On the CPU, because GPUs round the factors of float32 products to
        # TensorFloat-32.
        with tf.device("CPU:0"):
            outputs = forward(inputs)
            named = dict(zip((LATENTS, LABELS), inputs, strict=False))
            images = np.asarray(images_of(named))
        expected = ((np.asarray(outputs) + 1) / 2).clip(0, 1)
        differences.append(np.abs(images - expected))
    differences = np.concatenate(differences)
    rms = float(np.sqrt(np.mean(np.square(differences))))
    # Written so that NaN is refused, too.
    if not rms <= _TOLERANCES[precision]:
        raise UserError(
            f"expected images within {_TOLERANCES[precision]:.2g} of the "
            "generator's (root mean square); those of the exported model "
            f"differ by {rms:.2g}, so it was removed"
        )
    return float(differences.max())
