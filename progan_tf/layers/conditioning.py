"""A layer that gives a generator with classes one of them."""

from keras import ops

from progan_tf.layers.base import Layer, is_whole, register, whole_number


@register
class FixedLabel(Layer):
    """Appends the one-hot label of one class, the same to every latent.

    It stands in for the concatenation of latents and labels where a generator
    with classes is to draw one class alone.

    Args:
        label: int, the class.
        num_classes: int, how many there are.

    Input shape: `[batch, latent_size]`.

    Output shape: `[batch, latent_size + num_classes]`.

    Raises:
        ValueError: if `num_classes` is no whole number, 1 or more, or `label`
            none from 0 to `num_classes - 1`.
    """

    _arguments = ("label", "num_classes")

    def __init__(self, label, num_classes, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = whole_number("num_classes", num_classes)
        if not (label == 0 or is_whole(label)) or label >= num_classes:
            raise ValueError(
                f"`label` must be a class, 0 to {self.num_classes - 1}. "
                f"Received: label={label!r}"
            )
        self.label = int(label)
        self.built = True

    def call(self, inputs):
        row = ops.one_hot([self.label], self.num_classes, dtype=inputs.dtype)
        # A row of zeros for each latent, of which there may be none.
        rows = ops.zeros_like(inputs[:, :1]) + row
        return ops.concatenate([inputs, rows], axis=-1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1] + self.num_classes)
