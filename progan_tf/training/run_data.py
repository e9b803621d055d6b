"""The data of a run, and what a run's settings know only from it."""

import dataclasses

from progan_tf.data import check_resolution, open_source


def open_data(config):
    """Open the data that a run is to be trained on.

    Args:
        config: `TrainConfig`.

    Returns:
        `data.Source`, and the config with its pictures and classes counted.

    Raises:
        UserError: if the data cannot be had at the config's resolution.
    """
    source = open_source(config.data, config.channels, config.labels)
    check_resolution(source, config.resolution)
    counted = counted_config(config, source)
    classes = source.num_classes if config.labels else 0
    return source, dataclasses.replace(counted, num_classes=classes)


def counted_config(config, source):
    """The config with what it says of the data, besides the classes."""
    empty = source.empty_classes if config.labels else ()
    return dataclasses.replace(
        config,
        num_images=len(source),
        empty_classes=",".join(map(str, empty)),
    )
