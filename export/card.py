"""The model card and the sample picture that lie in a module."""

import io
import math

import numpy as np
from PIL import Image

from progan_tf import __version__
from progan_tf.images import make_grid
from progan_tf.images import nearest_up
from progan_tf.sampling import generate_images
from progan_tf.sampling import input_sizes

SAMPLE_FILE, CARD_FILE = "sample.png", "README.md"
_LARGEST_SAMPLE = 1024  # Pixels along a side of the picture.
_CATS = (
    "The training data were cats composed from pictures by David Revoy, CC BY "
    "4.0: name him as the source of pictures made with this module."
)
_OTHERS = (
    "What may be done with the images depends on the licence of the training "
    "data, which this module does not know."
)


def card_files(generator, origin=None):
    """The files to lie beside a model: its card and a picture.

    Args:
        generator: `keras.Model` from latents (and one-hot labels).
        origin: (`TrainConfig`, int images seen) of the run, where known.

    Returns:
        dict from file name to bytes.
    """
    return {
        SAMPLE_FILE: _sample_png(generator),
        CARD_FILE: model_card(generator, origin).encode(),
    }


def model_card(generator, origin=None):
    """Markdown: what the module maps, where it comes from, how to load it."""
    latent_size, classes = input_sizes(generator)
    _, height, width, channels = generator.output_shape
    rows = {
        "input `latent_vector`": f"float32 [batch, {latent_size}], N(0, 1)",
        "output `default`": f"float32 [batch, {height}, {width}, {channels}] "
        "in [0, 1]",
        "parameters": f"{generator.count_params():,}",
    }
    if classes:
        rows["input `labels`"] = f"float32 one-hot [batch, {classes}]"
    licence = _OTHERS
    if origin:
        config, images_seen = origin
        rows["training data"] = config.data
        rows["images seen in training"] = f"{images_seen:,}"
        rows["preset"] = config.preset
        licence = _CATS if config.data == "cats" else _OTHERS
    table = "\n".join(f"| {name} | {text} |" for name, text in rows.items())
    latents = f"tf.random.normal([4, {latent_size}])"
    inputs = latents
    if classes:
        inputs = (
            f'{{"latent_vector": {latents}, '
            f'"labels": tf.one_hot([0, 0, 0, 0], {classes})}}'
        )
    return f"""# Progressive GAN generator, {width}x{height}

![samples]({SAMPLE_FILE})

| | |
|---|---|
{table}

Made with progan_tf {__version__}, after Karras et al., "Progressive Growing of
GANs for Improved Quality, Stability, and Variation", ICLR 2018.

## Use

```python
import tensorflow as tf
import tensorflow_hub as hub

module = hub.load("path/to/this/folder")
images = module({inputs})
```

`hub.KerasLayer(path)`, `keras.layers.TFSMLayer(path,
call_endpoint="serving_default")` and TensorFlow Serving take it too; the
signatures are `default` and `serving_default`.

## Licence

{licence}
"""


def _sample_png(generator):
    """A grid of the first seeds' images, as PNG bytes."""
    resolution = generator.output_shape[1]
    _, classes = input_sizes(generator)
    columns = min(8, max(2, _LARGEST_SAMPLE // resolution))
    rows = math.ceil(columns / 2)
    images = generate_images(generator, np.arange(columns * rows))
    images = nearest_up(images, max(1, 64 // resolution))
    grid = make_grid(images, columns)
    buffer = io.BytesIO()
    Image.fromarray(grid.squeeze(-1) if grid.shape[-1] == 1 else grid).save(
        buffer, "PNG"
    )
    return buffer.getvalue()
