"""The custom layers of Progressive GAN, written in `keras.ops` alone.

Nothing here knows TensorFlow, so a generator saved as `generator.keras` gives
the same images under `KERAS_BACKEND=torch` or `jax`; importing this module is
what registers the layers for `keras.models.load_model`.

All pictures and feature maps are channels-last. "The paper" is Karras, Aila,
Laine and Lehtinen, "Progressive Growing of GANs for Improved Quality,
Stability, and Variation", ICLR 2018.
"""

from progan_tf.layers.base import kernels_computed_once
from progan_tf.layers.convolution import EqualizedConv2D
from progan_tf.layers.dense import EqualizedDense
from progan_tf.layers.discrimination import MinibatchDiscrimination
from progan_tf.layers.growth import FadeIn, NearestUpscale
from progan_tf.layers.normalization import (
    MinibatchStdDev,
    PixelNormalization,
    SampleNormalization,
)

__all__ = [
    "EqualizedConv2D",
    "EqualizedDense",
    "FadeIn",
    "MinibatchDiscrimination",
    "MinibatchStdDev",
    "NearestUpscale",
    "PixelNormalization",
    "SampleNormalization",
    "kernels_computed_once",
]
