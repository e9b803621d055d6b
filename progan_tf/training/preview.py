"""A picture of what an augmentation makes of the data, before training."""

import numpy as np
import tensorflow as tf

from progan_tf.augmentation import TRANSFORMS, augmented, chosen
from progan_tf.data import ShuffledOrder, check_apart
from progan_tf.errors import UserError
from progan_tf.images import box_down, make_grid, nearest_up, save_png

_CHANCES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_COLUMNS = 12
# Pictures are shown at a size between these, in pixels.
_SMALLEST, _LARGEST = 64, 128


def check_preview(config, path):
    """Raise UserError where there is nothing to preview, or no PNG is wanted.

    Args:
        config: `TrainConfig`.
        path: str.
    """
    if not chosen(config.augment):
        raise UserError("preview_augment needs --augment, which is none")
    if not path.lower().endswith(".png"):
        raise UserError(f"expected --preview_augment=FILE.png; received {path}")
    check_apart(config.data, path, "--preview_augment")


def write_preview(config, source, path):
    """Write a PNG of reals as the discriminator would see them.

    The first pictures of the run are its columns, and p its rows, 0, 0.2, ...
    to 1; the random numbers of a column are the same in all rows.

    Args:
        config: `TrainConfig` with an augmentation.
        source: `data.Source` of the reals.
        path: str, the file; its folder must exist.

    Raises:
        UserError: if the data cannot be read or the file not be written.
    """
    size = config.resolution
    order = ShuffledOrder(len(source), config.seed)
    reals = source.images(order.indices(0, _COLUMNS), size)  # [NRRC]
    reals = tf.cast(reals, tf.float32) / 127.5 - 1.0
    numbers = {
        name: tf.random.stateless_uniform(
            [_COLUMNS, TRANSFORMS[name].numbers], [config.seed, i], alg="philox"
        )
        for i, name in enumerate(chosen(config.augment))
    }
    rows = [augmented(reals, numbers, p).numpy() for p in _CHANCES]
    # Enlarged for the eye, or shrunk.
    cells = nearest_up(np.concatenate(rows), max(1, _SMALLEST // size))
    cells = box_down(cells, max(1, size // _LARGEST))
    cells = np.clip(np.rint((cells + 1.0) * 127.5), 0, 255).astype("uint8")
    save_png(path, make_grid(cells, _COLUMNS))
    chances = ", ".join(f"{p:g}" for p in _CHANCES)
    print(f"Wrote {path}; from the top row down, p is {chances}.")
