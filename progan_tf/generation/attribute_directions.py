"""Directions of attributes: normals of linear classifiers over latents.

What InterFaceGAN does (Shen et al. 2020, section 2): pictures are told apart
by an attribute, their latents by a plane, and its normal is the direction along
which the attribute changes. Who tells pictures apart is the discriminator, by
its classes, or a person, who sorted samples into folders.
"""

import pathlib
import re

import numpy as np

from progan_tf.data.folder import find_classes, find_pictures
from progan_tf.data.labels_file import read_labels_file
from progan_tf.errors import UserError
from progan_tf.generation.image_files import MANIFEST, read_manifest
from progan_tf.generation.latent_directions import Directions
from progan_tf.latents import seeded_latents
from progan_tf.progress import progress
from progan_tf.sampling import as_generator
from progan_tf.text import shortened

# Fewer tell nothing: every fifth is left out to see how good a plane is.
_FEWEST, _LEFT_OUT = 10, 5
_TOGETHER = 32  # Pictures, a multiple of the discriminator's groups.
# Newton's method doubles the digits a step.
_MOST_STEPS, _ENOUGH = 50, 1e-8
_SEED = re.compile(r"seed(\d{6,10})")


def from_labels(latents, labels, names, count=10):
    """Directions from pictures without an attribute to those that have it.

    Args:
        latents: float `[N, latent_size]`, of the pictures.
        labels: int64 `[N]`, the class of each, from 0 to len(names) - 1.
        names: the classes, two or more. Of two the second is the attribute;
            of more each is one, against all others.
        count: int, directions at most.

    Returns:
        `Directions`, of length 1 and not orthogonal to each other. Strengths
        are the shares of pictures that were left out of the search and told
        right, the mean of those with and without the attribute: 0.5 is chance.

    Raises:
        UserError: for less than 10 pictures with an attribute, or without.
    """
    first = 1 if len(names) == 2 else 0
    having = {names[n]: labels == n for n in range(first, len(names))}
    return _directions(latents, having, count)


def from_samples(generator, folder, labels_file=None, count=10):
    """Directions of the classes into which samples of a generator are sorted.

    Args:
        generator: `keras.Model` or `AnyGenerator`.
        folder: path of pictures that `generate` wrote, seedNNNNNN.png, in a
            sub-folder a class, unless there is a labels file.
        labels_file: path of the pictures' classes, as for training.
        count: as of `from_labels`.

    Returns:
        `Directions` of `from_labels`.

    Raises:
        UserError: as `from_labels`, for pictures without a seed or class, and
            for those of another generator, as far as their folder tells.
    """
    generator, folder = as_generator(generator), pathlib.Path(folder)
    found = read_manifest(folder / MANIFEST)
    if found.get("generator", generator.fingerprint) != generator.fingerprint:
        raise UserError(
            f"expected samples of this generator in {folder}; they are of "
            "another generator"
        )
    if "edit" in found:
        raise UserError(
            f"expected samples made from seeds alone in {folder}; they were "
            "made with --edit: make new ones without it"
        )
    files = find_pictures(folder)
    if labels_file is None:
        names, labels = find_classes(folder, files)
    else:
        names, labels = read_labels_file(labels_file, files)
    seeds = [_SEED.fullmatch(file.stem) for file in files]
    if not all(seeds):
        raise UserError(
            "expected samples such as seed000017.png, by progan_tf.generate "
            f"--out={folder}/; received {shortened(files[seeds.index(None)])}"
        )
    seeds = [int(match[1]) for match in seeds]
    latents = seeded_latents(seeds, generator.latent_size)
    return from_labels(latents, labels, names, count)


