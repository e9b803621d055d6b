"""The model card and the sample picture of an exported model."""

import math

import numpy as np

from progan_tf import __version__
from progan_tf.data import kind_named
from progan_tf.export.format import CARD_FILE, SAMPLE_FILE
from progan_tf.export.formats import FORMATS
from progan_tf.images import encoded, make_grid, nearest_up
from progan_tf.layers import FixedLabel
from progan_tf.sampling import as_generator, generate_images
from progan_tf.weights.runs import inherited_licence

_LARGEST_SAMPLE = 1024  # Pixels along a side of the picture.
_OTHERS = (
    "What the images may be used for depends on the licence of the training "
    "data, which is not recorded in this model."
)


def card_files(generator, form, precision, metrics, batch_size, picture=None):
    """dict from name to bytes: `model_card` and, if supported, a picture."""
    card = model_card(generator, form, precision, metrics, batch_size)
    if not (FORMATS[form].has_picture if picture is None else picture):
        return {CARD_FILE: card.encode()}
    title, rest = card.split("\n", 1)
    card = f"{title}\n\n![samples]({SAMPLE_FILE})\n{rest}"
    return {SAMPLE_FILE: _sample_png(generator), CARD_FILE: card.encode()}


def model_card(
    generator, form="hub", precision="float32", metrics=None, batch_size=None
):
    """The inputs, outputs, origin and usage of a model, as Markdown.

    The generator is a `keras.Model` or `AnyGenerator`; metrics are a dict from
    a metric's name to its value; `batch_size` is None or the model's fixed one.
    """
    generator, record = as_generator(generator), FORMATS[form]
    config, images_seen = generator.origin or (None, None)
    latent_size, classes = generator.latent_size, generator.num_classes
    height, width, channels = generator.image_shape
    batch = batch_size or "batch"
    latents = f"float32 [{batch}, {latent_size}], N(0, 1)"
    rows = {f"input `{record.latents}`": latents}
    if classes:
        labels = f"float32 one-hot [{batch}, {classes}]"
        rows[f"input `{record.labels}`"] = labels
    for layer in generator.model.layers:
        if isinstance(layer, FixedLabel):
            last = layer.num_classes - 1
            rows["draws"] = (
                f"only class {layer.label} of the classes 0 to {last}"
            )
    shape = f"[{batch}, {height}, {width}, {channels}]"
    rows[f"output `{record.images}`"] = f"float32 {shape} {record.values}"
    # LiteRT only stores weights in it; the device chooses how to compute.
    rows["precision"] = precision + record.of_precision
    rows["parameters"] = f"{generator.model.count_params():,}"
    if config:
        kind = kind_named(config.data)
        # Only the folder's name, because its full path is private.
        rows["training data"] = kind.title(config.data).replace("|", "\\|")
        rows["images seen in training"] = f"{images_seen:,}"
        rows["preset"] = config.preset
    licence, *inherited = licences(config)
    if inherited:
        began = "Licence of the weights that training started from"
        licence += f"\n\n{began}: {inherited[0]}."
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

{licence}
"""


def licences(config):
    """The known licences of a model, a list of one text or two.

    They are those of the training data and, if it has one, of the weights that
    training started from; the config is the run's `TrainConfig`, or None.
    """
    if config is None:
        return [_OTHERS]
    inherited = inherited_licence(config.run_dir)
    credit = kind_named(config.data).credit or _OTHERS
    return [credit, inherited] if inherited else [credit]


def _sample_png(generator):
    """A grid of the first seeds' images, as PNG bytes."""
    resolution = generator.resolution
    columns = min(8, max(2, _LARGEST_SAMPLE // resolution))
    rows = math.ceil(columns / 2)
    images = generate_images(generator, np.arange(columns * rows))
    images = nearest_up(images, max(1, 64 // resolution))
    return encoded(make_grid(images, columns), "PNG")
