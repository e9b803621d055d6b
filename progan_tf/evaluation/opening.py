"""Opening what is evaluated: a run, a generator or a folder of pictures."""

import os

from progan_tf import addresses, pretrained
from progan_tf.data import ShuffledOrder, open_source
from progan_tf.data.arrays import Arrays
from progan_tf.errors import UserError
from progan_tf.evaluation.reals import batch_size, spans
from progan_tf.evaluation.subjects import OneSubject, Subject
from progan_tf.generation.opening import open_generator


def open_subjects(
    run_dir=None, module=None, images=None, every=False, trust=False
):
    """`Snapshots` or `OneSubject`: one of the first three, or the default.

    Args:
        run_dir: path of a run directory or `.keras` file, or a name.
        module: path of a TF-Hub module, its folder or `.tar.gz`, or a name.
        images: path of a folder of pictures, or of an `.npz` file.
        every: bool, all snapshots of the run, not only the newest.
        trust: bool, of the module: see `opening.open_generator`.

    Raises:
        UserError: if it cannot be read.
    """
    if images is not None:
        return _folder(images)
    alone = pretrained.named(run_dir) or run_dir is None
    alone = alone or addresses.is_unpacked_keras(run_dir)
    if not alone and os.path.isdir(run_dir):
        # Here, because it loads TensorFlow.
        from progan_tf.evaluation.snapshots import Snapshots

        return Snapshots(run_dir, every)
    generator = open_generator(run_dir, module, trust=trust)
    return OneSubject(
        Subject(generator.name, None, generator.stream),
        generator.resolution,
        generator.image_shape[-1],
        generator.num_classes,
        data=generator.origin and generator.origin[0].data,
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
    size = source.resolution

    def stream(numbers, labels):
        # Sorted ones may be alike, and MS-SSIM compares each with the next.
        order = ShuffledOrder(len(source), numbers[0])
        for start, count in spans(0, len(numbers), batch_size(size)):
            yield source.images(order.indices(start, count), size)

    return OneSubject(Subject(path, None, stream), size, 3, 0, len(source))
