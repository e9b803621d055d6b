"""Pictures and labels for the training loop, read ahead in the background."""

import concurrent.futures
from typing import NamedTuple

import numpy as np

from progan_tf.data.order import ShuffledOrder, mirror_flags, random_indices
from progan_tf.data.source import Source
from progan_tf.errors import UserError


class Steps(NamedTuple):
    """Training steps in a row, at one resolution with one minibatch size."""

    start: int  # images seen before them
    count: int
    batch_size: int  # over all replicas and workers
    resolution: int  # a power of two

    @property
    def images(self) -> int:
        """How many images the steps show."""
        return self.count * self.batch_size


class Chunk(NamedTuple):
    """The data of S steps, with B pictures each for this worker."""

    images: np.ndarray  # uint8 [S, B, R, R, C] in [0, 255]
    mirrored: np.ndarray | None  # bool [S, B], which ones to mirror
    labels: np.ndarray | None  # int64 [S, B], the classes of the images
    fake_labels: np.ndarray | None  # int64 [S, B], for the generator's step


class Loader:
    """Serves a run's pictures in order, in chunks of whole minibatches.

    A chunk is a pure function of the source, the seed, the worker and the
    steps; reading ahead changes only how long it takes. Use it as a context
    manager, or call `close`. Raises UserError if the source lacks `labels`.
    """

    def __init__(
        self,
        source: Source,
        seed: int,  # The run's, not negative.
        mirror: bool = False,  # Whether to say which pictures are mirrored.
        labels: bool = False,
        worker: int = 0,  # Which process this is,
        workers: int = 1,  # of how many that share every minibatch equally.
    ):
        if labels and not source.num_classes:
            raise UserError(
                f"expected labels, but {source.name} has none; "
                "train without labels or choose data with classes"
            )
        self._source, self._seed = source, seed
        self._mirror, self._labels = mirror, labels
        self._worker, self._workers = worker, workers
        self._order = ShuffledOrder(len(source), seed)
        # One thread: chunks are read one after the other, and a source
        # that is slow enough to gain from more threads has its own.
        self._reader = concurrent.futures.ThreadPoolExecutor(
            max_workers=1, thread_name_prefix="progan_tf-loader"
        )
        self._ahead = (None, None)  # Steps, and the future of their chunk.

    def chunk(self, steps: Steps) -> Chunk:
        """Returns the pictures of some steps, prefetched or read now.

        Step number s shows the pictures from number `start + s * batch_size`
        on. Raises ValueError if the workers cannot share the minibatch, and
        UserError if the source cannot read the pictures.
        """
        (expected, future), self._ahead = self._ahead, (None, None)
        if expected == steps:
            return future.result()
        if future:
            future.cancel()
        return self._read(steps)

    def prefetch(self, steps: Steps) -> None:
        """Starts reading the steps that the next `chunk` will ask for.

        Only the latest prefetch is kept. A wrong guess costs only time;
        an error is raised by the `chunk` of these steps.
        """
        _, future = self._ahead
        if future:
            future.cancel()
        self._ahead = (steps, self._reader.submit(self._read, steps))

    def close(self) -> None:
        """Drops what was read ahead and ends the background thread."""
        self._ahead = (None, None)
        self._reader.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> "Loader":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def _read(self, steps: Steps) -> Chunk:
        """Reads one chunk; runs in either thread."""
        if steps.batch_size % self._workers:
            raise ValueError(
                f"expected a minibatch that {self._workers} workers can "
                f"share, got {steps.batch_size}"
            )
        numbers = (self._seed, steps.start, steps.images)
        indices = self._share(steps, self._order.indices(*numbers[1:]))
        images = self._source.images(indices.ravel(), steps.resolution)
        images = images.reshape(*indices.shape, *images.shape[1:])  # [SBRRC]
        mirrored = labels = fake_labels = None
        if self._mirror:
            mirrored = self._share(steps, mirror_flags(*numbers))
        if self._labels:
            drawn = random_indices(*numbers, len(self._source))
            labels, fake_labels = (
                self._source.labels(x.ravel()).reshape(x.shape)
                for x in (indices, self._share(steps, drawn))
            )
        return Chunk(images, mirrored, labels, fake_labels)

    def _share(self, steps: Steps, values: np.ndarray) -> np.ndarray:
        """Returns this worker's part of values, one per picture, as [S, B].

        All workers' numbers are drawn and then split; only pictures are costly.
        """
        shares = values.reshape(steps.count, self._workers, -1)
        return shares[:, self._worker]
