"""Losses and gradients of one replica's share of a minibatch."""

import tensorflow as tf

from progan_tf.layers import kernels_computed_once
from progan_tf.losses import (
    FAKES,
    LOSSES,
    MIXED,
    PENALTIES,
    REALS,
    label_loss,
    with_slopes,
)
from progan_tf.training.presentation import presented

# The discriminator's cross entropy, where classes are learnt.
_LABEL_TERMS = ("real_label_loss", "fake_label_loss")


def term_names(config):
    """Names of all that `Gradients` measures, as metrics.jsonl has them."""
    return (
        "discriminator_loss",
        "generator_loss",
        "real_score",
        "fake_score",
        *PENALTIES["wgan_gp"].terms,
        *(_LABEL_TERMS if config.num_classes else ()),
    )


class Gradients:
    """Losses and gradients at one resolution, with or without a fade.

    Pure functions of their arguments and of the networks' weights, so that
    they can be compiled by XLA: nothing is assigned, reduced or drawn here.

    Args:
        config: `TrainConfig`.
        generator, discriminator: `keras.Model`s of one resolution.
        fading: bool, whether the resolution is being faded in.
    """

    def __init__(self, config, generator, discriminator, fading):
        self._config = config
        self._generator = generator
        self._discriminator = discriminator
        self._fading = fading
        self._scaled = config.precision == "float16"
        self._loss = LOSSES["wgan"]
        self._penalty = PENALTIES["wgan_gp"]

    def discriminator(
        self, reals, mirrored, labels, latents, mix, alpha, scale
    ):
        """Sums over the samples, and the gradients of the loss.

        Args:
            reals: uint8 `[b, R, R, C]`.
            mirrored: bool `[b]`, or None.
            labels: float32 one-hot `[b, classes]`, of reals and fakes, or None.
            latents: float32 `[b, latent_size]`.
            mix: float32 `[b, 1, 1, 1]` in [0, 1], from the real to the fake.
            alpha: float32 scalar, the fade.
            scale: float32 scalar, the loss scale; only for float16.

        Returns:
            dict of float32 scalars: the loss and its terms; and a list of
            gradients, one for each of the model's weights.
        """
        config = self._config
        weights = [w.value for w in self._discriminator.trainable_weights]
        with kernels_computed_once():
            fakes = self._generate(latents, labels)
        reals = presented(reals, mirrored, alpha if self._fading else None)
        fakes = presented(fakes)
        images = {REALS: reals, FAKES: fakes}
        if MIXED in self._penalty.terms.values():
            images[MIXED] = reals + (fakes - reals) * mix
        with tf.GradientTape() as tape, kernels_computed_once():
            outputs, slopes = self._judge(images, scale)
            (real_scores, real_logits), (fake_scores, fake_logits) = (
                outputs[REALS],
                outputs[FAKES],
            )
            loss = self._loss.discriminator(real_scores, fake_scores, config)
            terms = {"real_score": real_scores, "fake_score": fake_scores}
            for name, place in self._penalty.terms.items():
                terms[name] = self._penalty.cost(
                    slopes[place], config.gradient_penalty, config
                )
                loss += terms[name]
            if labels is not None:
                of_labels = [
                    label_loss(labels, logits)
                    for logits in (real_logits, fake_logits)
                ]
                terms |= zip(_LABEL_TERMS, of_labels, strict=True)
                loss += config.label_weight * sum(of_labels)
            terms["discriminator_loss"] = loss
            terms = {name: tf.reduce_sum(x) for name, x in terms.items()}
            loss = self._times(terms["discriminator_loss"], scale)
        return terms, self._unscaled(tape.gradient(loss, weights), scale)

    def generator(self, latents, labels, scale):
        """Sum over the samples, and the gradients of the loss.

        Args:
            latents: float32 `[b, latent_size]`.
            labels: float32 one-hot `[b, classes]` or None.
            scale: float32 scalar, the loss scale; only for float16.

        Returns:
            dict of a float32 scalar, the loss; and a list of gradients, one
            for each of the model's weights.
        """
        weights = [w.value for w in self._generator.trainable_weights]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            with kernels_computed_once():
                images = presented(self._generate(latents, labels))
                scores, logits = self._scores(images)
            loss = self._loss.generator(scores)
            if labels is not None:
                weight = self._config.label_weight
                loss += weight * label_loss(labels, logits)
            terms = {"generator_loss": tf.reduce_sum(loss)}
            loss = self._times(terms["generator_loss"], scale)
        return terms, self._unscaled(tape.gradient(loss, weights), scale)

    def _generate(self, latents, labels):
        inputs = latents if labels is None else [latents, labels]
        return self._generator(inputs, training=True)

    def _scores(self, images):
        """Scores `[b, 1]` and the labels' logits, or None, of some images."""
        outputs = self._discriminator(images, training=True)
        return outputs if self._config.num_classes else (outputs, None)

    def _judge(self, images, scale):
        """`_scores` of several sets of images, and slopes where needed.

        Args:
            images: dict from REALS, FAKES or MIXED to images.
            scale: as in `discriminator`.

        Returns:
            Two dicts with these keys.
        """
        outputs, slopes = {}, {}
        for place, some in images.items():
            if place in self._penalty.terms.values():
                outputs[place], slopes[place] = with_slopes(
                    self._scores, some, scale if self._scaled else None
                )
            else:
                outputs[place] = self._scores(some)
        return outputs, slopes

    def _times(self, loss, scale):
        return loss * scale if self._scaled else loss

    def _unscaled(self, gradients, scale):
        if not self._scaled:
            return gradients
        return [gradient / scale for gradient in gradients]
