"""The model card and the sample picture that lie in an exported model."""

import io
import math

import numpy as np
from PIL import Image

from progan_tf import __version__
from progan_tf.data import kind_named
from progan_tf.export.format import CARD_FILE, SAMPLE_FILE
from progan_tf.export.formats import FORMATS
from progan_tf.images import make_grid, nearest_up
from progan_tf.sampling import as_generator, generate_images
from progan_tf.weights.runs import inherited_licence

_LARGEST_SAMPLE = 1024  # Pixels along a side of the picture.
_OTHERS = (
    "What may be done with the images depends on the licence of the training "
    "data, which this model does not know."
)


def card_files(
    generator, form="hub", precision="float32", metrics=None, batch_size=None
):
    """The files that go with a model: its card and, with room, a picture.

    Args:
        generator, form, precision, metrics, batch_size: as of `model_card`.

    Returns:
        dict from file name to bytes.
    """
    card = model_card(generator, form, precision, metrics, batch_size)
    if not FORMATS[form].has_picture:
        return {CARD_FILE: card.encode()}
    picture = f"![samples]({SAMPLE_FILE})\n"
    title, rest = card.split("\n", 1)
    return {
        SAMPLE_FILE: _sample_png(generator),
        CARD_FILE: f"{title}\n\n{picture}{rest}".encode(),
    }


def model_card(
    generator, form="hub", precision="float32", metrics=None, batch_size=None
):
    """What a model maps, where it comes from and how to load it.

    Args:
        generator: `keras.Model` or `AnyGenerator`, from latents (and one-hot
            labels).
        form: str, the format: a key of `progan_tf.export.formats.FORMATS`.
        precision: str, what the model computes in.
        metrics: dict from a metric's name to its value, where known.
        batch_size: int, the one batch that the model takes; by default any.

    Returns:
        str, Markdown.
    """
    generator, record = as_generator(generator), FORMATS[form]
    config, images_seen = generator.origin or (None, None)
    latent_size, classes = generator.latent_size, generator.num_classes
    height, width, _ = generator.image_shape
    rows = _interface(generator, record, batch_size) | {
        # LiteRT stores weights in it, and computes as the device does best.
        "precision": precision + record.of_precision,
        "parameters": f"{generator.model.count_params():,}",
    }
    if config:
        # A folder's name alone: where it lies is nobody's business.
        data = kind_named(config.data).title(config.data)
        rows["training data"] = data.replace("|", "\\|")
        rows["images seen in training"] = f"{images_seen:,}"
        rows["preset"] = config.preset
    rows |= {name: f"{value:.4g}" for name, value in (metrics or {}).items()}
    table = "\n".join(f"| {name} | {text} |" for name, text in rows.items())
    return f"""# Progressive GAN generator, {width}x{height}

| | |
|---|---|
{table}

Made with progan_tf {__version__}, after Karras et al., "Progressive Growing of
GANs for Improved Quality, Stability, and Variation", ICLR 2018.

## Use

{record.usage(latent_size, classes, batch_size or 4)}
## Licence

{_licence(config)}
"""


def _licence(config):
    """What the data and the weights that training began with ask for."""
    credit = kind_named(config.data).credit if config else None
    text = credit or _OTHERS
    inherited = inherited_licence(config.run_dir) if config else ""
    if inherited:
        text += f"\n\nOf the weights that training began with: {inherited}."
    return text


def _interface(generator, form, batch_size):
    """The rows of inputs and output."""
    batch = batch_size or "batch"
    shape = ", ".join(map(str, generator.image_shape))
    latents = f"float32 [{batch}, {generator.latent_size}], N(0, 1)"
    rows = {f"input `{form.latents}`": latents}
    if generator.num_classes:
        labels = f"float32 one-hot [{batch}, {generator.num_classes}]"
        rows[f"input `{form.labels}`"] = labels
    images = f"float32 [{batch}, {shape}] {form.values}"
    return rows | {f"output `{form.images}`": images}


def _sample_png(generator):
    """A grid of the first seeds' images, as PNG bytes."""
    resolution = generator.resolution
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