def from_classifier(generator, classify, count=10, samples=4096, seed=0):
    """Directions along which a classifier takes pictures for a class more.

    A picture counts as having a class where its odds for it are above the mean
    of the pictures that were made for the same class as it: so the directions
    are what latents do besides the class that a generator is given.

    Args:
        generator: `keras.Model` or `AnyGenerator`.
        classify: function from images, as the generator gives them, to logits
            `[batch, classes]`, of the generator's classes if it has any.
        count: as of `from_labels`.
        samples: int, random latents.
        seed: int, of the first latent.

    Returns:
        `Directions` of `from_labels`.
    """
    # Here, because samples need none.
    import tensorflow as tf

    generator = as_generator(generator)
    forward = tf.function(lambda *x: classify(generator(*x)), autograph=False)
    seeds = np.arange(seed, seed + samples)
    latents = seeded_latents(seeds, generator.latent_size)
    labels = generator.labels_of(seeds)
    inputs = generator.inputs_of(latents, labels)
    starts = progress(
        range(0, samples, _TOGETHER),
        samples,
        "picture",
        "classified",
        size=lambda start: min(_TOGETHER, samples - start),
    )
    logits = [
        forward(*(x[start : start + _TOGETHER] for x in inputs)).numpy()
        for start in starts
    ]
    logits = np.concatenate(logits).astype("float64")
    classes = range(logits.shape[1])
    odds = np.stack([_log_odds(logits, number) for number in classes])
    groups = np.zeros(samples, int) if labels is None else labels
    for group in np.unique(groups):
        own = groups == group
        odds[:, own] -= odds[:, own].mean(axis=1, keepdims=True)
    names = generator.class_names or [f"class {number}" for number in classes]
    having = dict(zip(names, odds > 0, strict=True))
    if len(names) == 2:
        del having[names[0]]  # Which is the other way along the second.
    return _directions(latents, having, count)


def _log_odds(logits, number):
    """Logarithm of a class's probability over that of all others."""
    others = np.delete(logits, number, axis=1)
    return logits[:, number] - np.logaddexp.reduce(others, axis=1)


def _directions(latents, having, count):
    """`Directions` of a dict from an attribute to who has it, bool `[N]`."""
    latents = np.asarray(latents, "float64")
    found = []
    for name, has in having.items():
        if min(has.sum(), (~has).sum()) < _FEWEST:
            raise UserError(
                f"expected at least {_FEWEST} samples with {name} and as many "
                f"without; received {has.sum()} and {(~has).sum()}"
            )
        # Every fifth of either, in their order.
        left_out = np.zeros(len(has), bool)
        for side in (has, ~has):
            left_out[np.flatnonzero(side)[::_LEFT_OUT]] = True
        plane = _plane(latents[~left_out], has[~left_out])
        told = latents[left_out] @ plane[1:] + plane[0] > 0
        right, truth = told == has[left_out], has[left_out]
        strength = (right[truth].mean() + right[~truth].mean()) / 2
        normal = _plane(latents, has)[1:]
        found.append((strength, name, normal / np.linalg.norm(normal)))
    found = sorted(found, key=lambda each: -each[0])[:count]
    strengths, names, vectors = zip(*found, strict=True)
    vectors = np.array(vectors, "float32")
    return Directions(vectors, np.array(strengths), "attributes", names)


def _plane(latents, has):
    """Bias and weights of a logistic regression, float64 `[1 + latent_size]`.

    Either side counts as much as the other. A normal prior of the weights, with
    a variance of 1 / latent_size, keeps them small where samples are few: the
    classifier is then hardly surer than the difference of means.
    """
    count, size = latents.shape
    rows = np.concatenate([np.ones((count, 1)), latents], axis=1)
    weights = np.where(has, 0.5 / has.mean(), 0.5 / (~has).mean())
    prior = np.full(1 + size, float(size))
    prior[0] = 1e-6
    plane = np.zeros(1 + size)
    for _ in range(_MOST_STEPS):
        chance = 1 / (1 + np.exp(-rows @ plane))
        slope = rows.T @ (weights * (chance - has)) + prior * plane
        curvature = weights * chance * (1 - chance)
        hessian = rows.T @ (rows * curvature[:, np.newaxis]) + np.diag(prior)
        step = np.linalg.solve(hessian, slope)
        plane -= step
        if np.abs(step).max() < _ENOUGH:
            break
    return plane
