"""Finding the latent of a picture: the generator run backwards.

Gradient descent on the latent, with the generator's weights held constant. The
search stays on the sphere on which latents lie: the generator's first layer
normalizes them anyway.
"""

import contextlib
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from progan_tf.errors import UserError
from progan_tf.images import to_float, to_uint8
from progan_tf.latents import one_hot
from progan_tf.layers import kernels_computed_once
from progan_tf.sampling import as_generator
from progan_tf.text import first_line

# Adam's decays. Gradients shrink by orders of magnitude on the way, and Adam
# must forget the large ones: after 250 steps at 32x32 a second decay of 0.95
# was 2 dB ahead of 0.99.
_BETA_1, _BETA_2 = 0.9, 0.95
_STARTS = 8
# Share of the steps after which the weak starts are dropped, and share of the
# starts that stay. What is saved is better spent on more steps.
_CUT, _STAY = 0.25, 0.25


class Projection(NamedTuple):
    """What `project` found.

    Attributes:
        latent: float32 `[latent_size]`, of norm sqrt(latent_size).
        image: uint8 `[R, R, C]`, the generator's picture of it.
        psnr: float, peak signal to noise ratio of image and target in dB;
            infinite where they are equal.
        history: float32 `[steps]`, the PSNR of the best start before each
            step that was taken, of floats that are not rounded.
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
    starts=None,
    steps=400,
    seed=0,
    learning_rate=0.1,
    label=None,
    coarse_weight=0.0,
    callback=None,
):
    """Find the latent whose image is nearest to a picture.

    Random latents go downhill together; after a quarter of the steps only
    the best quarter goes on. On one machine the result depends on the
    arguments alone.

    Args:
        generator: `keras.Model` from latents (and one-hot labels) to images
            `[B, R, R, C]`, or `AnyGenerator`. Its weights are not changed.
        target: `[R, R, C]`, uint8 or float in [-1, 1].
        starts: int, random latents to begin with; by default 8, or one for
            each class where these are more and the class is not known.
        steps: int.
        seed: int, of the random latents.
        learning_rate: float, of Adam at the beginning; it falls to 0 along a
            half cosine.
        label: int, its class; by default the starts take classes in turn.
        coarse_weight: float, see `multi_scale_errors`.
        callback: function of (steps done, uint8 `[R, R, C]` image of the best
            start, its PSNR in dB), called before each step; or None. Where
            it returns True the search ends with what it has found.

    Returns:
        `Projection`.

    Raises:
        UserError: for a target of another shape or range, or a label that is
            not one of the generator's classes.
        ValueError: for less than one start or step.
    """
    generator = as_generator(generator)
    if starts is None:
        starts = max(_STARTS, generator.num_classes if label is None else 0)
    if starts < 1 or steps < 1:
        raise ValueError(f"expected starts, steps >= 1; got {starts}, {steps}")
    target = _checked_target(generator, target)
    labels = generator.labels_of(range(starts), label)
    step = _step_of(generator, target, coarse_weight)
    random = np.random.RandomState(seed)
    latents = random.standard_normal((starts, generator.latent_size))
    latents = latents.astype("float32")
    state = (_on_sphere(tf.constant(latents)), 0.0 * latents, 0.0 * latents)
    with _without_remapper():
        latents, labels, history = _descend(
            generator, step, state, labels, steps, learning_rate, callback
        )
    return _best(generator, latents, labels, target, history)


def multi_scale_errors(images, target, coarse_weight=0.0):
    """Mean squared errors at full size and, weighted, at smaller sizes.

    The smaller sizes, R/2, R/4, ... 4, are means over boxes of pixels. They
    tell a form that is shifted from one that is missing, as pixels do not, and
    so can help with a picture that the generator cannot make. They also count
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
    """One step down, compiled, for one generator and one target.

    A function of (state, one-hot labels, steps done and the learning rate as
    tensors) to (state, errors `[B]`, images `[B, R, R, C]`).
    """
    target = tf.constant(to_float(target)[np.newaxis])
    # Images are clipped to [-1, 1] when they become files. So a number beyond
    # an end of the range is right where the target is at that end. Clipping all
    # numbers would leave wrong pixels without a gradient.
    low = tf.where(target <= -1, -1.0, -math.inf)
    high = tf.where(target >= 1, 1.0, math.inf)
    zeros = [np.zeros((1, size), "float32") for size in generator.input_sizes]
    # The weights stay as they are, so each kernel is scaled only here.
    with kernels_computed_once() as kernels:
        generator(*zeros)

    def step(state, labels, count, rate):
        """Algorithm 1 of Kingma and Ba 2015, and back to the sphere."""
        latents, mean, square = state
        with tf.GradientTape() as tape:
            tape.watch(latents)
            with kernels_computed_once(dict(kernels)):
                images = generator(latents, labels)
            within = tf.clip_by_value(images, low, high)
            totals = multi_scale_errors(within, target, coarse_weight)
        # The gradient of the sum will do: an image depends on its own latent
        # alone.
        gradients = tape.gradient(totals, latents)
        if gradients is None:
            raise LookupError("its pictures do not depend on its latents")
        mean += (1 - _BETA_1) * (gradients - mean)
        square += (1 - _BETA_2) * (tf.square(gradients) - square)
        scaled = mean / (1 - _BETA_1**count)
        scaled /= tf.sqrt(square / (1 - _BETA_2**count)) + 1e-8
        latents = _on_sphere(latents - rate * scaled)
        images = tf.clip_by_value(images, -1.0, 1.0)
        errors = multi_scale_errors(images, target)
        return (latents, mean, square), errors, images

    return tf.function(step, autograph=False)


