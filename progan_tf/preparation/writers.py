"""Writing prepared data sets: one face for every form.

with open_writer("tfrecords", "data/cats", "cats", 64, 3) as writer:
    for image in images:  # uint8 [64, 64, 3]
        writer.append(writer.encode(image))
    writer.finish(labels, class_names)
"""

import os

from progan_tf.data.pyramid import pyramid
from progan_tf.preparation.compact_writer import CompactWriter
from progan_tf.preparation.record_writer import RecordWriter
from progan_tf.preparation.set_writer import SetWriter

__all__ = ["FORMS", "SetWriter", "open_writer", "pyramid"]

_WRITERS = {"tfrecords": RecordWriter, "compact": CompactWriter}
FORMS = tuple(_WRITERS)


def open_writer(
    form: str,
    folder: str | os.PathLike,
    name: str,
    resolution: int,
    channels: int,
) -> SetWriter:
    """Begins a data set; see `SetWriter` for the arguments and errors.

    Args:
        form: one of `FORMS`: `tfrecords` for the official multi-resolution
            records, `compact` for losslessly compressed pictures.

    Raises:
        ValueError: another form.
    """
    if form not in _WRITERS:
        raise ValueError(f"expected a form of {FORMS}, got {form!r}")
    return _WRITERS[form](folder, name, resolution, channels)
