"""The sample grids of a run: the same latents from the first to the last."""

import numpy as np

from progan_tf.data import ShuffledOrder
from progan_tf.images import nearest_up
from progan_tf.sampling import generate_images
from progan_tf.text import kimg_in_names


class SampleGrids:
    """Writes `reals.png` and `fakes-NNNNNN.png` of a run.

    With labels, both have a class a row, as many classes as there are rows.
    The reals come from a `data.Source`; a `RunLog` writes the grids.
    """

    def __init__(self, config, source, log):
        self._config, self._source, self._log = config, source, log
        self._labels = None
        if config.num_classes:
            rows = np.arange(log.cells) // log.columns
            classes = np.array(config.drawn_classes())
            self._labels = classes[rows % len(classes)]

    def write_reals(self):
        """The first pictures that the run sees, at its resolution."""
        size, channels = self._config.resolution, self._config.channels
        order = ShuffledOrder(len(self._source), self._config.seed)
        if self._labels is None:
            indices = order.indices(0, self._log.cells)
        else:
            # Not all, because some sources read a record for its label.
            some = min(len(self._source), 100 * self._log.cells)
            indices = self._of_classes(order.indices(0, some))
        there = indices >= 0
        images = np.zeros([len(indices), size, size, channels], np.uint8)
        images[there] = self._source.images(indices[there], size)
        self._log.write_grid("reals", "reals", images, 0)

    def _of_classes(self, indices):
        """The first of these pictures of each cell's class.

        A class of few pictures repeats them; without any its cells get -1.
        """
        labels = self._source.labels(indices)
        chosen = np.full(len(self._labels), -1)
        for label in np.unique(self._labels):
            cells = np.flatnonzero(self._labels == label)
            members = indices[labels == label]
            if len(members):
                chosen[cells] = np.resize(members, len(cells))
        return chosen

    def write_fakes(self, generator, images_seen):
        """Images of the run's latents, enlarged to the run's resolution.

        The generator is the average at the resolution and fade of now.
        """
        config = self._config
        # Far from the seeds 0, 1, ... that one tries first when generating.
        seeds = config.seed + np.arange(self._log.cells)
        images = generate_images(generator, seeds, self._labels)
        images = nearest_up(images, config.resolution // images.shape[1])
        # Grids that may come more often than a kimg have names of one form.
        kimg = kimg_in_names(images_seen, exact=config.sample_kimg % 1 > 0)
        self._log.write_grid("fakes", f"fakes-{kimg}", images, images_seen)
