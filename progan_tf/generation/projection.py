"""Projection: finding the latent of a picture.

Gradient descent on the latent, with the generator's weights held constant. The
search stays on the hypersphere on which latents lie: the generator's first
layer normalizes them anyway.
"""

import contextlib
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from progan_tf.errors import UserError
from progan_tf.generation.candidates import Look
from progan_tf.images import to_float, to_uint8
from progan_tf.latents import one_hot
from progan_tf.layers import kernels_computed_once
from progan_tf.sampling import as_generator
from progan_tf.text import first_line

# Adam's decays. Gradients shrink by orders of magnitude during the search, and
# Adam must forget the large ones: after 250 steps at 32x32 a beta2 of 0.95
# was 2 dB better than 0.99.
_BETA_1, _BETA_2 = 0.9, 0.95
_CANDIDATES, _STARTS = 512, 8
# Shares of the steps after which half of the starts are dropped.
_CUTS = (1 / 8, 1 / 4, 1 / 2)
# A start whose error grows to this multiple of its best has diverged. The rate
# of 0.1, right at 32x32, took starts at 128x128 from 18 dB to 12 in one step.
_TOO_FAR = 2.0


class Projection(NamedTuple):
    """What `project` found.

    Attributes:
        latent: float32 `[latent_size]`, of norm sqrt(latent_size).
        image: uint8 `[R, R, C]`, the generator's image of the latent.
        psnr: float, peak signal to noise ratio of image and target in dB;
            infinite if they are equal.
        history: float32 `[steps]`, the PSNR of the best start before each
            step that was taken, of images that are not rounded to uint8.
        label: int, the class of the image, or None.
    """

    latent: np.ndarray
    image: np.ndarray
    psnr: float
    history: np.ndarray
    label: int | None


def project(
    generator,
    target,
    starts=_STARTS,
    steps=400,
    seed=0,
    learning_rate=0.1,
    label=None,
    coarse_weight=0.0,
    callback=None,
    candidates=_CANDIDATES,
    looked=None,
):
    """Find the latent whose image is nearest to a picture.

    Of many random candidates the nearest are optimized together by gradient
    descent; after an eighth, a quarter and a half of the steps, the worse half
    is dropped. On one machine the result depends only on the arguments.

    Args:
        generator: `keras.Model` from latents (and one-hot labels) to images
            `[B, R, R, C]`, or `AnyGenerator`. Its weights are not changed.
        target: `[R, R, C]`, uint8 or float in [-1, 1].
        starts: int, how many candidates, the nearest, are optimized.
        steps: int.
        seed: int, of the random latents.
        learning_rate: float, Adam's initial learning rate; it falls to 0 along
            a half cosine. A start that diverges returns to its best latent and
            continues at half the rate.
        label: int, its class; by default the class whose images of some random
            latents are nearest.
        coarse_weight: float, see `multi_scale_errors`.
        callback: function of (steps done, uint8 `[R, R, C]` the best image so
            far, its PSNR in dB), called before each step; or None. If it
            returns True, the search ends with the best result so far.
        candidates: int, random latents to evaluate; at least `starts`.
        looked: function of (images evaluated, images in total), called
            after every few; or None. If it returns True, no more are evaluated.

    Returns:
        `Projection`.

    Raises:
        UserError: for a target of another shape or range, or a label that is
            not one of the generator's classes.
        ValueError: for less than one start, step or candidate.
    """
    generator = as_generator(generator)
    if min(starts, steps, candidates) < 1:
        raise ValueError(
            "expected starts, steps, candidates >= 1; "
            f"got {starts}, {steps}, {candidates}"
        )
    target = _checked_target(generator, target)
    generator.labels_of([0], label)  # Refuses what is not a class at once.
    candidates = max(candidates, starts)
    step = _step_of(generator, target, coarse_weight)
    _trace(generator, step, starts)
    look = Look(generator, target, seed, label, candidates, looked)
    latents = look.nearest()[:starts]
    labels = generator.labels_of(range(starts), look.label)
    with _without_remapper():
        latents, labels, history = _descend(
            generator, step, latents, labels, steps, learning_rate, callback
        )
    return _best(generator, latents, labels, target, history)


