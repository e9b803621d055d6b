"""The files of a projection: target, result, latent and film.

No TensorFlow here, so that user errors appear at once.
"""

import json
import math
import os
import pathlib

import numpy as np

from progan_tf.data.picture_files import (
    EXTENSIONS,
    KINDS,
    read_picture,
    read_size,
)
from progan_tf.errors import UserError
from progan_tf.files import (
    check_folder,
    making,
    replacing,
    write_text_atomically,
)
from progan_tf.generation import films
from progan_tf.images import nearest_up, save_png
from progan_tf.latents import parse_seeds

_OWN = "seed:"
_TARGET, _RESULT, _FILM = "target.png", "result.png", "search.gif"
_LATENT, _FOUND = "latent.npy", "found.json"
# Pixels, so that details are visible.
_SMALLEST_SIDE = 256
_FPS = 15
_FRAMES = 60
# Frames for which the result is shown at the end: two seconds.
_LAST = 30


def check_places(target, out):
    """Raise UserError unless the target exists and the folder can be written.

    Files of an earlier search may be replaced, but neither the target nor
    files of these names without one. The folder and its parents need not exist
    yet.
    """
    if pathlib.Path(out).suffix.lower() in EXTENSIONS:
        raise UserError(f"expected --out=FOLDER/ for the files; received {out}")
    check_folder(out)
    names = _TARGET, _RESULT, _FILM, _LATENT
    there = [name for name in names if pathlib.Path(out, name).exists()]
    if there and not pathlib.Path(out, _FOUND).exists():
        raise UserError(
            f"{pathlib.Path(out, there[0])} would be replaced, and is not of "
            f"an earlier search, as there is no {_FOUND} beside it; choose "
            "another --out"
        )
    if target.startswith(_OWN):
        _own_seed(target)
        return
    if not os.path.isfile(target):
        raise UserError(
            f"expected a picture, or seed:17; there is no file {target}"
        )
    _decoded(target, read_size)
    for name in (_TARGET, _RESULT, _FILM):
        place = pathlib.Path(out, name)
        if place.exists() and place.samefile(target):
            raise UserError(
                f"{target} would be replaced by what is written to {out}; "
                "choose another --out"
            )


def read_target(target, generator, label=None):
    """The target as uint8 `[R, R, C]`, from a path or from "seed:17".

    A file is read as training reads pictures; seed:17 is the generator's own
    picture, with the class from `known_class`. Raises UserError if it is not a
    picture, or there is no such class.
    """
    if target.startswith(_OWN):
        labels = None if label is None else [label]
        (images,) = generator.stream([_own_seed(target)], labels)
        return images[0]
    size, _, channels = generator.image_shape
    return _decoded(target, lambda path: read_picture(path, size, channels))


def known_class(target, generator, chosen=None):
    """The class of the target, an int, or None if it is not known.

    For the generator's own picture the default is seed modulo classes.
    """
    if not target.startswith(_OWN):
        return chosen
    labels = generator.labels_of([_own_seed(target)], chosen)
    return None if labels is None else int(labels[0])


class Film:
    """A film of the search beside its target, in at most 60 frames."""

    def __init__(self, target, steps):
        self._target = target
        # Denser at the beginning, where most changes.
        places = np.linspace(0, 1, min(_FRAMES, steps), endpoint=False) ** 2
        self._kept = set((places * steps).astype(int).tolist())
        self._images = []

    def add(self, step, image):
        """Add the image uint8 `[R, R, C]` before a step, if it is a frame."""
        if step in self._kept:
            self._images.append(image)

    def write(self, path, result):
        """Write the film as a GIF that ends with the result."""
        images = self._images + [result] * _LAST
        frames = (
            enlarged(np.concatenate([image, self._target], axis=1))
            for image in images
        )
        films.write_film(frames, path, _FPS, len(images))


def enlarged(image):
    """Repeats pixels of uint8 `[H, W, C]` up to a height of 256 or more."""
    factor = max(1, _SMALLEST_SIDE // image.shape[0])
    return nearest_up(image[np.newaxis], factor)[0]


def save(out, target, found, film):
    """Write a `projection.Projection` to a folder, created if necessary.

    The files are target.png, result.png, latent.npy, found.json with class,
    PSNR and steps, and search.gif.
    """
    out = pathlib.Path(out)
    facts = {
        "class": found.label,
        # JSON has no infinity, the PSNR of equal pictures.
        "psnr": found.psnr if math.isfinite(found.psnr) else None,
        "steps": len(found.history),
    }
    with making(out):
        # First, because it tells what the others are.
        text = json.dumps(facts, indent=2) + "\n"
        write_text_atomically(out / _FOUND, text)
        film.write(out / _FILM, found.image)
        save_png(out / _TARGET, enlarged(target))
        save_png(out / _RESULT, enlarged(found.image))
        with replacing(out / _LATENT) as file:
            np.save(file, found.latent)


def _own_seed(target):
    seeds = parse_seeds(target.removeprefix(_OWN))
    if len(seeds) != 1:
        raise UserError(f"expected one seed, such as seed:17; got {target!r}")
    return seeds[0]


def _decoded(path, read):
    try:
        return read(path)
    except Exception as error:  # Damage raises errors of every kind.
        raise UserError(
            f"cannot read {path} as a picture; expected {KINDS}, undamaged"
        ) from error
