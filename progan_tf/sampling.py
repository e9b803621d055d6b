"""Pictures from latents, with any generator.

A generator may be a Keras model, a run or a TF-Hub module: `AnyGenerator` is
the interface that pictures, films, projections, metrics and exports share.
"""

import abc
import functools
import hashlib

import numpy as np

from progan_tf.errors import UserError
from progan_tf.images import to_uint8
from progan_tf.latents import moved, one_hot, seeded_latents
from progan_tf.text import first_line

# Images are computed in groups (batches) whose size depends only on the
# resolution, because batches of other sizes use other kernels. Measured between
# 1, 3, 8, 32 and 100 images on a CPU, floats differ by 1e-5, and up to one
# uint8 value in 5,000 by 1. Eight are about as fast per image as a hundred;
# above 256x256 fewer are as fast and take less memory.
_GROUP = 8
_GROUP_PIXELS = _GROUP * 256**2


class AnyGenerator(abc.ABC):
    """A generator, whatever it was opened from.

    Attributes:
        name: str, its name in messages.
        latent_size: int, components of a latent.
        num_classes: int, 0 if it takes no labels.
        class_names: tuple of str, one per class; empty if they are unknown.
        image_shape: (height, width, channels) of an image, three ints.
        model: `keras.Model`, for access to its layers; None if there is none,
            as for a TF-Hub module.
        origin: (`TrainConfig`, int images seen) of the run that it comes from;
            None if that is unknown.
        fingerprint: short str, which differs if the weights differ.
    """

    class_names, model, origin = (), None, None

    def __init__(self, name, latent_size, num_classes, image_shape):
        self.name = name
        self.latent_size = latent_size
        self.num_classes = num_classes
        self.image_shape = tuple(image_shape)

    @abc.abstractmethod
    def __call__(self, latents, labels=None):
        """The network's images, a float32 tensor; differentiable.

        Of shape `[batch, height, width, channels]`, approximately in [-1, 1],
        from latents float32 `[batch, latent_size]` and, if there are classes,
        labels float32 `[batch, num_classes]`, one-hot or mixed.
        """

    @property
    def resolution(self):
        """int, height of the images."""
        return self.image_shape[0]

    @property
    def input_sizes(self):
        """Tuple of ints: `latent_size` and, unless it is 0, `num_classes`."""
        sizes = (self.latent_size, self.num_classes)
        return sizes if self.num_classes else sizes[:1]

    def labels_of(self, seeds, chosen=None):
        """The classes of the images of N seeds, int64 `[N]`; None without any.

        By default seed modulo n picks from the n classes that had pictures in
        training; `chosen` is one for all. UserError if it is no class.
        """
        if chosen is not None:
            return self.checked_labels([chosen] * len(seeds), len(seeds))
        if not self.num_classes:
            return None
        classes = np.arange(self.num_classes)
        if self.origin:
            # A class without pictures was not learnt.
            classes = np.array(self.origin[0].drawn_classes())
        return classes[np.asarray(seeds, "int64") % len(classes)]

    def checked_labels(self, labels, count):
        """Class numbers as int64 `[count]`; None if there are no classes.

        Raises UserError if they are missing, not expected or not valid.
        """
        classes, fault = self.num_classes, None
        if not classes and labels is not None:
            raise UserError("expected no class: the generator has none")
        if not classes:
            return None
        if labels is None:
            fault = f"labels: the generator has {classes} classes"
        else:
            labels = np.asarray(labels, "int64")
            wrong = labels[(labels < 0) | (labels >= classes)]
            if labels.shape != (count,):
                fault = f"{count} labels; received {labels.shape}"
            elif len(wrong):
                fault = f"classes from 0 to {classes - 1}; received {wrong[0]}"
        if fault:
            raise UserError(f"expected {fault}")
        return labels

    def images_of(self, latents, labels=None, finite=True):
        """The images of latents, uint8 `[N, height, width, channels]`.

        On one machine an image depends on its latent and label alone, to the
        bit. Latents are float32 `[N, latent_size]`, labels class numbers `[N]`
        or mixtures of classes, float `[N, num_classes]`. Raises UserError as
        `checked_labels` does and, with `finite`, for NaN and infinity.
        """
        latents = np.asarray(latents, "float32")
        if np.ndim(labels) != 2:
            labels = self.checked_labels(labels, len(latents))
        groups = self._groups(latents, labels, finite)
        none = np.empty((0, *self.image_shape), "uint8")
        return np.concatenate([none, *groups])

    def stream(self, seeds, labels=None, offset=None):
        """Yields the images of seeds, uint8 `[8 or fewer, height, width, C]`.

        Labels are class numbers, by default `labels_of(seeds)`; latents are
        `moved` by an offset, float `[latent_size]`. Raises UserError as
        `images_of` does, about labels before the first image.
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

    def inputs_of(self, latents, labels):
        """The network's inputs: [latents] or [latents, float32 labels]."""
        if labels is None:
            return [latents]
        if np.ndim(labels) == 1:
            labels = one_hot(labels, self.num_classes)
        return [latents, np.asarray(labels, "float32")]

    def _groups(self, latents, labels, finite=True):
        """Yields uint8 images of latents and labels, both checked."""
        # Here, so that importing this module does not import TensorFlow.
        import tensorflow as tf

        inputs = self.inputs_of(latents, labels)
        size = self._group_size()
        for start in range(0, len(latents), size):
            rows = [x[start : start + size] for x in inputs]
            # The last group is padded to the size of the others.
            filled = [np.resize(x, (size, *x.shape[1:])) for x in rows]
            try:
                floats = np.asarray(self._compiled(filled))
            except (tf.errors.OpError, ValueError) as error:
                # A module may accept one latent but not eight.
                what = f"{size} images at once: {first_line(error)}"
                raise UserError(f"{self.name} cannot make {what}") from error
            if floats.shape != (size, *self.image_shape):
                raise UserError(
                    f"{self.name} makes images {list(floats.shape)} of {size} "
                    f"latents; expected {[size, *self.image_shape]}"
                )
            # Conversion to uint8 would turn NaN into grey.
            if finite and not np.all(np.isfinite(floats)):
                raise UserError(
                    "the generator makes images with NaN or infinity: it has "
                    "diverged; use an earlier checkpoint of it"
                )
            yield to_uint8(floats)[: len(rows[0])]

    @functools.cached_property
    def _compiled(self):
        """The forward pass for a list of inputs, as a graph: 4x as fast."""
        import tensorflow as tf

        return tf.function(lambda inputs: self(*inputs), autograph=False)