def multi_scale_errors(images, target, coarse_weight=0.0):
    """Mean squared errors at full size and, weighted, at smaller sizes.

    The smaller sizes, R/2, R/4, ... 4, are means over boxes of pixels. Unlike
    pixel errors they distinguish a shifted shape from a missing one, and so can
    help with a picture that the generator cannot make. They also count
    colours several times, and details converge more slowly.

    float32 `[B]`, the error at full size + coarse_weight * the sum of those at
    the smaller sizes, of images `[B, R, R, C]` and a target `[1, R, R, C]`.
    """
    difference = images - target
    total = tf.reduce_mean(tf.square(difference), (1, 2, 3))
    size = difference.shape[1]
    # A box filter is linear: that of the difference is the difference of both.
    while coarse_weight and size > 4:
        difference = tf.nn.avg_pool2d(difference, 2, 2, "VALID")
        size //= 2
        errors = tf.reduce_mean(tf.square(difference), (1, 2, 3))
        total += coarse_weight * errors
    return total


def peak_ratio(image, target):
    """Peak signal to noise ratio of two uint8 pictures in dB, a float."""
    difference = image.astype("float64") - target
    square = np.mean(difference**2)
    return 10 * math.log10(255**2 / square) if square else math.inf


def _step_of(generator, target, coarse_weight):
    """One step of gradient descent, compiled, for a generator and a target.

    A function of (state, one-hot labels, learning rates `[B, 1]`) to (state,
    errors `[B]`, images `[B, R, R, C]`). The state is the latents, both moments
    and their step count for each latent, `[B, 1]`.
    """
    target = tf.constant(to_float(target)[np.newaxis])
    # Images are clipped to [-1, 1] when they are saved. So a value beyond an
    # end of the range is right if the target is at that end. Clipping all
    # values would leave wrong pixels without a gradient.
    low = tf.where(target <= -1, -1.0, -math.inf)
    high = tf.where(target >= 1, 1.0, math.inf)
    zeros = [np.zeros((1, size), "float32") for size in generator.input_sizes]
    # The weights are constant, so each kernel is scaled only once, here.
    with kernels_computed_once() as kernels:
        generator(*zeros)

    def step(state, labels, rates):
        """Algorithm 1 of Kingma and Ba 2015, and back to the sphere."""
        latents, mean, square, count = state
        with tf.GradientTape() as tape:
            tape.watch(latents)
            with kernels_computed_once(dict(kernels)):
                images = generator(latents, labels)
            within = tf.clip_by_value(images, low, high)
            totals = multi_scale_errors(within, target, coarse_weight)
        # The gradient of the sum suffices: an image depends only on its own
        # latent.
        gradients = tape.gradient(totals, latents)
        if gradients is None:
            raise LookupError("its pictures do not depend on its latents")
        count += 1.0
        mean += (1 - _BETA_1) * (gradients - mean)
        square += (1 - _BETA_2) * (tf.square(gradients) - square)
        scaled = mean / (1 - _BETA_1**count)
        scaled /= tf.sqrt(square / (1 - _BETA_2**count)) + 1e-8
        latents = _on_sphere(latents - rates * scaled)
        images = tf.clip_by_value(images, -1.0, 1.0)
        errors = multi_scale_errors(images, target)
        return (latents, mean, square, count), errors, images

    return tf.function(step, autograph=False)


def _on_sphere(latents):
    """Latents `[B, Z]` at norm sqrt(Z), as `candidates.on_sphere`."""
    squares = tf.reduce_mean(tf.square(latents), axis=1, keepdims=True)
    return latents / tf.sqrt(squares)


