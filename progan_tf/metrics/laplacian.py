"""The Laplacian pyramid (Burt and Adelson 1983) of pictures, in NumPy.

The filter is [1, 4, 6, 4, 1] / 16 along either axis; beyond its edges a picture
is mirrored, the edge itself not repeated. Even and odd rows and columns are
treated apart, so that shrinking computes no product that it throws away, and
enlarging none with the zeros between pixels.
"""

import numpy as np


def laplacian_pyramid(planes, smallest):
    """What each size of planes `[..., R, R]` adds to the next smaller one.

    Returns a list of float32 `[..., r, r]`, r = R, R/2, ... `smallest`, which
    is at least 2. The last is the shrunk picture; enlarging each and adding the
    one before it ends at the picture again.
    """
    levels = []
    while planes.shape[-1] > smallest:
        coarse = shrunk(planes)
        detail = enlarged(coarse)
        levels.append(np.subtract(planes, detail, out=detail))
        planes = coarse
    return [*levels, planes]


def shrunk(planes):
    """Smooths `[..., H, W]` and keeps every other row and column."""
    # Rows first: they lie whole in memory, and the slower pass along them then
    # has only half of them left.
    return _shrunk_along(_shrunk_along(planes, -2), -1)


def enlarged(planes):
    """Puts zeros between the pixels of `[..., H, W]` and smooths, times 4."""
    return _enlarged_along(_enlarged_along(planes, -1), -2)


def _shrunk_along(x, axis):
    even, odd = x[_at(axis, np.s_[::2])], 4 * x[_at(axis, np.s_[1::2])]
    first, last = _at(axis, np.s_[:1]), _at(axis, np.s_[-1:])
    but_first, but_last = _at(axis, np.s_[1:]), _at(axis, np.s_[:-1])
    # out[i] = even[i-1] + 4 odd[i-1] + 6 even[i] + 4 odd[i] + even[i+1].
    out = 6 * even
    out += odd
    out[but_first] += odd[but_last]
    out[but_first] += even[but_last]
    out[but_last] += even[but_first]
    # Beyond the edges: even[-1] is even[1], odd[-1] is odd[0], and even[n]
    # is even[n-1].
    out[first] += odd[first]
    out[first] += even[_at(axis, np.s_[1:2])]
    out[last] += even[last]
    out *= np.float32(1 / 16)
    return out


def _enlarged_along(x, axis):
    shape = list(x.shape)
    shape[axis] *= 2
    out = np.empty(shape, x.dtype)
    even, odd = out[_at(axis, np.s_[::2])], out[_at(axis, np.s_[1::2])]
    first, last = _at(axis, np.s_[:1]), _at(axis, np.s_[-1:])
    but_first, but_last = _at(axis, np.s_[1:]), _at(axis, np.s_[:-1])
    # even[i] = (x[i-1] + 6 x[i] + x[i+1]) / 8, odd[i] = (x[i] + x[i+1]) / 2.
    np.multiply(x, 6, out=even)
    even[but_first] += x[but_last]
    even[but_last] += x[but_first]
    np.add(x[but_last], x[but_first], out=odd[but_last])
    # Beyond the edges: x[-1] is x[1], and x[n] is x[n-1].
    even[first] += x[_at(axis, np.s_[1:2])]
    even[last] += x[last]
    np.add(x[last], x[last], out=odd[last])
    even *= np.float32(1 / 8)
    odd *= np.float32(1 / 2)
    return out


def _at(axis, index):
    """The index of a slice along one of the last two axes."""
    return (..., index, slice(None)) if axis == -2 else (..., index)
