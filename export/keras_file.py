"""Writing a generator as a `.keras` file."""

import pathlib

import keras
import numpy as np

from progan_tf.checkpoint import save_keras
from progan_tf.errors import UserError
from progan_tf.sampling import input_sizes
from progan_tf.sampling import one_hot
from progan_tf.sampling import seeded_latents


def export_keras_file(generator, path, overwrite=False):
    """Write a generator as a `.keras` file and compare it, read back.

    Args:
        generator: `keras.Model` from latents (and one-hot labels).
        path: the file, which ends with `.keras`.
        overwrite: bool, replace what is there.

    Returns:
        float, the largest difference between the images of 8 seeds in [0, 1].

    Raises:
        UserError: for another ending, if something is there and may not be
            overwritten, or if it cannot be written.
    """
    path = pathlib.Path(path)
    if path.suffix != ".keras":
        raise UserError(f"expected a file that ends with .keras, not {path}")
    if path.exists() and not overwrite:
        raise UserError(
            f"{path} exists; choose another place, or give --overwrite"
        )
    save_keras(generator, path)
    latent_size, classes = input_sizes(generator)
    inputs = seeded_latents(range(8), latent_size)
    if classes:
        inputs = [inputs, one_hot(np.arange(8) % classes, classes)]
    read_back = keras.saving.load_model(path, compile=False)
    images = [np.asarray(g(inputs)) / 2 for g in (generator, read_back)]
    return float(np.abs(images[0] - images[1]).max())
