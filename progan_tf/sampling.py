"""From seeds to pictures, by any generator.

A generator may be a Keras model, a run, a TF-Hub module: `AnyGenerator` is the
one face that pictures, films, projections, metrics and exports speak to.
"""

import abc
import functools
import hashlib
import re

import numpy as np

from progan_tf.errors import UserError
from progan_tf.images import to_uint8
from progan_tf.text import first_line

# Images are computed in groups whose size depends on the resolution alone:
# another number of images is computed by other kernels. Measured between 1, 3,
# 8, 32 and 100 images on a CPU, floats differ by 1e-5 and up to one number of
# uint8 in 5,000 by 1. Eight are about as fast an image as a hundred; above
# 256x256 fewer are as fast and take less memory.
_GROUP = 8
_GROUP_PIXELS = _GROUP * 256**2
_MOST_SEEDS = 1_000_000
_HIGHEST_SEED = 2**32 - 1


def parse_seeds(text):
    """Seeds from text such as "0-63" or "1,5,9-12".

    Returns:
        list of ints from 0 to 2**32 - 1, in the order of the text.

    Raises:
        UserError: for other text, or for more than a million seeds.
    """
    seeds = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,10})(-([0-9]{1,10}))?", part.strip())
        first = int(match[1]) if match else -1
        last = int(match[3] or first) if match else -1
        if not 0 <= first <= last <= _HIGHEST_SEED:
            raise UserError(
                "expected seeds such as 0-63 or 1,5,9-12, of 0 to "
                f"{_HIGHEST_SEED}; received {part!r} in {text!r}"
            )
        if len(seeds) + last - first >= _MOST_SEEDS:
            raise UserError(
                f"expected at most {_MOST_SEEDS:,} seeds; received {text!r}"
            )
        seeds.extend(range(first, last + 1))
    return seeds


def seeded_latents(seeds, latent_size=512):
    """Latents from seeds: one seed is one picture, in any batch.

    Args:
        seeds: sequence of N ints from 0 to 2**32 - 1.
        latent_size: int, numbers a latent.

    Returns:
        float32 `[N, latent_size]`, normally distributed.
    """
    rows = [
        np.random.RandomState(seed).standard_normal(latent_size)
        for seed in seeds
    ]
    return np.array(rows, "float32").reshape(len(rows), latent_size)


def one_hot(labels, num_classes):
    """Class numbers `[N]` to float32 `[N, num_classes]`."""
    return np.eye(num_classes, dtype="float32")[np.asarray(labels, "int64")]


def generate_images(generator, seeds, labels=None, batch_size=32):
    """Generate the images of seeds, all at once.

    Args:
        generator: `keras.Model` from latents (and one-hot labels), or
            `AnyGenerator`.
        seeds: sequence of N ints; image i depends on seed i alone.
        labels: class numbers `[N]`, where the generator takes labels; by
            default seed modulo the number of classes.
        batch_size: of no use any more; images are computed in groups.

    Returns:
        uint8 `[N, height, width, channels]`. NaN, of a generator that has
        diverged, becomes grey.

    Raises:
        UserError: if labels are unwanted or not among the classes.
    """
    generator = as_generator(generator)
    if labels is None:
        labels = generator.labels_of(seeds)
    latents = seeded_latents(seeds, generator.latent_size)
    return generator.images_of(latents, labels, finite=False)


def interpolate(start, end, fraction):
    """Spherical interpolation between latents (Shoemake 1985).

    Directions turn along the great circle; lengths change linearly.

    Args:
        start: float `[..., latent_size]`.
        end: likewise.
        fraction: float or array that broadcasts over `[...]`, from 0 to 1.

    Returns:
        float32 `[..., latent_size]`.
    """
    start, end = np.asarray(start, "float64"), np.asarray(end, "float64")
    fraction = np.asarray(fraction, "float64")[..., np.newaxis]
    lengths = [np.linalg.norm(x, axis=-1, keepdims=True) for x in (start, end)]
    u, v = start / lengths[0], end / lengths[1]
    angle = np.arccos(np.clip(np.sum(u * v, -1, keepdims=True), -1, 1))
    sine = np.sin(angle)
    safe = np.where(sine < 1e-6, 1.0, sine)
    turned = np.where(
        sine < 1e-6,
        (1 - fraction) * u + fraction * v,
        (np.sin((1 - fraction) * angle) * u + np.sin(fraction * angle) * v)
        / safe,
    )
    length = (1 - fraction) * lengths[0] + fraction * lengths[1]
    return (turned * length).astype("float32")


