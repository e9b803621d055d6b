"""Reading weights to start from: published files, or those of a run.

They are converted to our networks. `read_published` recognizes the program that
wrote a file by its first bytes. Nothing in a file is ever executed.
"""

import os

from progan_tf import addresses, pretrained
from progan_tf.errors import UserError
from progan_tf.weights.classless import without_classes
from progan_tf.weights.gan_zoo import read_gan_zoo
from progan_tf.weights.official import read_official
from progan_tf.weights.published import (
    PublishedGAN,
    PublishedInfo,
    blended,
)
from progan_tf.weights.runs import read_run, read_shipped
from progan_tf.weights.torch_files import is_torch_file

__all__ = [
    "PublishedGAN",
    "PublishedInfo",
    "blended",
    "read_gan_zoo",
    "read_official",
    "read_published",
    "read_run",
    "read_shipped",
    "without_classes",
]


def read_published(path):
    """Read published weights of either program, or a run's.

    Args:
        path: an official `.pkl`, a `.pth` of pytorch_GAN_zoo, a run
            directory, the name of an included generator, or an address of
            weights on the net (see `addresses`).

    Returns:
        `PublishedGAN`.

    Raises:
        UserError: if it cannot be read; see `read_official`, `read_gan_zoo`,
            `read_run` and `read_shipped`.
    """
    if shipped := pretrained.named(path):
        return read_shipped(shipped)
    path = addresses.local(path, "weights")
    if addresses.is_unpacked_keras(path) or str(path).endswith(".keras"):
        raise UserError(
            f"expected published weights or a run directory; {path} is a Keras "
            "model, which holds a generator without its discriminator; to "
            "write it in another format, use progan_tf.export "
            f"--generator={path}"
        )
    if os.path.isdir(path):
        return read_run(path)
    return read_gan_zoo(path) if is_torch_file(path) else read_official(path)
