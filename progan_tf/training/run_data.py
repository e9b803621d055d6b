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
    _check_apart(config)
    source = open_source(config.data, config.channels, config.labels)
    check_resolution(source, config.resolution)
    source, held_out = split(source, config.seed, config.hold_out)
    counted = counted_config(config, source)
    classes = source.num_classes if config.labels else 0
    return source, held_out, dataclasses.replace(counted, num_classes=classes)


def counted_config(config, source):
    """The config with what it says of the data, besides the classes."""
    empty = source.empty_classes if config.labels else ()
    return dataclasses.replace(
        config, num_images=len(source), empty_classes=",".join(map(str, empty))
    )


def _check_apart(config):
    """Refuse a run that would write its samples among its data."""
    path = kind_named(config.data).path(config.data)
    # Other kinds read files of their own names alone.
    if not path or kind_at(path) is not Folder:
        return
    data, run = (pathlib.Path(x).resolve() for x in (path, config.run_dir))
    if data == run or data in run.parents or run in data.parents:
        raise UserError(
            f"the run directory {run} and the pictures in {data} must lie "
            "apart, or the run's samples become its data; choose another "
            "--run_dir"
        )