def _descend(generator, step, latents, labels, steps, learning_rate, callback):
    """Returns the best latents of the remaining starts, labels, history."""
    zeros = np.zeros((len(latents), 1), "float32")
    # In NumPy between the steps, where rows are reset and dropped.
    state = [latents, 0.0 * latents, 0.0 * latents, zeros]
    best, lowest = latents.copy(), np.full(len(latents), math.inf)
    rates = np.float32(learning_rate) + zeros
    cuts = {math.ceil(share * steps) for share in _CUTS}
    image, history = None, []
    for done in range(steps):
        latents = state[0]
        fall = np.float32(0.5 * (1 + math.cos(math.pi * done / steps)))
        state, errors, images = _run_step(
            generator, step, state, labels, fall * rates
        )
        if image is None or np.min(errors) < np.min(lowest):
            image = to_uint8(images[np.argmin(errors)])
        better, far = errors < lowest, errors > _TOO_FAR * lowest
        best[better], lowest[better] = latents[better], errors[better]
        # The peak of images in [-1, 1] is 2, its square 4.
        history.append(10 * math.log10(4 / max(np.min(lowest), 1e-20)))
        if callback and callback(done, image, history[-1]):
            break
        # Resets diverged starts to their best latent, with new moments.
        rates[far] /= 2
        state[0][far] = best[far]
        for numbers in state[1:]:
            numbers[far] = 0
        if done + 1 in cuts:
            # Only the better half of the starts stays.
            order = np.argsort(lowest, kind="stable")
            stay = order[: max(1, len(order) // 2)]
            state = [numbers[stay] for numbers in state]
            best, lowest, rates = best[stay], lowest[stay], rates[stay]
            labels = None if labels is None else labels[stay]
    return best, labels, history


def _trace(generator, step, starts):
    """Trace the step, so that unsuitable modules fail before the search."""
    latents, *labels = (
        np.zeros((starts, size), "float32") for size in generator.input_sizes
    )
    zeros = np.zeros((starts, 1), "float32")
    state = tuple(map(tf.constant, (latents, latents, latents, zeros)))
    rows = tf.constant(labels[0]) if labels else None
    with _gradients_of(generator):
        step.get_concrete_function(state, rows, tf.constant(zeros))


def _run_step(generator, step, state, labels, rates):
    """Run a step; returns what it returns, as writable arrays."""
    rows = None
    if labels is not None:
        rows = tf.constant(one_hot(labels, generator.num_classes))
    # As tensors, because arrays would be traced as constants.
    tensors = tuple(map(tf.constant, state)), rows, tf.constant(rates)
    with _gradients_of(generator):
        state, errors, images = step(*tensors)
    state = [np.array(numbers) for numbers in state]
    errors, images = errors.numpy(), images.numpy()
    if not (np.all(np.isfinite(state[0])) and np.all(np.isfinite(errors))):
        reason = "as its gradient is not finite"
        raise UserError(f"cannot search with {generator.name}, {reason}")
    return state, errors, images


@contextlib.contextmanager
def _gradients_of(generator):
    """Turns errors into UserError: foreign modules may lack gradients."""
    try:
        yield
    except (LookupError, TypeError, ValueError, tf.errors.OpError) as error:
        raise UserError(
            f"cannot search with {generator.name}, as its gradient cannot be "
            f"computed: {first_line(error)}"
        ) from error


def _best(generator, latents, labels, target, history):
    images = generator.images_of(latents, labels)
    ratios = [peak_ratio(image, target) for image in images]
    best = int(np.argmax(ratios))
    label = None if labels is None else int(labels[best])
    history = np.array(history, "float32")
    return Projection(latents[best], images[best], ratios[best], history, label)


def _checked_target(generator, target):
    """The target as uint8 `[R, R, C]`."""
    target = np.asarray(target)
    expected = generator.image_shape
    if target.shape != expected:
        raise UserError(
            f"expected a picture {list(expected)}, as the generator makes; "
            f"received {list(target.shape)}"
        )
    if target.dtype == np.uint8:
        return target
    if target.dtype.kind != "f" or not np.all(np.abs(target) <= 1):
        raise UserError(
            "expected a picture of uint8 or of floats in [-1, 1]; received "
            f"{target.dtype} from {target.min()} to {target.max()}"
        )
    return to_uint8(target)


@contextlib.contextmanager
def _without_remapper():
    """Compile without TensorFlow's fusing of convolution and activation.

    TensorFlow 2.21 fails to fuse them if the backward pass needs the values in
    between, prints an error and goes on without: no loss of speed.
    """
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"remapping": False})
    try:
        yield
    finally:
        remapping = before.get("remapping", True)
        tf.config.optimizer.set_experimental_options({"remapping": remapping})
