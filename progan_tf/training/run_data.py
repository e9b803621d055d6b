"""The data of a run, and what a run's settings know only from it."""

import dataclasses
import pathlib

from progan_tf.data import Folder, check_resolution, open_source, split
from progan_tf.data.sources import kind_at, kind_named
from progan_tf.errors import UserError


def open_data(config):
    """A run's `data.Source`, and the config with its pictures, classes counted.

    Between them the `data.Source` of what `hold_out` keeps from it, or None.
    Raises UserError if the data cannot be had at the config's resolution, or
    its pictures and those of the run lie in one folder.
    """
    check_apart(config.data, config.run_dir, "--run_dir")
    source = open_source(config.data, config.channels, config.labels)
    check_resolution(source, config.resolution)
    source, held_out = split(source, config.seed, config.hold_out)
    counted = counted_config(config, source)
    classes = source.num_classes if config.labels else 0
    return source, held_out, dataclasses.replace(counted, num_classes=classes)


def counted_config(config, source):
    """The config with what it says of the data, but how many classes."""
    empty = source.empty_classes if config.labels else ()
    return dataclasses.replace(
        config,
        num_images=len(source),
        empty_classes=",".join(map(str, empty)),
        class_names="\n".join(source.class_names if config.labels else ()),
    )


def check_apart(data, place, flag):
    """Refuse to write among pictures, which would be more of them.

    Args:
        data: str, as of `open_source`.
        place: path of what is written, as the flag says, or of a file in it.
        flag: str, its name, such as "--run_dir".
    """
    path = kind_named(data).path(data)
    # Other kinds read files of their own names alone.
    if not path or kind_at(path) is not Folder:
        return
    folder, place = (pathlib.Path(x).resolve() for x in (path, place))
    if folder == place or folder in place.parents or place in folder.parents:
        raise UserError(
            f"{place} and the pictures in {folder} must lie apart, or what is "
            f"written there is read as training data; choose another {flag}"
        )
