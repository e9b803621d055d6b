"""The custom layers of Progressive GAN, written in `keras.ops` alone.

Nothing here knows TensorFlow, so a generator saved as `generator.keras` gives
the same images under `KERAS_BACKEND=torch` or `jax`; importing this module is
what registers the layers for `keras.models.load_model`.

All pictures and feature maps are channels-last. "The paper" is Karras, Aila,
Laine and Lehtinen, "Progressive Growing of GANs for Improved Quality,
Stability, and Variation", ICLR 2018.
"""

from progan_tf.layers.base import EqualizedLayer as EqualizedLayer
from progan_tf.layers.base import kernels_computed_once as kernels_computed_once
from progan_tf.layers.conditioning import FixedLabel as FixedLabel
from progan_tf.layers.convolution import EqualizedConv2D as EqualizedConv2D
from progan_tf.layers.dense import EqualizedDense as EqualizedDense
from progan_tf.layers.discrimination import (
    MinibatchDiscrimination as MinibatchDiscrimination,
)
from progan_tf.layers.growth import FadeIn as FadeIn
from progan_tf.layers.growth import NearestUpscale as NearestUpscale
from progan_tf.layers.normalization import MinibatchStdDev as MinibatchStdDev
from progan_tf.layers.normalization import (
    PixelNormalization as PixelNormalization,
)
from progan_tf.layers.normalization import (
    SampleNormalization as SampleNormalization,
)
