"""What programs do differently with the networks of the paper.

The paper leaves details open, and published weights belong to the program
that trained them. A variant is one program's answers; networks take its name.
Pure Python.
"""

import dataclasses
import math

_SQRT_2 = math.sqrt(2.0)


@dataclasses.dataclass(frozen=True)
class Variant:
    """How one program builds generator and discriminator."""

    # The gain of the generator's first layer. A quarter of sqrt(2) makes it the
    # paper's 4x4 convolution, whose fan-in is 16 times larger.
    dense_gain: float
    # The gain of ToRGB and of the scores.
    linear_gain: float
    # Whether biases are multiplied by the He constant as kernels are.
    scale_bias: bool
    # Whether the generator's first layer has a bias for each of its outputs, or
    # one for each feature map.
    bias_per_element: bool
    # See `MinibatchStdDev`.
    strided_stddev: bool
    unbiased_stddev: bool
    # The lowest resolution that fades in in the discriminator.
    lowest_fade: int


VARIANTS = {
    # github.com/tkarras/progressive_growing_of_gans, and this program.
    "official": Variant(
        dense_gain=_SQRT_2 / 4,
        linear_gain=1.0,
        scale_bias=False,
        bias_per_element=False,
        strided_stddev=True,
        unbiased_stddev=False,
        lowest_fade=8,
    ),
    # github.com/facebookresearch/pytorch_GAN_zoo, which torch.hub offers.
    "gan_zoo": Variant(
        dense_gain=_SQRT_2,
        linear_gain=_SQRT_2,
        scale_bias=True,
        bias_per_element=True,
        strided_stddev=False,
        unbiased_stddev=True,
        lowest_fade=16,
    ),
}