def moved(latents, offset):
    """Latents moved by an offset, and back to the length that each had.

    Generators normalize latents: a mere sum would also change the length,
    which they throw away, and so turn the direction less and less.

    Args:
        latents: float32 `[N, latent_size]`.
        offset: float `[latent_size]`.

    Returns:
        float32 `[N, latent_size]`; the same latents, to the bit, for 0.
    """
    offset = np.asarray(offset, "float64")
    if not offset.any():
        return latents
    sums = latents + offset
    old, new = (np.linalg.norm(x, axis=1)[:, None] for x in (latents, sums))
    return (sums * (old / new)).astype("float32")


class AnyGenerator(abc.ABC):
    """A generator, whatever it was opened from.

    Attributes:
        name: str, what messages call it.
        latent_size: int, numbers a latent.
        num_classes: int, 0 where it takes no labels.
        class_names: tuple of str, one a class; empty where they are not known.
        image_shape: (height, width, channels) of an image, three ints.
        model: `keras.Model`, for those who must look inside; None where there
            is none, as in a module.
        origin: (`TrainConfig`, int images seen) of the run that it comes from;
            None where that is not known.
    """

    def __init__(self, name, latent_size, num_classes, image_shape):
        self.name = name
        self.latent_size = latent_size
        self.num_classes = num_classes
        self.class_names = ()
        self.image_shape = tuple(image_shape)
        self.model = None
        self.origin = None

    @abc.abstractmethod
    def __call__(self, latents, labels=None):
        """Images as the network gives them; gradients pass through.

        Args:
            latents: float32 `[batch, latent_size]`, array or tensor.
            labels: float32 `[batch, num_classes]`, one-hot or what lies
                between classes, where there are classes; otherwise None.

        Returns:
            float32 `[batch, height, width, channels]`, a tensor, about in
            [-1, 1].
        """

    @property
    @abc.abstractmethod
    def fingerprint(self):
        """A short str that generators with other weights do not share."""

    @property
    def resolution(self):
        """int, height of the images."""
        return self.image_shape[0]

    def labels_of(self, seeds, chosen=None):
        """The classes of the images of seeds.

        Args:
            seeds: sequence of N ints.
            chosen: int, the class of all images; by default seed modulo
                classes, of those that had pictures in training.

        Returns:
            int64 `[N]`, or None where there are no classes.

        Raises:
            UserError: if there is no such class.
        """
        if chosen is not None:
            return self.checked_labels([chosen] * len(seeds), len(seeds))
        if not self.num_classes:
            return None
        classes = np.arange(self.num_classes)
        if self.origin:
            # Of a class without pictures nothing was learnt.
            classes = np.array(self.origin[0].drawn_classes())
        return classes[np.asarray(seeds, "int64") % len(classes)]

    def checked_labels(self, labels, count):
        """Class numbers as int64 `[count]`; None where there are no classes.

        Raises:
            UserError: if labels are missing, unwanted or not among the classes.
        """
        classes = self.num_classes
        if not classes:
            if labels is not None:
                raise UserError("expected no class: the generator has none")
            return None
        if labels is None:
            raise UserError(
                f"expected labels: the generator has {classes} classes"
            )
        labels = np.asarray(labels, "int64")
        if labels.shape != (count,):
            raise UserError(f"expected {count} labels; received {labels.shape}")
        wrong = labels[(labels < 0) | (labels >= classes)]
        if len(wrong):
            raise UserError(
                f"expected classes from 0 to {classes - 1}; received {wrong[0]}"
            )
        return labels

    def images_of(self, latents, labels=None, finite=True):
        """The images of latents, each the same in whatever company it comes.

        Args:
            latents: float32 `[N, latent_size]`.
            labels: class numbers `[N]`, where the generator takes labels; or
                what lies between classes, as floats `[N, num_classes]`.
            finite: bool, whether NaN and infinity are refused.

        Returns:
            uint8 `[N, height, width, channels]`. On one machine an image
            depends on its latent and label alone, to the bit.

        Raises:
            UserError: if labels are missing, unwanted or not among the
                classes, or if an image is not finite.
        """
        latents = np.asarray(latents, "float32")
        if np.ndim(labels) != 2:
            labels = self.checked_labels(labels, len(latents))
        groups = self._groups(latents, labels, finite)
        none = np.empty((0, *self.image_shape), "uint8")
        return np.concatenate([none, *groups])

    def stream(self, seeds, labels=None, offset=None):
        """The images of seeds in groups, as they are computed.

        Args:
            seeds: sequence of N ints; image i depends on seed i alone.
            labels: class numbers `[N]`, where the generator takes labels; by
                default `labels_of(seeds)`.
            offset: float `[latent_size]`, by which latents are `moved`.

        Returns:
            Iterator of uint8 `[8 or fewer, height, width, channels]`.

        Raises:
            UserError: at once, if labels are unwanted or not among the
                classes; later, if an image is not finite.
        """
        seeds = np.asarray(seeds, "int64")
        labels = self.labels_of(seeds) if labels is None else labels
        labels = self.checked_labels(labels, len(seeds))
        size = self._group_size()

        def groups():
            for start in range(0, len(seeds), size):
                part = slice(start, start + size)
                latents = seeded_latents(seeds[part], self.latent_size)
                if offset is not None:
                    latents = moved(latents, offset)
                part_labels = None if labels is None else labels[part]
                yield from self._groups(latents, part_labels)

        return groups()

    def _group_size(self):
        height, width, _ = self.image_shape
        return min(_GROUP, max(1, _GROUP_PIXELS // (height * width)))

    def _groups(self, latents, labels, finite=True):
        """Yields uint8 images of latents and labels, both checked."""
        inputs = [latents]
        if labels is not None:
            if np.ndim(labels) == 1:
                labels = one_hot(labels, self.num_classes)
            inputs.append(np.asarray(labels, "float32"))
        size = self._group_size()
        for start in range(0, len(latents), size):
            rows = [x[start : start + size] for x in inputs]
            # The last group is filled up to the shape of the others.
            filled = [np.resize(x, (size, *x.shape[1:])) for x in rows]
            floats = self._floats(filled)
            if floats.shape != (size, *self.image_shape):
                raise UserError(
                    f"{self.name} makes images {list(floats.shape)} of {size} "
                    f"latents; expected {[size, *self.image_shape]}"
                )
            # Conversion to uint8 would make grey of NaN.
            if finite and not np.all(np.isfinite(floats)):
                raise UserError(
                    "the generator makes images of NaN or infinity: it has "
                    "diverged; take an earlier one"
                )
            yield to_uint8(floats)[: len(rows[0])]

    def _floats(self, inputs):
        """What the network makes of a whole group, an array."""
        import tensorflow as tf

        try:
            return np.asarray(self._compiled(inputs))
        except (tf.errors.OpError, ValueError) as error:
            # A module may do with one image, and not with eight.
            raise UserError(
                f"{self.name} cannot make {len(inputs[0])} images at once: "
                f"{first_line(error)}"
            ) from error

    @functools.cached_property
    def _compiled(self):
        """The forward pass as one graph of a list of the generator's inputs.

        Called layer by layer it is 4x slower.
        """
        # Here, because seeds are read before TensorFlow is there.
        import tensorflow as tf

        return tf.function(lambda inputs: self(*inputs), autograph=False)


class KerasGenerator(AnyGenerator):
    """A Keras model from latents (and one-hot labels) to images in [-1, 1]."""

    def __init__(self, model, name="the generator", origin=None):
        shapes = model.input_shape
        shapes = shapes if isinstance(shapes, list) else [shapes]
        (latent_size, *classes) = [shape[-1] for shape in shapes]
        super().__init__(
            name, latent_size, sum(classes), model.output_shape[1:]
        )
        self.model = model
        self.origin = origin

    def __call__(self, latents, labels=None):
        inputs = latents if labels is None else [latents, labels]
        return self.model(inputs, training=False)

    @property
    def fingerprint(self):
        digest = hashlib.sha256()
        for weight in self.model.get_weights():
            digest.update(f"{weight.dtype} {weight.shape} ".encode())
            digest.update(np.ascontiguousarray(weight))
        return digest.hexdigest()[:16]


def as_generator(generator):
    """The `AnyGenerator` of a `keras.Model`, or of one itself."""
    if isinstance(generator, AnyGenerator):
        return generator
    return _of_model(generator)


# Two, because one may want to compare two generators image by image.
@functools.lru_cache(maxsize=2)
def _of_model(model):
    """One for each model, so that its forward pass is compiled once."""
    return KerasGenerator(model)
