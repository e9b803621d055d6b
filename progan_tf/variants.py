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
    """How one program builds generator and discriminator.

    Attributes:
        dense_gain: float, the gain of the generator's first layer. A quarter
            of sqrt(2) makes it the paper's 4x4 convolution, whose fan-in is
            16 times larger.
        linear_gain: float, the gain of ToRGB and of the scores.
        scale_bias: bool, whether biases are multiplied by the He constant as
            kernels are.
        bias_per_element: bool, whether the generator's first layer has a bias
            for each of its outputs, or one for each feature map.
        strided_stddev: bool, see `MinibatchStdDev`.
        unbiased_stddev: bool, see `MinibatchStdDev`.
        lowest_fade: int, the lowest resolution that fades in in the
            discriminator.
    """

    dense_gain: float
    linear_gain: float
    scale_bias: bool
    bias_per_element: bool
    strided_stddev: bool
    unbiased_stddev: bool
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
