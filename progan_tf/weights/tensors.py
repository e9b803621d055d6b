"""The mapping of the tensors of a published file to our variables."""

from typing import Any, NamedTuple

from progan_tf.architecture import Architecture
from progan_tf.errors import UserError
from progan_tf.networks import Generator


class Tensor(NamedTuple):
    """A tensor of a published file and the Keras variable to assign it to.

    Both hold the same numbers, unscaled, in another order: ours is theirs
    reshaped to `split` (by default `shape`, the file's), transposed by `axes`
    (by default not), with the first two axes reversed if `flipped`, and
    reshaped to the variable.
    """

    name: str
    shape: tuple
    variable: Any
    split: tuple = ()
    axes: tuple = ()
    flipped: bool = False

    def assign(self, array):
        """Set our variable to the file's array."""
        array = array.reshape(self.split or self.shape)
        if self.axes:
            array = array.transpose(self.axes)
        if self.flipped:
            array = array[::-1, ::-1]
        self.variable.assign(array.reshape(self.variable.shape))


def filled(make, architecture, tensors_of, where, arrays, most_bytes):
    """A `Generator` or `Discriminator` with a file's arrays.

    Args:
        make: `Generator` or `Discriminator`.
        architecture: `Architecture`.
        tensors_of: function from the network to the list of its `Tensor`s.
        where: str, the file and network, for messages.
        arrays: dict from name to float32 array, everything that the file has.
        most_bytes: int, the size of the file.

    Raises:
        UserError: unless names and shapes are those of the architecture.
    """
    count = sum(array.size for array in arrays.values())
    # Checked before the network is built, so that no file makes it huge.
    if make is Generator:
        needed = architecture.generator_parameters()
    else:
        needed = architecture.discriminator_parameters()
    if count != needed:
        raise UserError(
            f"{where} holds {count:,} numbers; a network of its options has "
            f"{needed:,}"
        )
    if 4 * count > most_bytes:
        raise UserError(
            f"{where} claims {4 * count:,} bytes of arrays, more than the "
            f"file's {most_bytes:,}"
        )
    family = make.of(architecture)
    tensors = {tensor.name: tensor for tensor in tensors_of(family)}
    for name in arrays:
        if name not in tensors:
            raise UserError(f"{where} has {name[:80]!r}, which is unexpected")
    for name, tensor in tensors.items():
        if name not in arrays:
            raise UserError(f"{where} lacks {name!r}")
        shape = tuple(arrays[name].shape)
        if shape != tensor.shape:
            raise UserError(
                f"{where} has {name!r} of the shape {shape}; expected "
                f"{tensor.shape}"
            )
    for name, tensor in tensors.items():
        tensor.assign(arrays[name])
    return family


def feature_map_settings(maps):
    """`fmap_base` and `fmap_max` of networks with given feature maps.

    `maps` is a dict from resolution, 4 and up, to the number of maps. If no
    two numbers give it, `fmap_max` is `maps` itself, and `fmap_base` is too
    large to lower any of them.
    """
    base = max(count * resolution // 2 for resolution, count in maps.items())
    formula = Architecture(
        resolution=max(maps), fmap_base=base, fmap_max=maps[4]
    )
    fits = all(formula.feature_maps(r) == count for r, count in maps.items())
    return base, maps[4] if fits else dict(maps)
