"""Published weights: the networks that others trained, as families of ours.

`read_published` tells by its first bytes which program a file is of. Whatever
a file holds, nothing in it is executed.
"""

from progan_tf.weights.gan_zoo import gan_zoo_states
from progan_tf.weights.gan_zoo import read_gan_zoo
from progan_tf.weights.official import official_variables
from progan_tf.weights.official import read_official
from progan_tf.weights.published import PublishedGAN
from progan_tf.weights.published import PublishedInfo
from progan_tf.weights.torch_files import is_torch_file

__all__ = [
    "PublishedGAN",
    "PublishedInfo",
    "gan_zoo_states",
    "official_variables",
    "read_gan_zoo",
    "read_official",
    "read_published",
]


def read_published(path):
    """Read a file of published weights, of either program.

    Args:
        path: an official `.pkl`, or a `.pth` of pytorch_GAN_zoo.

    Returns:
        `PublishedGAN`.

    Raises:
        UserError: if it cannot be read; see `read_official` and
            `read_gan_zoo`.
    """
    return read_gan_zoo(path) if is_torch_file(path) else read_official(path)
