"""What `progan_tf.trainer.Trainer` is made of."""