class KerasGenerator(AnyGenerator):
    """A Keras model from latents (and one-hot labels) to images in [-1, 1]."""

    def __init__(self, model, name="the generator", origin=None):
        shapes = model.input_shape
        shapes = shapes if isinstance(shapes, list) else [shapes]
        latent_size, *classes = [shape[-1] for shape in shapes]
        image_shape = model.output_shape[1:]
        super().__init__(name, latent_size, sum(classes), image_shape)
        self.model, self.origin = model, origin

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


# Cached, so that a model's forward pass is compiled once; for two models, which
# may be compared image by image.
_of_model = functools.lru_cache(maxsize=2)(KerasGenerator)


def as_generator(generator):
    """Wrap a `keras.Model`; an `AnyGenerator` is returned as it is.

    Raises UserError for anything else, such as a family of models.
    """
    if isinstance(generator, AnyGenerator):
        return generator
    # Checked without importing Keras, as this module does not need it.
    if not hasattr(generator, "input_shape"):
        hint = "that load_generator gives"
        if hasattr(generator, "at"):
            hint = f"of one resolution: .at({generator.resolution})"
        raise UserError(
            f"expected a keras.Model, such as the one {hint}; received a "
            f"{type(generator).__name__}"
        )
    return _of_model(generator)


def generate_images(generator, seeds, labels=None, batch_size=32):
    """Generate the images of seeds.

    Args:
        generator: `keras.Model` from latents (and one-hot labels), or
            `AnyGenerator`.
        seeds: sequence of N ints; image i depends on seed i alone.
        labels: class numbers `[N]`, if the generator takes labels; by
            default seed modulo the number of classes.
        batch_size: not used any more; images are computed in groups.

    Returns:
        uint8 `[N, height, width, channels]`. NaN, of a generator that has
        diverged, becomes grey.

    Raises:
        UserError: if `generator` is not a model but, for example, a
            `Generator`, whose `at` returns models; or if labels are not
            expected or not valid.
    """
    generator = as_generator(generator)
    if labels is None:
        labels = generator.labels_of(seeds)
    latents = seeded_latents(seeds, generator.latent_size)
    return generator.images_of(latents, labels, finite=False)
