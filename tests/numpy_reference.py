"""Operations of the networks in plain NumPy, float64, for comparison.

Feature maps are [NHWC], convolution kernels [HWIO].
"""

import numpy as np


def leaky_relu(x):
    return np.where(x > 0, x, 0.2 * x)


def convolve(x, kernel):
    """Convolution of stride 1 with zero padding, one tap at a time."""
    size = kernel.shape[0]
    height, width = x.shape[1:3]
    pad = size // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    taps = [
        padded[:, i : i + height, j : j + width] @ kernel[i, j]
        for i in range(size)
        for j in range(size)
    ]
    return np.sum(taps, axis=0)


def upscale(x):
    """Every pixel doubled along height and width."""
    return x.repeat(2, axis=1).repeat(2, axis=2)


def downscale(x):
    """The mean of every 2x2 square."""
    rows = (x[:, 0::2] + x[:, 1::2]) / 2
    return (rows[:, :, 0::2] + rows[:, :, 1::2]) / 2


def normalize_pixels(x):
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-8)


def append_stddev(x, group_size):
    """The minibatch standard deviation, one sample and feature at a time.

    `group_size` must divide the batch.
    """
    batch = len(x)
    groups = batch // group_size
    result = np.zeros((*x.shape[:-1], x.shape[-1] + 1))
    result[..., :-1] = x
    for n in range(batch):
        members = [x[i] for i in range(batch) if i % groups == n % groups]
        deviations = [
            np.sqrt(np.var([member[index] for member in members]) + 1e-8)
            for index in np.ndindex(x.shape[1:])
        ]
        result[n, ..., -1] = np.mean(deviations)
    return result