def _on_sphere(latents):
    """Latents `[B, Z]` at norm sqrt(Z), where random ones are.

    The generator takes only the direction (beside a label, nearly). Without
    this the length would grow, and the steps would turn the direction less.
    """
    squares = tf.reduce_mean(tf.square(latents), axis=1, keepdims=True)
    return latents / tf.sqrt(squares)


def _descend(generator, step, state, labels, steps, learning_rate, callback):
    """Returns the latents that are left, their labels and the history."""
    history = []
    for done in range(steps):
        rate = learning_rate * 0.5 * (1 + math.cos(math.pi * done / steps))
        # As tensors, because a Python number would be compiled in.
        numbers = tf.constant(done + 1.0), tf.constant(rate, tf.float32)
        state = tuple(map(tf.convert_to_tensor, state))
        rows = labels
        if labels is not None:
            rows = one_hot(labels, generator.num_classes)
        try:
            state, errors, images = step(state, rows, *numbers)
        except (LookupError, TypeError, ValueError, tf.errors.OpError) as error:
            # Of modules of other people, which need not have gradients.
            raise UserError(
                f"cannot search with {generator.name}, as its gradient cannot "
                f"be computed: {first_line(error)}"
            ) from error
        errors, images = errors.numpy(), images.numpy()
        best = np.argmin(errors)
        # Errors are of [-1, 1], whose square of the peak is 4.
        history.append(10 * math.log10(4 / max(errors[best], 1e-20)))
        if callback and callback(done, to_uint8(images[best]), history[-1]):
            break
        if done + 1 == math.ceil(_CUT * steps):
            # Only the strongest starts go on.
            stay = np.argsort(errors)[: max(1, int(_STAY * len(errors)))]
            state = tuple(x.numpy()[stay] for x in state)
            labels = None if labels is None else labels[stay]
    return np.asarray(state[0]), labels, history


def _best(generator, latents, labels, target, history):
    if not np.all(np.isfinite(latents)):
        reason = "as its gradient is not finite"
        raise UserError(f"cannot search with {generator.name}, {reason}")
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

    TensorFlow 2.21 fails at it where the backward pass needs what lies
    between the two, prints an error and goes on without: no loss of speed.
    """
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"remapping": False})
    try:
        yield
    finally:
        remapping = before.get("remapping", True)
        tf.config.optimizer.set_experimental_options({"remapping": remapping})
