"""One training step: the discriminator, the average, the generator.

The step is a pure function of the checkpointed state and of images seen: all
random numbers come from (seed, images seen), so that a resumed run draws what
the uninterrupted one would have drawn.
"""

import functools

import keras
import tensorflow as tf

from progan_tf import devices
from progan_tf import losses
from progan_tf.activations import lean_leaky_relu
from progan_tf.layers import kernels_computed_once
from progan_tf.networks import Discriminator
from progan_tf.networks import Generator

METRICS = (
    "discriminator_loss",
    "generator_loss",
    "real_score",
    "fake_score",
    "gradient_penalty",
)
# The scale starts here, in powers of two, and moves as in the official code;
# that starts at 64, far beyond float16, and spends 48 steps coming down.
_FIRST_LOG2_SCALE = 16.0
_SCALE_UP, _SCALE_DOWN = 0.0005, 1.0
# What separates the random streams of one step.
_LATENTS_D, _LATENTS_G, _MIX = 0, 1, 2


class TrainingStep(tf.Module):
    """Networks, average, optimizers and counters, and how a step moves them.

    Args:
        config: `TrainConfig`.
        strategy: `tf.distribute.Strategy`, under whose scope all variables
            are made.

    Attributes:
        generator, discriminator, average: the families. `average` is always
            float32.
        generator_optimizer, discriminator_optimizer: Adam(0, 0.99, 1e-8).
        images_seen: int64 variable.
        seed: int64 variable, the root of all random numbers.
        steps_skipped, skipped_in_a_row: int64 variables, steps whose
            gradients were not finite.
    """

    def __init__(self, config, strategy):
        super().__init__(name="training_step")
        self.config = config
        self.strategy = strategy
        self._functions = {}
        with strategy.scope():
            self._create_networks()
            self._create_optimizers()
            self.images_seen = tf.Variable(0, dtype=tf.int64)
            self.seed = tf.Variable(config.seed, dtype=tf.int64)
            self.steps_skipped = tf.Variable(0, dtype=tf.int64)
            self.skipped_in_a_row = tf.Variable(0, dtype=tf.int64)
            self.log2_scales = tf.Variable(
                [_FIRST_LOG2_SCALE] * 2, dtype=tf.float32
            )

    def _create_networks(self):
        config = self.config
        half = config.precision == "float16"
        policy = {"float32": "float32"}.get(
            config.precision, f"mixed_{config.precision}"
        )
        shared = {
            "resolution": config.resolution,
            "num_classes": config.num_classes,
            "channels": config.channels,
            "fmap_base": config.fmap_base,
            "fmap_max": config.fmap_max,
            "fused_scale": config.fused_scale,
        }
        generator_options = {"latent_size": config.latent_size, **shared}
        self.generator = Generator(
            **generator_options,
            pixelnorm_epsilon=1e-4 if half else 1e-8,
            activation=lean_leaky_relu,
            dtype=policy,
            seed=1000 * config.seed,
        )
        self.discriminator = Discriminator(
            **shared,
            minibatch_stddev_group=config.minibatch_stddev_group,
            activation=lean_leaky_relu,
            dtype=policy,
            seed=1000 * config.seed + 500,
        )
        self.average = Generator(
            **generator_options, seed=1000 * config.seed, name="average"
        )

    def _create_optimizers(self):
        def adam(name):
            return keras.optimizers.Adam(
                0.001, beta_1=0.0, beta_2=0.99, epsilon=1e-8, name=name
            )

        self.generator_optimizer = adam("generator_adam")
        self.discriminator_optimizer = adam("discriminator_adam")
        # Built now, because an optimizer cannot make variables in a step.
        self.generator_optimizer.build(self.generator.trainable_weights)
        self.discriminator_optimizer.build(self.discriminator.trainable_weights)

    def reset_optimizers(self):
        """Forget both optimizers' moments: at both ends of each fade."""
        for optimizer in (
            self.generator_optimizer,
            self.discriminator_optimizer,
        ):
            for variable in optimizer.variables:
                if variable is not optimizer.learning_rate:
                    variable.assign(tf.zeros(variable.shape, variable.dtype))

    def set_learning_rate(self, rate):
        """Set the learning rate of both optimizers."""
        self.generator_optimizer.learning_rate.assign(rate)
        self.discriminator_optimizer.learning_rate.assign(rate)

    def set_alpha(self, resolution, alpha):
        """Set the fade of generator, discriminator and average."""
        if resolution > 4:
            self.generator.set_alpha(resolution, alpha)
            self.discriminator.set_alpha(resolution, alpha)
            self.average.set_alpha(resolution, alpha)

    def run(self, reals, alphas, steps, labels=None, fake_labels=None):
        """Take several steps at one resolution in one call.

        Args:
            reals: uint8 per-replica `[K, b, R, R, C]`, minibatches of this
                replica; only the first `steps` of the K are used.
            alphas: float32 `[K]`, the fade of each step; all 1 outside fades.
            steps: int, from 1 to K.
            labels: int64 per-replica `[K, b]`, the classes of `reals`.
            fake_labels: int64 per-replica `[K, b]`, for the generator's step.

        Returns:
            dict of floats, the mean of each of `METRICS` over the steps.
        """
        local = self.strategy.experimental_local_results(reals)[0]
        resolution = local.shape[2]
        fading = bool(resolution > 4 and min(alphas[:steps]) < 1)
        key = (resolution, fading)
        if key not in self._functions:
            # One resolution at a time: graphs of large networks are large.
            self._functions = {
                key: tf.function(self._steps_function(*key), autograph=False)
            }
        if labels is None:
            labels = fake_labels = 0
        sums = self._functions[key](
            reals, labels, fake_labels, tf.constant(alphas), tf.constant(steps)
        )
        means = sums.numpy() / steps
        return dict(zip(METRICS, map(float, means), strict=True))

    def _steps_function(self, resolution, fading):
        step = _Step(self, resolution, fading)

        def run_steps(reals, labels, fake_labels, alphas, steps):
            def body(i, sums):
                metrics = step.take(reals, labels, fake_labels, alphas[i], i)
                return i + 1, sums + metrics

            _, sums = tf.while_loop(
                lambda i, _: i < steps,
                body,
                (0, tf.zeros([len(METRICS)])),
                parallel_iterations=1,
            )
            return sums

        return run_steps


