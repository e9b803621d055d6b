"""The resolutions of progressive growing: 4, 8, 16 and so on to 1024."""

from progan_tf.errors import UserError

LOWEST_RESOLUTION = 4
HIGHEST_RESOLUTION = 1024
# Below it, both metrics of evaluations during training are undefined.
LOWEST_EVALUATED = 16


def check_resolution(resolution):
    """Raise UserError unless a resolution is a power of two, 4 to 1024."""
    is_int = isinstance(resolution, int) and not isinstance(resolution, bool)
    in_range = is_int and LOWEST_RESOLUTION <= resolution <= HIGHEST_RESOLUTION
    if not in_range or resolution & (resolution - 1):
        raise UserError(
            f"resolution must be a power of two from {LOWEST_RESOLUTION} to "
            f"{HIGHEST_RESOLUTION}, not {resolution!r}"
        )


def resolutions(resolution):
    """(4, 8, ..., resolution); UserError as of `check_resolution`."""
    check_resolution(resolution)
    return tuple(2**level for level in range(2, resolution.bit_length()))
