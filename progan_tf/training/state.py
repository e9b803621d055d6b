"""What a run trains: networks, average, optimizers and counters."""

import tensorflow as tf

from progan_tf.augmentation import adapts
from progan_tf.networks import Discriminator, Generator
from progan_tf.training.activations import lean_leaky_relu
from progan_tf.training.optimizer import FusedAdam

# Of float16's loss scale, in powers of two. The official code starts at 64,
# far beyond float16, and spends its first 48 steps coming down from it.
_FIRST_LOG2_SCALE = 16.0


class TrainingState(tf.Module):
    """Networks, average, optimizers and counters of a run.

    All variables are made under the scope of a `tf.distribute.Strategy`.

    Attributes:
        generator, discriminator, average: the families. `average` is always
            float32.
        generator_optimizer, discriminator_optimizer: Adam(0, adam_beta2,
            1e-8).
        images_seen: int64 variable.
        stage: int64 variable, the `GrowthSchedule.stage` for which the
            optimizers were last reset; -1 before the first step.
        seed: int64 variable, the root of all random numbers.
        steps_skipped, skipped_in_a_row: int64 variables, steps whose
            gradients were not finite: of the whole run, and since both networks
            last moved in one step.
        log2_scales: float32 variable `[2]`, the loss scales of the
            discriminator and the generator for float16.
        augment: float32 variable `[3]`, the state of `augmentation.adapted`;
            None where p is not adapted.
    """

    def __init__(self, config, strategy):
        super().__init__(name="training_state")
        self.config = config
        self.strategy = strategy
        with strategy.scope():
            self._create_networks()
            self._create_optimizers()
            self._freeze()
            self.images_seen = tf.Variable(0, dtype=tf.int64)
            self.stage = tf.Variable(-1, dtype=tf.int64)
            self.seed = tf.Variable(config.seed, dtype=tf.int64)
            self.steps_skipped = tf.Variable(0, dtype=tf.int64)
            self.skipped_in_a_row = tf.Variable(0, dtype=tf.int64)
            self.log2_scales = tf.Variable([_FIRST_LOG2_SCALE] * 2)
            self.augment = None
            if adapts(config):
                self.augment = tf.Variable(tf.zeros([3]))

    def _create_networks(self):
        architecture, policy = self.config.architecture, self.config.precision
        if policy != "float32":  # The weights are float32 all the same.
            policy = f"mixed_{policy}"
        options = {"leaky_relu": lean_leaky_relu, "dtype": policy}
        # No two layers share a seed: a network has fewer than 500. Keras takes
        # 32 bits.
        seed = 1000 * self.config.seed % 2**31
        self.generator = Generator.of(architecture, seed=seed, **options)
        self.discriminator = Discriminator.of(
            architecture, seed=seed + 500, **options
        )
        # The generator's seed, because the average begins as a copy of it.
        self.average = Generator.of(architecture, seed=seed, name="average")

    def _create_optimizers(self):
        def adam(name, share=1.0):
            betas = {"beta_1": 0.0, "beta_2": self.config.adam_beta2**share}
            return FusedAdam(0.001, **betas, epsilon=1e-8, name=name)

        share = self._lazy_share
        self.generator_optimizer = adam("generator_adam")
        self.discriminator_optimizer = adam("discriminator_adam", share)
        # Built now, because an optimizer cannot make variables in a step.
        self.generator_optimizer.build(self.generator.trainable_weights)
        self.discriminator_optimizer.build(self.discriminator.trainable_weights)

    def _freeze(self):
        """Keep the discriminator's highest resolutions from being trained.

        Mo et al. 2020 (FreezeD). After the optimizers are made, whose moments
        a checkpoint has with or without it.
        """
        count, family = self.config.freeze_discriminator, self.discriminator
        for resolution in family.resolutions[len(family.resolutions) - count :]:
            for layer in family.block(resolution).layers:
                for weight in layer.trainable_weights:
                    weight.trainable = False

    def enter_stage(self, stage, learning_rate):
        """Set the rate, a float, and start a stage, unless it has begun.

        As in the official code both optimizers forget their moments at both
        ends of each fade, unless `reset_optimizers` is off.
        """
        # Anew, because a run that goes on may have ended with a lower one.
        self.set_learning_rate(learning_rate)
        if stage == int(self.stage.numpy()):
            return
        if self.config.reset_optimizers:
            self.reset_optimizers()
        self.stage.assign(stage)

    def set_learning_rate(self, learning_rate):
        """Set that of both optimizers, a float or float32 scalar."""
        self.generator_optimizer.learning_rate.assign(learning_rate)
        self.discriminator_optimizer.learning_rate.assign(
            learning_rate * self._lazy_share
        )

    @property
    def _lazy_share(self):
        """What the discriminator's learning rate is multiplied by.

        c = k / (k + 1) where the penalty is taken in every k-th minibatch, and
        the decays are raised to that power (appendix B of Karras et al. 2020,
        StyleGAN2). There the penalty is a step of its own, so that c
        makes up for k + 1 steps in k minibatches. Here it is part of the k-th
        step, and c is kept as all that was measured was measured with it.
        """
        every = self.config.penalty_every
        return every / (every + 1) if every > 1 else 1.0

    @property
    def augment_p(self):
        """The probability of each augmentation, float32 scalar, or None."""
        if self.augment is not None:
            return self.augment.read_value()[0]
        if self.config.augment == "none":
            return None
        p = self.config.augment_p
        return tf.constant(1.0 if p is None else p, tf.float32)

    def reset_optimizers(self):
        """Forget both optimizers' moments and counts of steps."""
        both = self.generator_optimizer, self.discriminator_optimizer
        for optimizer in both:
            for variable in optimizer.variables:
                if variable is not optimizer.learning_rate:
                    variable.assign(tf.zeros(variable.shape, variable.dtype))

    def set_alpha(self, resolution, alpha):
        """Set the fade of generator, discriminator and average."""
        if resolution > 4:
            for family in (self.generator, self.discriminator, self.average):
                family.set_alpha(resolution, alpha)
