"""The model card and the sample picture that lie in an exported model."""

import io
import math
import zipfile

import numpy as np
from PIL import Image

from progan_tf import __version__
from progan_tf.data import kind_named
from progan_tf.export.usage import usage
from progan_tf.images import make_grid, nearest_up
from progan_tf.sampling import as_generator, generate_images
from progan_tf.weights.runs import inherited_licence

SAMPLE_FILE, CARD_FILE = "sample.png", "README.md"
_LARGEST_SAMPLE = 1024  # Pixels along a side of the picture.
_OTHERS = (
    "What may be done with the images depends on the licence of the training "
    "data, which this model does not know."
)


def card_files(generator, origin=None, precision="float32", metrics=None):
    """The files to lie beside a TF-Hub module: its card and a picture.

    Args:
        generator: `keras.Model` from latents (and one-hot labels).
        origin: (`TrainConfig`, int images seen) of the run, where known.
        precision: str, what the module computes in.
        metrics: dict from a metric's name to its value, where known.

    Returns:
        dict from file name to bytes.
    """
    card = model_card(generator, origin, "hub", precision, metrics)
    picture = f"![samples]({SAMPLE_FILE})\n"
    # Below the title; the other formats have no room for a picture.
    title, rest = card.split("\n", 1)
    return {
        SAMPLE_FILE: _sample_png(generator),
        CARD_FILE: f"{title}\n\n{picture}{rest}".encode(),
    }


def model_card(
    generator, origin=None, form="hub", precision="float32", metrics=None
):
    """What a model maps, where it comes from and how to load it.

    Args:
        generator: `keras.Model` from latents (and one-hot labels).
        origin: (`TrainConfig`, int images seen) of the run, where known.
        form: str, the format: a key of `progan_tf.export.formats.FORMATS`.
        precision: str, what the model computes in.
        metrics: dict from a metric's name to its value, where known.

    Returns:
        str, Markdown.
    """
    config, images_seen = origin or (None, None)
    face = as_generator(generator)
    _, height, width, _ = generator.output_shape
    rows = _interface(generator, form) | {
        # LiteRT stores weights in it, and computes as the device does best.
        "precision": precision + (" weights" if form == "litert" else ""),
        "parameters": f"{generator.count_params():,}",
    }
    if config:
        # Of a folder its name; where it lies is nobody's business.
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

{usage(form, face.latent_size, face.num_classes)}
## Licence

{_licence(config)}
"""


def append_card(path, card):
    """Put a card into a file as README.md.

    Args:
        path: a zip archive, such as a `.keras` file, or another file of whose
            end its readers take no notice: then an archive is appended.
        card: str, or None for none.
    """
    if card is not None:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(CARD_FILE, card)


def _licence(config):
    """What the data and the weights that training began with ask for."""
    credit = kind_named(config.data).credit if config else None
    text = credit or _OTHERS
    inherited = inherited_licence(config.run_dir) if config else ""
    if inherited:
        text += f"\n\nOf the weights that training began with: {inherited}."
    return text


def _interface(generator, form):
    """The rows of inputs and output."""
    face = as_generator(generator)
    latent_size, classes = face.latent_size, face.num_classes
    shape = ", ".join(map(str, face.image_shape))
    latents, labels, images = "latent_vector", "labels", "default"
    values = "in [0, 1]"
    if form == "keras":
        latents, images, values = "latents", "images", "about in [-1, 1]"
    rows = {f"input `{latents}`": f"float32 [batch, {latent_size}], N(0, 1)"}
    if classes:
        rows[f"input `{labels}`"] = f"float32 one-hot [batch, {classes}]"
    return rows | {f"output `{images}`": f"float32 [batch, {shape}] {values}"}


def _sample_png(generator):
    """A grid of the first seeds' images, as PNG bytes."""
    resolution = generator.output_shape[1]
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
