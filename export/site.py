"""The files of a site that draws a generator's pictures in the browser.

The page is that of `progan_tf.explorer`; here the parts that depend on the
generator are added: the network, its directions and its description.
"""

import json
import pathlib
import warnings
import zlib

import numpy as np
import tensorflow as tf

from progan_tf import __version__, explorer
from progan_tf.data import kind_named
from progan_tf.errors import UserError
from progan_tf.export import web_network
from progan_tf.export.card import licences
from progan_tf.export.levels import levels_of
from progan_tf.export.precision import in_precision
from progan_tf.export.web import ABOUT_FILE, DIRECTIONS_FILE, NETWORK_FILE
from progan_tf.generation.latent_directions import pca
from progan_tf.latents import seeded_latents
from progan_tf.sampling import as_generator

_DIRECTIONS = 10


def site_files(generator, precision="float32"):
    """The files of the site of a generator.

    Args:
        generator: `keras.Model` from latents (and one-hot labels) to images
            in [-1, 1], or an `AnyGenerator`. One that comes from a run is
            shown with the resolutions that it grew through.
        precision: "float32" or "float16", in which weights are stored.

    Returns:
        dict from file name to bytes; names may have a "/".

    Raises:
        UserError: if browsers cannot run the operations, or if the images are
            neither grey nor RGB, or not finite.
    """
    generator = as_generator(generator)
    height, width, channels = generator.image_shape
    if channels not in (1, 3):
        raise UserError(
            "expected a generator of images with 1 (grey) or 3 (RGB) channels; "
            f"this one has {channels}"
        )
    # Refuses a generator that has diverged.
    latents = seeded_latents([0], generator.latent_size)
    generator.images_of(latents, generator.labels_of([0]))
    sizes, tanh, directions = [[height, width]], False, None
    if generator.model is None:
        network = web_network.network_of_module(generator, precision)
    else:
        generator.model = in_precision(generator.model, "float32")
        levels = levels_of(generator)
        sizes = [list(image.shape[1:3]) for image in levels.outputs]
        tanh = any(layer.name == "tanh" for layer in generator.model.layers)
        network = web_network.network_of_levels(
            levels, generator.name, precision
        )
        directions = _directions(generator)
    files = {NETWORK_FILE: network}
    about = {
        "format": 1,
        "program": f"progan_tf {__version__}",
        **_about(generator),
        "latent_size": generator.latent_size,
        "channels": channels,
        "classes": _class_names(generator),
        # The classes of the first seeds.
        "seed_classes": _seed_classes(generator),
        "levels": [
            {"name": name, "height": size[0], "width": size[1]}
            for name, size in zip(
                web_network.level_names(len(sizes)), sizes, strict=True
            )
        ],
        "tanh": tanh,
        "network": _checked_file(NETWORK_FILE, network),
    }
    if directions is not None:
        data = directions.vectors.astype("<f4").tobytes()
        files[DIRECTIONS_FILE] = data
        about["directions"] = {
            "method": directions.method,
            "strengths": [float(f"{x:.4g}") for x in directions.strengths],
            **_checked_file(DIRECTIONS_FILE, data),
        }
    files[ABOUT_FILE] = json.dumps(about, indent=1).encode()
    return files | page_files()


def page_files():
    """The files that every site has, a dict from name to bytes."""
    return {
        path.relative_to(explorer.PAGE).as_posix(): path.read_bytes()
        for path in sorted(explorer.PAGE.rglob("*"))
        if path.is_file()
    }


def network_images(folder):
    """The written network, as a function of the named inputs.

    Args:
        folder: path of the site.

    Returns:
        Function from a dict of the named inputs, float32 `[1, size]`, to
        images `[1, R, R, channels]` in [0, 1], of the highest resolution.
    """
    folder = pathlib.Path(folder)
    about = json.loads((folder / ABOUT_FILE).read_text())
    with warnings.catch_warnings():
        # It recommends the package ai-edge-litert, which is not needed here.
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(str(folder / NETWORK_FILE))
    run, name = interpreter.get_signature_runner(), about["levels"][-1]["name"]

    def images_of(inputs):
        images = run(**inputs)[name]
        images = np.tanh(images) if about["tanh"] else images
        return ((images + 1) / 2).clip(0, 1)

    return images_of


def _checked_file(name, data):
    """The fields by which the page checks that a file is intact."""
    return {"file": name, "bytes": len(data), "crc32": zlib.crc32(data)}


def _directions(generator):
    count = min(_DIRECTIONS, generator.latent_size)
    try:
        return pca(generator, count)
    except UserError:
        return None  # The network lacks the layers that `pca` needs.


def _class_names(generator):
    return list(generator.class_names) or [
        f"class {number}" for number in range(generator.num_classes)
    ]


def _seed_classes(generator):
    if not generator.num_classes:
        return []
    # The classes repeat; the period is the number of classes with pictures.
    drawn = range(generator.num_classes)
    if generator.origin:
        drawn = generator.origin[0].drawn_classes()
    return generator.labels_of(range(len(drawn))).tolist()


def _about(generator):
    """The page's description of the network, dict of texts."""
    height, width, _ = generator.image_shape
    config, images_seen = generator.origin or (None, None)
    rows = {"pictures": f"{width}x{height}"}
    if generator.model is not None:
        rows["parameters"] = f"{generator.model.count_params():,}"
    if config:
        rows["training data"] = kind_named(config.data).title(config.data)
        rows["images seen in training"] = f"{images_seen:,}"
    # Only the folder's name, because its full path is private.
    name = pathlib.PurePath(generator.name).name
    return {"name": name, "facts": rows, "licence": " ".join(licences(config))}
