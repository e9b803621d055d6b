"""A subset of a source, and the split into training and held-out pictures."""

import numpy as np

from progan_tf.data.order import held_out
from progan_tf.data.source import Source, empty_classes
from progan_tf.errors import UserError


class Subset(Source):
    """The pictures of another source with the given `indices`, int64 [N]."""

    def __init__(self, source: Source, indices: np.ndarray):
        super().__init__(
            source.name,
            source.resolution,
            source.limit,
            source.channels,
            source.class_names,
        )
        self._source, self._indices = source, indices
        known = source._labels
        # Classes may be empty here though not in the data: no warning.
        self.empty_classes = empty_classes(
            None if known is None else known[indices], self.num_classes
        )

    @property
    def replaced(self) -> int:
        """See `Source`; of all pictures of the source."""
        return self._source.replaced

    def __len__(self) -> int:
        return len(self._indices)

    def images(self, indices: np.ndarray, resolution: int) -> np.ndarray:
        """See `Source.images`."""
        return self._source.images(self._indices[indices], resolution)

    def labels(self, indices: np.ndarray) -> np.ndarray:
        """See `Source.labels`."""
        return self._source.labels(self._indices[indices])

    def copies_in(self, other: "Subset") -> int:
        """How many of the pictures are in another subset of the source, too.

        Files that are equal to one of it under another name; 0 if unknown.
        """
        return self._source.count_copies(self._indices, other._indices)


def split(
    source: Source, seed: int, share: float
) -> tuple[Source, Source | None]:
    """Returns the training set and the held-out pictures.

    The latter are a share of all; None if the share is 0. Raises UserError if
    it leaves either part without pictures.
    """
    if not share:
        return source, None
    total = len(source)
    count = round(share * total)
    if not 1 <= count <= total - 2:
        raise UserError(
            "expected --hold_out to hold out at least 1 picture and leave at "
            f"least 2; {share:g} of the {total:,} pictures of {source.name} is "
            f"{count:,}: choose another share"
        )
    kept, others = held_out(seed, total, count)
    source.hold_out(others)
    return Subset(source, kept), Subset(source, others)
