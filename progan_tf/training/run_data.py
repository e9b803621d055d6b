"""The data of a run, and what a run's settings know only from it."""

import dataclasses
import logging

from progan_tf.data import check_apart, check_resolution, open_source, split


def open_data(config):
    """A run's `data.Source`, and the config with its pictures, classes counted.

    Between them the `data.Source` of what `hold_out` keeps from it, or None.
    Raises UserError if the data cannot be had at the config's resolution, or
    its pictures and those of the run lie in one folder.
    """
    check_apart(config.data, config.run_dir, "--run_dir", around=True)
    source = open_source(config.data, config.channels, config.labels)
    check_resolution(source, config.resolution)
    source, held_out = split(source, config.seed, config.hold_out)
    if held_out and (copies := held_out.copies_in(source)):
        logging.getLogger("progan_tf").warning(
            "%d of the %d held-out pictures of %s are among the others, too, "
            "under another name, so their scores hide overfitting: remove the "
            "copies",
            copies,
            len(held_out),
            config.data,
        )
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


def renamed_classes(before, now):
    """The classes that have another name now: list of (number, before, now).

    From the names of all, in their order; none where these are unknown. Some
    forms of data know no names, and have numbers in their place.
    """
    return [
        (number, *names)
        for number, names in enumerate(zip(before, now, strict=False))
        if names[0] != names[1] and str(number) not in names
    ]
