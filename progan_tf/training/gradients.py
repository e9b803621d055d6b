"""Losses and gradients of one replica's share of a minibatch."""

import tensorflow as tf

from progan_tf import losses
from progan_tf.layers import kernels_computed_once


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

    def discriminator(self, reals, labels, latents, mix, alpha, scale):
        """Sums over the samples, and the gradients of the loss.

        Args:
            reals: float32 `[b, R, R, C]` in [-1, 1].
            labels: float32 one-hot `[b, classes]`, of reals and fakes, or None.
            latents: float32 `[b, latent_size]`.
            mix: float32 `[b, 1, 1, 1]` in [0, 1].
            alpha: float32 scalar, the fade.
            scale: float32 scalar, the loss scale; only for float16.

        Returns:
            float32 `[4]`: loss, real score, fake score, gradient penalty, and
            with labels their losses for reals and fakes, `[6]`; and a list of
            gradients, one for each of the model's weights.
        """
        config = self._config
        weights = [w.value for w in self._discriminator.trainable_weights]
        if self._fading:
            reals = fade_reals(reals, alpha)
        with kernels_computed_once():
            fakes = self._generate(latents, labels)
        with tf.GradientTape() as tape, kernels_computed_once():
            real_scores, real_logits = self._scores(reals)
            fake_scores, fake_logits = self._scores(fakes)
            loss = losses.discriminator_loss(
                real_scores, fake_scores, config.drift
            )
            penalty = losses.gradient_penalty(
                lambda images: self._scores(images)[0],
                reals,
                fakes,
                mix,
                config.gradient_penalty,
                config.wgan_target,
                scale if self._scaled else None,
            )
            loss += penalty
            label_losses = []
            if labels is not None:
                label_losses = [
                    losses.label_loss(labels, real_logits),
                    losses.label_loss(labels, fake_logits),
                ]
                loss += config.label_weight * sum(label_losses)
            loss = tf.reduce_sum(loss)
            scaled_loss = loss * scale if self._scaled else loss
        gradients = tape.gradient(scaled_loss, weights)
        if self._scaled:
            gradients = [gradient / scale for gradient in gradients]
        measured = (real_scores, fake_scores, penalty, *label_losses)
        return tf.stack([loss, *map(tf.reduce_sum, measured)]), gradients

    def generator(self, latents, labels, scale):
        """Sum over the samples, and the gradients of the loss.

        Args:
            latents: float32 `[b, latent_size]`.
            labels: float32 one-hot `[b, classes]` or None.
            scale: float32 scalar, the loss scale; only for float16.

        Returns:
            float32 `[1]`, the loss; and a list of gradients, one for each of
            the model's weights.
        """
        weights = [w.value for w in self._generator.trainable_weights]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            with kernels_computed_once():
                images = self._generate(latents, labels)
                scores, logits = self._scores(images)
            loss = losses.generator_loss(scores)
            if labels is not None:
                loss += self._config.label_weight * losses.label_loss(
                    labels, logits
                )
            loss = tf.reduce_sum(loss)
            scaled_loss = loss * scale if self._scaled else loss
        gradients = tape.gradient(scaled_loss, weights)
        if self._scaled:
            gradients = [gradient / scale for gradient in gradients]
        return tf.stack([loss]), gradients

    def _generate(self, latents, labels):
        inputs = latents if labels is None else [latents, labels]
        return self._generator(inputs, training=True)

    def _scores(self, images):
        outputs = self._discriminator(images, training=True)
        return outputs if self._config.num_classes else (outputs, None)


def fade_reals(images, alpha):
    """Fade pictures as the networks are faded (section 3, figure 2).

    Args:
        images: float32 `[batch, R, R, channels]`.
        alpha: scalar; 0 gives pictures of half the resolution, their pixels
            doubled.

    Returns:
        float32, the shape of `images`.
    """
    small = tf.nn.avg_pool2d(images, 2, 2, "VALID")
    small = tf.repeat(tf.repeat(small, 2, axis=1), 2, axis=2)
    return small + (images - small) * alpha
