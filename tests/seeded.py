"""A source of images that needs no generator."""

import weakref

import numpy as np


class Source:
    """Noise by seed, with the interface of `image_files.SeededImages`.

    Args:
        generator: a name for the request.
        classes: the number of classes.
        stop_at: a seed that raises KeyboardInterrupt.
        channels: those of the images.

    Attributes:
        made: list of the seeds whose images were made.
        most_held: the most images that were in memory at once.
    """

    def __init__(self, generator="one", classes=0, stop_at=None, channels=3):
        self.shape = (4, 4, channels)
        self.request = {"generator": generator, "class": None}
        self.made, self.most_held = [], 0
        self._classes, self._stop_at = classes, stop_at
        self._held = {}

    def labels(self, seeds):
        return np.array(seeds) % self._classes if self._classes else None

    def images(self, seeds):
        for seed in seeds:
            if seed == self._stop_at:
                raise KeyboardInterrupt
            image = self.image(seed)
            self.made.append(seed)
            self._held[seed] = weakref.ref(image)
            held = sum(ref() is not None for ref in self._held.values())
            self.most_held = max(self.most_held, held)
            yield image

    def image(self, seed):
        random = np.random.default_rng(seed)
        return random.integers(0, 256, self.shape, "uint8")
