"""How the tensors of a published file are placed in our variables, and back."""

import dataclasses

import numpy as np

from progan_tf.architecture import Architecture
from progan_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor of a published file and the variable of ours that it becomes.

    Both hold the same numbers, unscaled, in another order: ours is theirs
    reshaped to `split`, its axes put in the order `axes`, and reshaped.

    Attributes:
        name: str, its name in the file.
        shape: tuple of ints, its shape there.
        variable: Keras variable.
        split: tuple of ints; by default `shape`.
        axes: tuple of ints; by default their own order.
        flipped: bool, whether the first two axes run backwards.
    """

    name: str
    shape: tuple
    variable: object
    split: tuple = ()
    axes: tuple = ()
    flipped: bool = False

    def assign(self, array):
        """Set our variable to the file's array."""
        split, axes = self._order()
        array = array.reshape(split).transpose(axes)
        if self.flipped:
            array = array[::-1, ::-1]
        self.variable.assign(array.reshape(self.variable.shape))

    def written_back(self):
        """Our variable as an array of the file, to the bit."""
        split, axes = self._order()
        array = self.variable.numpy().reshape([split[axis] for axis in axes])
        if self.flipped:
            array = array[::-1, ::-1]
        array = array.transpose(np.argsort(axes))
        return np.ascontiguousarray(array).reshape(self.shape)

    def _order(self):
        split = self.split or self.shape
        return split, self.axes or tuple(range(len(split)))


def assign_all(where, tensors, arrays):
    """Set all variables of a family to a file's arrays.

    Args:
        where: str, the file and network, for messages.
        tensors: list of `Tensor`, everything the family has.
        arrays: dict from name to float32 array, everything the file has.

    Raises:
        UserError: unless the names and shapes are the same.
    """
    names = {tensor.name for tensor in tensors}
    for name in arrays:
        if name not in names:
            raise UserError(f"{where} has {name[:80]!r}, which is unexpected")
    for tensor in tensors:
        if tensor.name not in arrays:
            raise UserError(f"{where} lacks {tensor.name!r}")
        shape = tuple(arrays[tensor.name].shape)
        if shape != tensor.shape:
            raise UserError(
                f"{where} has {tensor.name!r} of the shape {shape}; expected "
                f"{tensor.shape}"
            )
    for tensor in tensors:
        tensor.assign(arrays[tensor.name])


def check_size(where, arrays, expected, most_bytes):
    """Raise UserError unless a file's arrays are all that a network needs.

    Called before any network is made, so that no file gets a huge one.

    Args:
        where: str, the file and network, for messages.
        arrays: dict from name to float32 array.
        expected: int, numbers of a network of the file's options.
        most_bytes: int, the size of the file.
    """
    count = sum(array.size for array in arrays.values())
    if count != expected:
        raise UserError(
            f"{where} holds {count:,} numbers; a network of its options has "
            f"{expected:,}"
        )
    if 4 * count > most_bytes:
        raise UserError(
            f"{where} claims {4 * count:,} bytes of arrays, more than the "
            f"file's {most_bytes:,}"
        )


def feature_map_settings(maps):
    """`fmap_base` and `fmap_max` of networks with given feature maps.

    Args:
        maps: dict from resolution, 4 and up, to the int number of maps.

    Returns:
        (int, int) where there are such numbers; otherwise (int, dict), where
        the dict is `maps` and the int is too large to lower any of them.
    """
    base = max(count * resolution // 2 for resolution, count in maps.items())
    formula = Architecture(
        resolution=max(maps), fmap_base=base, fmap_max=maps[4]
    )
    fits = all(
        formula.feature_maps(resolution) == count
        for resolution, count in maps.items()
    )
    return base, maps[4] if fits else dict(maps)
