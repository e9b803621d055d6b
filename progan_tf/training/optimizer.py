"""Adam with one operation a variable."""

import keras
import tensorflow as tf


class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` whose update is TensorFlow's fused operation.

    Keras composes an update of some fifteen operations. Small networks have
    many variables of few numbers, and a GPU then spends the step launching
    kernels; the arithmetic is the same (algorithm 1 of Kingma and Ba 2015,
    with the epsilon of the text below it, as in TensorFlow 1).

    Takes the arguments of `keras.optimizers.Adam`; AMSGrad is not supported.
    """

    def __init__(self, *arguments, **options):
        # Keras stores the learning rate in `floatx`, which keras.json may
        # have made float16.
        floatx = keras.config.floatx()
        keras.config.set_floatx("float32")
        try:
            super().__init__(*arguments, **options)
        finally:
            keras.config.set_floatx(floatx)

    def update_step(self, gradient, variable, learning_rate):
        """Move one variable along its gradient, and its moments with it."""
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )
