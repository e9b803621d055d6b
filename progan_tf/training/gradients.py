"""Losses and gradients of one replica's share of a minibatch."""

import keras
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
        *PENALTIES[config.penalty].terms,
        *(_LABEL_TERMS if config.num_classes else ()),
    )


class Gradients:
    """Losses and gradients at one resolution, with or without a fade.

    Pure functions of their arguments and of the networks' weights, so that
    they can be compiled by XLA: nothing is assigned, reduced or drawn here.

    Args:
        config: `TrainConfig`.
        generator, discriminator: `keras.Model`s of one resolution.
        resolution: int.
        fading: bool, whether the resolution is being faded in.
    """

    def __init__(self, config, generator, discriminator, resolution, fading):
        self._config = config
        self._generator = generator
        self._discriminator = discriminator
        self._fading = fading
        self._scaled = config.precision == "float16"
        self.statistics = [
            weight
            for layer in generator.layers
            if isinstance(layer, keras.layers.BatchNormalization)
            for weight in layer.non_trainable_weights
        ]
        self._loss = LOSSES[config.loss]
        self._penalty = PENALTIES[config.penalty]
        # One that is not taken in every step weighs as much over all steps.
        self._weight = (
            config.penalty_every * config.gradient_penalty[resolution]
        )

    def discriminator(
        self,
        reals,
        mirrored,
        labels,
        latents,
        mix,
        alpha,
        scale,
        penalized=True,
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
            penalized: bool, whether the penalty is taken; else its terms are
                0.

        Returns:
            dict of float32 scalars: the loss and its terms; and a list of
            gradients, one for each of the model's weights.
        """
        config = self._config
        weights = [w.value for w in self._discriminator.trainable_weights]
        with kernels_computed_once():
            fakes, _ = self._generate(latents, labels)
        reals = self._presented_reals(reals, mirrored, alpha)
        fakes = presented(fakes)
        penalty = self._penalty.terms if penalized else {}
        images = {REALS: reals, FAKES: fakes}
        if MIXED in penalty.values():
            images[MIXED] = reals + (fakes - reals) * mix
        scores, logits, slopes = {}, {}, {}
        with tf.GradientTape() as tape, kernels_computed_once():
            for place, some in images.items():
                if place in penalty.values():
                    (scores[place], logits[place]), slopes[place] = with_slopes(
                        self._scores, some, scale if self._scaled else None
                    )
                else:
                    scores[place], logits[place] = self._scores(some)
            loss = self._loss.discriminator(
                scores[REALS], scores[FAKES], config
            )
            terms = {"real_score": scores[REALS], "fake_score": scores[FAKES]}
            terms |= dict.fromkeys(self._penalty.terms, 0.0)
            for name, place in penalty.items():
                terms[name] = self._penalty.cost(
                    slopes[place], self._weight, config
                )
                loss += terms[name]
            if labels is not None:
                of_labels = [
                    label_loss(labels, logits[place])
                    for place in (REALS, FAKES)
                ]
                terms |= zip(_LABEL_TERMS, of_labels, strict=True)
                loss += config.label_weight * sum(of_labels)
            terms["discriminator_loss"] = loss
            terms = {name: tf.reduce_sum(x) for name, x in terms.items()}
            loss = self._times(terms["discriminator_loss"], scale)
        return terms, self._unscaled(tape.gradient(loss, weights), scale)

    def generator(
        self, latents, labels, scale, reals=None, mirrored=None, alpha=None
    ):
        """Sum over the samples, and the gradients of the loss.

        Args:
            latents: float32 `[b, latent_size]`.
            labels: float32 one-hot `[b, classes]` or None.
            scale: float32 scalar, the loss scale; only for float16.
            reals, mirrored, alpha: as in `discriminator`, for a loss that
                compares with reals.

        Returns:
            dict of a float32 scalar, the loss; a list of gradients, one for
            each of the model's weights; and a list of what the running
            statistics of the generator become.
        """
        weights = [w.value for w in self._generator.trainable_weights]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            with kernels_computed_once():
                fakes, statistics = self._generate(latents, labels)
                fakes = presented(fakes)
                scores, logits = self._scores(fakes)
                compared = ()
                if self._loss.relative:
                    reals = self._presented_reals(reals, mirrored, alpha)
                    compared = (self._scores(reals)[0],)
            loss = self._loss.generator(scores, *compared)
            if labels is not None:
                weight = self._config.label_weight
                loss += weight * label_loss(labels, logits)
            terms = {"generator_loss": tf.reduce_sum(loss)}
            loss = self._times(terms["generator_loss"], scale)
        gradients = self._unscaled(tape.gradient(loss, weights), scale)
        return terms, gradients, statistics

    def _generate(self, latents, labels):
        """Images, and the generator's running statistics with theirs.

        Those of batch normalization; by default there are none.
        """
        inputs = latents if labels is None else [latents, labels]
        if not self.statistics:
            return self._generator(inputs, training=True), []
        # Keras would assign them here, which replicas cannot.
        with keras.StatelessScope() as scope:
            images = self._generator(inputs, training=True)
        return images, [scope.get_current_value(w) for w in self.statistics]

    def _presented_reals(self, reals, mirrored, alpha):
        return presented(reals, mirrored, alpha if self._fading else None)

    def _scores(self, images):
        """Scores `[b, 1]` and the labels' logits, or None, of some images."""
        outputs = self._discriminator(images, training=True)
        return outputs if self._config.num_classes else (outputs, None)

    def _times(self, loss, scale):
        return loss * scale if self._scaled else loss

    def _unscaled(self, gradients, scale):
        if not self._scaled:
            return gradients
        return [gradient / scale for gradient in gradients]