class _Step:
    """A step at one resolution, with or without a fade."""

    def __init__(self, state, resolution, fading):
        self.state = state
        self.config = state.config
        self.strategy = state.strategy
        self.resolution = resolution
        self.fading = fading
        self.generator = state.generator.at(resolution, fading)
        self.discriminator = state.discriminator.at(resolution, fading)
        self.average = state.average.at(resolution, fading)
        self.scaled = state.config.precision == "float16"
        jit = {"on": True, "off": False}.get(
            state.config.xla, devices.has_gpu(state.strategy)
        )
        function = functools.partial(
            tf.function, autograph=False, jit_compile=jit
        )
        self._d_function = function(self._d_gradients)
        self._g_function = function(self._g_gradients)

    def take(self, reals, labels, fake_labels, alpha, i):
        """The discriminator's step, the average, the generator's step.

        In this order, as in the official code: the average follows with the
        discriminator's step and lags the generator by one.

        Returns:
            float32 `[len(METRICS)]`, means over the whole minibatch.
        """
        state = self.state
        if self.fading:
            for family in (state.generator, state.discriminator):
                family.block(self.resolution).fade.alpha.assign(alpha)
        seen = state.images_seen.read_value()
        scales = tf.pow(2.0, state.log2_scales.read_value())
        d_sums, gradients = self.strategy.run(
            self._replica_d, (reals, labels, alpha, i, seen, scales[0])
        )
        d_sums, d_finite = self._apply(
            state.discriminator_optimizer, self.discriminator, gradients, d_sums
        )
        self._update_average()
        g_sums, gradients = self.strategy.run(
            self._replica_g, (reals, fake_labels, i, seen, scales[1])
        )
        g_sums, g_finite = self._apply(
            state.generator_optimizer, self.generator, gradients, g_sums
        )
        self._count(d_finite, g_finite, reals)
        return tf.concat([d_sums[:1], g_sums, d_sums[1:]], axis=0)

    def _replica_d(self, reals, labels, alpha, i, seen, scale):
        """Discriminator gradients of this replica's share of a minibatch."""
        share = reals.shape[1]
        latents = self._latents(_LATENTS_D, seen, share)
        mix = self._random(
            tf.random.stateless_uniform, _MIX, seen, share, [1, 1, 1]
        )
        reals = tf.cast(reals[i], tf.float32) / 127.5 - 1.0
        labels = self._one_hot(labels, i)
        sums, gradients = self._d_function(
            reals, labels, latents, mix, alpha, scale
        )
        return self._means(sums, gradients, share)

    def _replica_g(self, reals, fake_labels, i, seen, scale):
        """Generator gradients of this replica's share of a minibatch."""
        share = reals.shape[1]
        latents = self._latents(_LATENTS_G, seen, share)
        labels = self._one_hot(fake_labels, i)
        sums, gradients = self._g_function(latents, labels, scale)
        return self._means(sums, gradients, share)

    def _d_gradients(self, reals, labels, latents, mix, alpha, scale):
        """Sums of the losses over the samples, and their gradients."""
        config = self.config
        weights = [w.value for w in self.discriminator.trainable_weights]
        if self.fading:
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
                scale if self.scaled else None,
            )
            loss += penalty
            if labels is not None:
                loss += config.label_weight * (
                    losses.label_loss(labels, real_logits)
                    + losses.label_loss(labels, fake_logits)
                )
            loss = tf.reduce_sum(loss)
            scaled_loss = loss * scale if self.scaled else loss
        gradients = tape.gradient(scaled_loss, weights)
        if self.scaled:
            gradients = [gradient / scale for gradient in gradients]
        sums = [loss, tf.reduce_sum(real_scores), tf.reduce_sum(fake_scores)]
        return tf.stack([*sums, tf.reduce_sum(penalty)]), gradients

    def _g_gradients(self, latents, labels, scale):
        """Sum of the loss over the samples, and its gradients."""
        weights = [w.value for w in self.generator.trainable_weights]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            with kernels_computed_once():
                images = self._generate(latents, labels)
                scores, logits = self._scores(images)
            loss = losses.generator_loss(scores)
            if labels is not None:
                loss += self.config.label_weight * losses.label_loss(
                    labels, logits
                )
            loss = tf.reduce_sum(loss)
            scaled_loss = loss * scale if self.scaled else loss
        gradients = tape.gradient(scaled_loss, weights)
        if self.scaled:
            gradients = [gradient / scale for gradient in gradients]
        return tf.stack([loss]), gradients

    def _generate(self, latents, labels):
        inputs = latents if labels is None else [latents, labels]
        return self.generator(inputs, training=True)

    def _scores(self, images):
        outputs = self.discriminator(images, training=True)
        return outputs if self.config.num_classes else (outputs, None)

    def _random(self, draw, purpose, seen, share, shape):
        """This replica's rows of the random numbers of one step.

        They are drawn for the whole minibatch, so that they do not depend on
        how many replicas there are. Philox is chosen by name, because the
        default differs between kinds of devices.
        """
        replicas = self.strategy.num_replicas_in_sync
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.stack([self.state.seed * 8 + purpose, seen])
        return draw([replicas, share, *shape], seed, alg="philox")[replica]

    def _latents(self, purpose, seen, share):
        return self._random(
            tf.random.stateless_normal,
            purpose,
            seen,
            share,
            [self.config.latent_size],
        )

    def _one_hot(self, labels, i):
        if not self.config.num_classes:
            return None
        return tf.one_hot(labels[i], self.config.num_classes)

    def _means(self, sums, gradients, share):
        """Sums to parts of the mean over the whole minibatch of all replicas.

        Appended is 1 where a gradient of this replica is not finite.
        """
        batch = share * self.strategy.num_replicas_in_sync
        gradients = [gradient / batch for gradient in gradients]
        finite = [tf.reduce_all(tf.math.is_finite(g)) for g in gradients]
        bad = tf.cast(tf.logical_not(tf.reduce_all(finite)), tf.float32)
        return tf.concat([sums / batch, [bad]], axis=0), gradients

    def _apply(self, optimizer, model, gradients, sums):
        """Apply the sum of the replicas' gradients if it is finite.

        Returns:
            The sums over the replicas without the flag, and whether the
            gradients were finite.
        """
        sums = self.strategy.reduce("SUM", sums, axis=None)
        finite = tf.equal(sums[-1], 0.0)
        weights = model.trainable_weights

        def update(gradients):
            # Adds the replicas' gradients before it applies them.
            optimizer.apply(gradients, weights)

        def apply():
            self.strategy.run(update, (gradients,))
            return True

        tf.cond(finite, apply, lambda: True)
        return sums[:-1], finite

    def _update_average(self):
        """Exponential moving average of the generator's weights."""
        rest = 1.0 - self.config.average_decay

        def update(average, weight):
            return average.assign_add((weight - average) * rest)

        for average, weight in zip(
            self.average.trainable_weights,
            self.generator.trainable_weights,
            strict=True,
        ):
            self.strategy.extended.update(
                average.value, update, args=(weight.value,)
            )

    def _count(self, d_finite, g_finite, reals):
        state = self.state
        local = self.strategy.experimental_local_results(reals)[0]
        batch = local.shape[1] * self.strategy.num_replicas_in_sync
        state.images_seen.assign_add(batch)
        skipped = tf.cast(~(d_finite & g_finite), tf.int64)
        state.steps_skipped.assign_add(skipped)
        in_a_row = state.skipped_in_a_row
        in_a_row.assign((in_a_row.read_value() + 1) * skipped)
        if self.scaled:
            finite = tf.stack([d_finite, g_finite])
            state.log2_scales.assign_add(
                tf.where(finite, _SCALE_UP, -_SCALE_DOWN)
            )


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
