"""Losses and gradients of one replica's share of a minibatch."""

import keras
import tensorflow as tf

from progan_tf.augmentation import adapts
from progan_tf.family import running_statistics
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
# The mean sign of the margin of reals, to which an augmentation's p is adapted.
REAL_SIGN = "real_sign"


def term_names(config):
    """Names of all that `Gradients` measures, as metrics.jsonl has them."""
    return (
        "discriminator_loss",
        "generator_loss",
        "real_score",
        "fake_score",
        *PENALTIES[config.penalty].terms,
        *(_LABEL_TERMS if config.num_classes else ()),
        *((REAL_SIGN,) if adapts(config) else ()),
    )


class Gradients:
    """Losses and gradients of two `keras.Model`s of one resolution.

    Pure functions of their arguments and of the networks' weights, so that XLA
    can compile them: no variable is assigned here, nothing is summed over
    replicas, and no random number is drawn.
    """

    def __init__(self, config, generator, discriminator, resolution):
        self._config = config
        self._generator = generator
        self._discriminator = discriminator
        self.statistics = running_statistics(generator.layers)
        self._loss = LOSSES[config.loss]
        self._penalty = PENALTIES[config.penalty]
        self._adapts = adapts(config)
        # One that is not taken in every step weighs as much over all steps.
        self._weight = (
            config.penalty_every * config.gradient_penalty[resolution]
        )

    def discriminator(self, inputs, penalized=True):
        """Terms and gradients of the discriminator's loss.

        The fakes have the labels of the reals.

        Args:
            inputs: `Inputs` of the discriminator's step.
            penalized: bool; if False, the terms of the penalty are 0.

        Returns:
            dict from the name of each term, and of the loss, to its sum over
                the samples, a float32 scalar.
            list of gradients of the summed loss, one for each of the model's
                trained weights.
        """
        config, labels = self._config, inputs.labels
        weights = [w.value for w in self._discriminator.trainable_weights]
        with kernels_computed_once():
            fakes, _ = self._generate(inputs)
        images = {
            REALS: presented(inputs.reals, REALS, inputs),
            FAKES: presented(fakes, FAKES, inputs),
        }
        penalty = self._penalty.terms if penalized else {}
        if MIXED in penalty.values():
            apart = images[FAKES] - images[REALS]
            images[MIXED] = images[REALS] + apart * inputs.mix
        scores, logits, slopes = {}, {}, {}
        with tf.GradientTape() as tape, kernels_computed_once():
            for kind, some in images.items():
                if kind in penalty.values():
                    (scores[kind], logits[kind]), slopes[kind] = with_slopes(
                        self._scores, some, inputs.scale
                    )
                else:
                    scores[kind], logits[kind] = self._scores(some)
            loss = self._loss.discriminator(
                scores[REALS], scores[FAKES], config
            )
            terms = {"real_score": scores[REALS], "fake_score": scores[FAKES]}
            terms |= dict.fromkeys(self._penalty.terms, 0.0)
            for name, kind in penalty.items():
                terms[name] = self._penalty.cost(
                    slopes[kind], self._weight, config
                )
                loss += terms[name]
            if labels is not None:
                of_labels = [label_loss(labels, logits[REALS])]
                of_labels.append(label_loss(labels, logits[FAKES]))
                terms |= zip(_LABEL_TERMS, of_labels, strict=True)
                loss += config.label_weight * sum(of_labels)
            terms["discriminator_loss"] = loss
            if self._adapts:
                margin = self._loss.margin(scores[REALS], scores[FAKES])
                terms[REAL_SIGN] = tf.sign(margin)
            terms = {name: tf.reduce_sum(x) for name, x in terms.items()}
            loss = _times(terms["discriminator_loss"], inputs.scale)
        return terms, _unscaled(tape.gradient(loss, weights), inputs.scale)

    def generator(self, inputs):
        """As `discriminator`, of the generator's loss.

        A third value is returned: the list of what the running statistics of
        batch normalization become.
        """
        weights = [w.value for w in self._generator.trainable_weights]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            with kernels_computed_once():
                fakes, statistics = self._generate(inputs)
                scores, logits = self._scores(presented(fakes, FAKES, inputs))
                compared = ()
                if self._loss.relative:
                    reals = presented(inputs.reals, REALS, inputs)
                    compared = (self._scores(reals)[0],)
            loss = self._loss.generator(scores, *compared)
            if inputs.labels is not None:
                weight = self._config.label_weight
                loss += weight * label_loss(inputs.labels, logits)
            terms = {"generator_loss": tf.reduce_sum(loss)}
            loss = _times(terms["generator_loss"], inputs.scale)
        gradients = _unscaled(tape.gradient(loss, weights), inputs.scale)
        return terms, gradients, statistics

    def _generate(self, inputs):
        """Images, and what batch normalization's running statistics become."""
        given = inputs.latents
        if inputs.labels is not None:
            given = [given, inputs.labels]
        if not self.statistics:
            return self._generator(given, training=True), []
        # Keras would assign them here, which replicas cannot.
        with keras.StatelessScope() as scope:
            images = self._generator(given, training=True)
        return images, [scope.get_current_value(w) for w in self.statistics]

    def _scores(self, images):
        """Scores `[b, 1]` and the labels' logits, or None, of some images."""
        outputs = self._discriminator(images, training=True)
        return outputs if self._config.num_classes else (outputs, None)


def _times(loss, scale):
    return loss if scale is None else loss * scale


def _unscaled(gradients, scale):
    if scale is None:
        return gradients
    return [gradient / scale for gradient in gradients]
