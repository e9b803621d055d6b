"""Whose pictures are evaluated: snapshots of a run, a generator, a folder."""

import logging
import os
from collections.abc import Callable
from typing import NamedTuple

from progan_tf import pretrained
from progan_tf.data import ShuffledOrder, open_source
from progan_tf.data.arrays import Arrays
from progan_tf.errors import UserError
from progan_tf.evaluation.reals import batch_size, cut
from progan_tf.generation.opening import open_generator
from progan_tf.sampling import as_generator

_log = logging.getLogger("progan_tf")


class Subject(NamedTuple):
    """Something whose pictures are evaluated.

    Attributes:
        name: str.
        images_seen: int, where a run was; None where that is not known.
        stream: function of a range of numbers and labels that gives an
            iterator of uint8 `[n, r, r, C]`. A generator's picture number n is
            that of seed n; a folder's come in another order for another first
            number. Labels are int64, one a picture, or None without classes.
    """

    name: str
    images_seen: int | None
    stream: Callable


class RunSubjects:
    """The snapshots of a run, the oldest first.

    Those that cannot be read are named in the log and left out. They share the
    weights of one network: a subject can be used until the next one is asked
    for.

    Args:
        run_dir: path of the run directory.
        every: bool, all of them or the newest alone.

    Attributes:
        config: `TrainConfig` of the run.
        data: str, what it is trained on.
        resolution, channels, num_classes: ints, of the run.
        available: None, for there is no end to its pictures.
    """

    available = None

    def __init__(self, run_dir, every=False):
        # Here, because it loads TensorFlow.
        from progan_tf.evaluation import snapshots

        self._run = snapshots.Snapshots(run_dir)
        self._every = every
        self.config = self._run.config
        self.data = self.config.data
        self.resolution = self.config.resolution
        self.channels = self.config.channels
        self.num_classes = self.config.num_classes

    def __len__(self):
        return len(self._run.snapshots) if self._every else 1

    def __iter__(self):
        # It may be hours since they were listed, if the data were measured.
        self._run.refresh()
        chosen, read, error = self._run.snapshots, False, None
        # The newest that can be read, or all of these.
        for snapshot in chosen if self._every else reversed(chosen):
            try:
                model = self._run.generator(snapshot)
            except UserError as caught:
                error = caught
                if os.path.exists(f"{snapshot.checkpoint}.index"):
                    _log.warning("%s", error)
                else:  # By the run itself, which is still going.
                    name = snapshot.checkpoint
                    _log.warning("%s was removed meanwhile", name)
                continue
            size, alpha = snapshot.resolution, snapshot.alpha
            fade = f" alpha {alpha:.2f}" if alpha < 1 else ""
            kimg = snapshot.images_seen / 1000
            name = f"{kimg:,.1f} kimg, {size}x{size}{fade}"
            # Several snapshots share a model, which is compiled once.
            stream = as_generator(model).stream
            yield Subject(name, snapshot.images_seen, stream)
            read = True
            if not self._every:
                return
        if not read:
            raise error


class OneSubject:
    """One generator or folder; attributes like those of `RunSubjects`."""

    config = None

    def __init__(
        self,
        name,
        stream,
        resolution,
        channels,
        num_classes,
        available,
        data=None,
    ):
        self._subject = Subject(name, None, stream)
        self.resolution = resolution
        self.channels = channels
        self.num_classes = num_classes
        self.available = available
        self.data = data

    def __len__(self):
        return 1

    def __iter__(self):
        yield self._subject


def open_subjects(
    run_dir=None, module=None, images=None, every=False, trust=False
):
    """Open what is to be evaluated: one of the first three, or the default.

    Args:
        run_dir: path of a run directory, or of a `.keras` file.
        module: path of a TF-Hub module: its folder or `.tar.gz`.
        images: path of a folder of pictures, or of an `.npz` file.
        every: bool, all snapshots of the run, not only the newest.
        trust: bool, of the module: see `opening.open_generator`.

    Returns:
        `RunSubjects` or `OneSubject`.

    Raises:
        UserError: if it cannot be read.
    """
    if images is not None:
        return _folder(images)
    shipped = pretrained.named(run_dir)
    if run_dir is not None and not shipped and os.path.isdir(run_dir):
        return RunSubjects(run_dir, every)
    generator = open_generator(run_dir, module, trust=trust)
    return OneSubject(
        generator.name,
        generator.stream,
        generator.resolution,
        generator.image_shape[-1],
        generator.num_classes,
        None,
        generator.origin and generator.origin[0].data,
    )


def _folder(path):
    if os.path.isdir(path):
        # Such as ./cats, as "cats" alone would be the drawn ones.
        source = open_source(os.path.join(os.curdir, path))
    elif os.path.isfile(path):
        source = Arrays(path)
    else:
        raise UserError(
            "expected --images=, a folder of pictures or FILE.npz; "
            f"{path!r} does not exist"
        )

    def stream(numbers, labels):
        # Sorted ones may be alike, and MS-SSIM compares each with the next.
        order = ShuffledOrder(len(source), numbers[0])
        size = batch_size(source.resolution)
        for start, count in cut(0, len(numbers), size):
            indices = order.indices(start, count)
            yield source.images(indices, source.resolution)

    return OneSubject(path, stream, source.resolution, 3, 0, len(source))
