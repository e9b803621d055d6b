"""Pictures and labels for the training loop, read ahead in the background."""

import concurrent.futures
from typing import NamedTuple

import numpy as np

from progan_tf.data.order import ShuffledOrder, mirror_flags, random_indices
from progan_tf.data.source import Source
from progan_tf.errors import UserError


class Chunk(NamedTuple):
    """What several training steps in a row consume.

    S is the number of steps and B the pictures of one step.
    """

    images: np.ndarray  # uint8 [S, B, R, R, C] in [0, 255]
    labels: np.ndarray | None  # int64 [S, B], the classes of the images
    fake_labels: np.ndarray | None  # int64 [S, B], for the generator's step


class _Request(NamedTuple):
    """The arguments of `Loader.chunk`, to compare a prefetch with."""

    start: int
    steps: int
    batch_size: int
    resolution: int
    rows: tuple[int, int]


class Loader:
    """Serves a run's pictures in order, in chunks of whole minibatches.

    A chunk is a pure function of the source, the seed and the arguments of
    `chunk`; reading ahead changes only how long it takes. Use it as a
    context manager, or call `close`.

    Args:
        source: where the pictures come from.
        seed: the run's seed, not negative.
        mirror: mirror each picture with probability 1/2.
        labels: serve labels as well.

    Raises:
        UserError: `labels` is set but the source has none.
    """

    def __init__(
        self,
        source: Source,
        seed: int,
        mirror: bool = False,
        labels: bool = False,
    ):
        if labels and not source.num_classes:
            raise UserError(
                f"expected labels, but {source.name} has none; "
                "train without labels or choose data with classes"
            )
        self._source = source
        self._seed = seed
        self._mirror = mirror
        self._labels = labels
        self._order = ShuffledOrder(len(source), seed)
        # One thread: chunks are wanted one after the other, and a source
        # that is slow enough to gain from more threads has its own.
        self._reader = concurrent.futures.ThreadPoolExecutor(
            max_workers=1, thread_name_prefix="progan_tf-loader"
        )
        self._ahead: tuple[_Request, concurrent.futures.Future] | None = None

    def chunk(
        self,
        start: int,
        steps: int,
        batch_size: int,
        resolution: int,
        rows: tuple[int, int] | None = None,
    ) -> Chunk:
        """Returns the pictures of some steps, prefetched or read now.

        Step s shows the pictures number `start + s * batch_size` and on.

        Args:
            start: images seen before the chunk.
            steps: minibatches in the chunk.
            batch_size: pictures in a minibatch, over all workers.
            resolution: a power of two that the source can give.
            rows: (first, end) of the rows of every minibatch that this
                process feeds, where several workers share one; default all.

        Returns:
            a `Chunk` with `end - first` pictures a step.

        Raises:
            ValueError: `rows` is not a range within the minibatch.
            UserError: the source cannot give the pictures, found here or
                while reading ahead.
        """
        request = _request(start, steps, batch_size, resolution, rows)
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            expected, future = ahead
            if expected == request:
                return future.result()
            future.cancel()
        return self._read(request)

    def prefetch(
        self,
        start: int,
        steps: int,
        batch_size: int,
        resolution: int,
        rows: tuple[int, int] | None = None,
    ) -> None:
        """Starts to read what the next `chunk` will ask for.

        Only the latest prefetch is kept. A wrong guess costs time and
        nothing else; an error waits for the `chunk` with these arguments.
        """
        request = _request(start, steps, batch_size, resolution, rows)
        if self._ahead is not None:
            self._ahead[1].cancel()
        self._ahead = (request, self._reader.submit(self._read, request))

    def close(self) -> None:
        """Drops what was read ahead and ends the background thread."""
        self._ahead = None
        self._reader.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> "Loader":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def _read(self, request: _Request) -> Chunk:
        """Reads one chunk; runs in either thread."""
        start, steps, batch_size, resolution, _ = request
        count = steps * batch_size
        indices = _own_rows(self._order.indices(start, count), request)
        images = self._source.images(indices, resolution)
        if self._mirror:
            flags = _own_rows(mirror_flags(self._seed, start, count), request)
            images[flags] = images[flags, :, ::-1]
        images = images.reshape(steps, -1, *images.shape[1:])  # [SBRRC]
        if not self._labels:
            return Chunk(images, None, None)
        drawn = _own_rows(
            random_indices(self._seed, start, count, len(self._source)),
            request,
        )
        return Chunk(
            images,
            self._source.labels(indices).reshape(steps, -1),  # [SB]
            self._source.labels(drawn).reshape(steps, -1),  # [SB]
        )


def _request(
    start: int,
    steps: int,
    batch_size: int,
    resolution: int,
    rows: tuple[int, int] | None,
) -> _Request:
    """Returns the checked arguments, with the default rows filled in."""
    first, end = (0, batch_size) if rows is None else rows
    if not 0 <= first < end <= batch_size:
        raise ValueError(
            f"expected rows within a minibatch of {batch_size}, "
            f"got {first} to {end}"
        )
    return _Request(start, steps, batch_size, resolution, (first, end))


def _own_rows(values: np.ndarray, request: _Request) -> np.ndarray:
    """Keeps, of one value a picture, those of this worker's rows.

    Whole chunks are drawn and then cut: numbers are cheap, pictures not.
    """
    first, end = request.rows
    values = values.reshape(request.steps, request.batch_size)
    return values[:, first:end].reshape(-1)
