"""Directions of attributes: normals of linear classifiers over latents.

This is InterFaceGAN (Shen et al. 2020, section 2): a hyperplane separates the
latents of pictures with and without an attribute, and its normal is the
direction along which the attribute changes. The pictures are labelled by the
discriminator's classes, or by a person who sorted samples into folders.
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

# Samples needed on either side; every fifth is held out to test the classifier.
_FEWEST, _HELD_OUT_EVERY = 10, 5
_TOGETHER = 32  # Pictures, a multiple of the discriminator's groups.
# Newton's method converges quadratically.
_MOST_STEPS, _ENOUGH = 50, 1e-8
_SEED = re.compile(r"seed(\d{6,10})")


def from_labels(latents, labels, names, count=10):
    """Directions from pictures without an attribute to those that have it.

    Args:
        latents: float `[N, latent_size]`, of the pictures.
        labels: int64 `[N]`, the class of each, from 0 to len(names) - 1.
        names: the classes, two or more. Of two, the second is the attribute;
            of more, each is one, against all others.
        count: int, directions at most.

    Returns:
        `Directions`, of length 1 and not orthogonal to each other. Strengths
        are the balanced accuracy on held-out pictures, the mean of those with
        and without the attribute: 0.5 is chance.

    Raises:
        UserError: for fewer than 10 pictures with an attribute, or without.
    """
    first = 1 if len(names) == 2 else 0
    having = {names[n]: labels == n for n in range(first, len(names))}
    return _directions(latents, having, count)


def from_samples(generator, folder, labels_file=None, count=10):
    """Directions of the classes into which samples of a generator are sorted.

    Args:
        generator: `keras.Model` or `AnyGenerator`.
        folder: path of pictures that `generate` wrote, seedNNNNNN.png, one
            sub-folder per class, unless there is a labels file.
        labels_file: path of the pictures' classes, as for training.
        count: as of `from_labels`.

    Returns:
        `Directions` of `from_labels`.

    Raises:
        UserError: as `from_labels`, for pictures without a seed or class or
            of two, and for those of another generator, if their folder
            records it.
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
    seeds, classes = [], {}
    for file, label in zip(files, labels, strict=True):
        match = _SEED.fullmatch(file.stem)
        if not match or int(match[1]) >= 2**32:
            raise UserError(
                "expected samples such as seed000017.png, by "
                f"progan_tf.generate --out={folder}/; received "
                f"{shortened(file)}"
            )
        seeds.append(int(match[1]))
        if classes.setdefault(seeds[-1], label) != label:
            raise UserError(
                f"expected each sample of {folder} in one class; that of seed "
                f"{seeds[-1]} is in two"
            )
    latents = seeded_latents(seeds, generator.latent_size)
    return from_labels(latents, labels, names, count)


def from_classifier(generator, classify, count=10, samples=4096, seed=0):
    """Directions along which a classifier's odds for a class increase.

    A picture counts as a member of a class if its log-odds are above the mean
    over the pictures generated with the same label. So the directions show the
    effect of the latent, not that of the label given to the generator.

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
    # Imported here, because the other functions do not need it.
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
        del having[names[0]]  # It is the opposite of the second.
    return _directions(latents, having, count)


def _log_odds(logits, number):
    """Log-odds of a class against all others."""
    others = np.delete(logits, number, axis=1)
    return logits[:, number] - np.logaddexp.reduce(others, axis=1)


def _directions(latents, having, count):
    """`Directions` of a dict from attribute to its presence, bool `[N]`."""
    latents = np.asarray(latents, "float64")
    found = []
    for name, has in having.items():
        if min(has.sum(), (~has).sum()) < _FEWEST:
            raise UserError(
                f"expected at least {_FEWEST} samples with {name} and as many "
                f"without; received {has.sum()} and {(~has).sum()}"
            )
        # Every fifth of either side.
        held_out = np.zeros(len(has), bool)
        for side in (has, ~has):
            held_out[np.flatnonzero(side)[::_HELD_OUT_EVERY]] = True
        plane = _hyperplane(latents[~held_out], has[~held_out])
        predicted = latents[held_out] @ plane[1:] + plane[0] > 0
        correct, truth = predicted == has[held_out], has[held_out]
        strength = (correct[truth].mean() + correct[~truth].mean()) / 2
        normal = _hyperplane(latents, has)[1:]
        found.append((strength, name, normal / np.linalg.norm(normal)))
    found = sorted(found, key=lambda each: -each[0])[:count]
    strengths, names, vectors = zip(*found, strict=True)
    vectors = np.array(vectors, "float32")
    return Directions(vectors, np.array(strengths), "attributes", names)


def _hyperplane(latents, has):
    """Bias and weights of a logistic regression, float64 `[1 + latent_size]`.

    Both sides have equal total weight. A Gaussian prior on the weights, with
    variance 1 / latent_size, keeps them small if samples are few: the
    classifier is then close to the difference of means.
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
