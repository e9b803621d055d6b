"""Resuming: what a run directory holds against what the user asks for.

A resumed run takes its settings from its config.json. Those that only say how
long, how often or where, or how the rate falls in the end, may be given anew;
any other difference is an error, because the networks or the data would no
longer be those that were trained.
Data that are no longer where they were may be given where they are now.
"""

import dataclasses
import functools
import os
import pathlib

from progan_tf import settings
from progan_tf.config.presets import (
    FORMER_PRESETS,
    PRESETS,
    check_shared_evenly,
)
from progan_tf.config.resolving import load_config, resolve
from progan_tf.config.train_config import (
    CONFIG_FILE,
    NETWORK_SETTINGS,
    TrainConfig,
)
from progan_tf.errors import UserError


def changed_settings(stored, new):
    """dict from the settings in which two configs differ to (stored, new)."""
    changes = {}
    for field in dataclasses.fields(stored):
        old, value = getattr(stored, field.name), getattr(new, field.name)
        if field.metadata["table"]:
            # Another resolution has a longer or shorter table. The resolution
            # is named already, so the table need not be.
            different = any(old[r] != value[r] for r in old.keys() & value)
        else:
            different = old != value
        if different:
            changes[field.name] = (old, value)
    return changes


def check_resumable(stored, new, flags="those flags"):
    """Raise UserError if a run cannot go on with the new configuration.

    `flags` is what the user should leave out.
    """
    if changes := _kept_settings(stored, new):
        _refuse(stored, changes, flags)


def resolve_for_run(given, count_replicas):
    """The configuration of a run, new or resumed.

    The run directory decides: where it holds a config.json, the settings come
    from there and only those given explicitly are compared. An explicit
    preset is resolved for the stored number of devices and compared in full.

    Args:
        given: dict of the settings that were given explicitly.
        count_replicas: function from the setting `devices` to the number of
            devices that share a minibatch. Called when all else was found
            good, because counting devices takes seconds.

    Returns:
        (`TrainConfig`, bool: whether a stored run is resumed).

    Raises:
        UserError: for wrong settings, or if the stored run has others.
    """
    given = dict(given)
    preset = given.pop("preset", None)
    new_run = functools.partial(resolve, preset or "official", given)
    run_dir = given.get("run_dir") or new_run().run_dir
    if (pathlib.Path(run_dir) / CONFIG_FILE).exists():
        config = _resumed(load_config(run_dir), preset, given)
        check_shared_evenly(config.batch_size, count_replicas(config.devices))
        return config, True
    return new_run(count_replicas(new_run().devices)), False


def _resumed(stored, preset, given):
    """The stored configuration with what may change as it was given."""
    explicit = {**given, "run_dir": stored.run_dir}
    # What no flag sets was counted or read when the run began. The data is
    # compared when it is opened.
    for field in dataclasses.fields(TrainConfig):
        if not field.metadata["flag"]:
            explicit[field.name] = getattr(stored, field.name)
    requested = PRESETS.get(preset, {}).get("precision", stored.precision)
    if explicit.get("precision", requested) == "auto":
        # Resolved once: the machine may be another one now.
        explicit["precision"] = stored.precision
    try:
        if preset is not None:
            new = _of_preset(preset, explicit, stored)
        else:
            # Tables that were not given are those of the stored resolution.
            resolution = explicit.pop("resolution", stored.resolution)
            if resolution != stored.resolution:
                _refuse(stored, {"resolution": (stored.resolution, resolution)})
            values = settings.merged(vars(stored), explicit, TrainConfig)
            new = TrainConfig(**values)
    except UserError:
        # It may be at odds with a setting that was not given now.
        _refuse_plain(stored, explicit)
        raise
    # A preset may have changed since, or be another one.
    check_resumable(
        stored, new, "--preset and those flags" if preset else "those flags"
    )
    names = _free_settings(stored)
    free = {name: getattr(new, name) for name in explicit if name in names}
    return dataclasses.replace(stored, **free)


def _of_preset(preset, explicit, stored):
    """What a preset asks for, as it is or as it was when the run was begun."""
    new = resolve(preset, explicit, stored.replicas)
    former = FORMER_PRESETS.get(preset)
    if former and _kept_settings(stored, new):
        was = resolve(former, explicit, stored.replicas)
        was = dataclasses.replace(was, preset=preset)
        if not _kept_settings(stored, was):
            return was
    return new


def _kept_settings(stored, new):
    """As `changed_settings`, but only those that a run must keep."""
    changes = changed_settings(stored, new)
    free = _free_settings(stored)
    return {name: both for name, both in changes.items() if name not in free}


def _refuse_plain(stored, given):
    """Refuse given settings that differ from the stored ones; not tables."""
    free = _free_settings(stored) | {"data"}  # Whose path may be relative.
    changes = {}
    for field in dataclasses.fields(stored):
        old = getattr(stored, field.name)
        new = given.get(field.name, old)
        if new != old and not (field.metadata["table"] or field.name in free):
            changes[field.name] = (old, new)
    if changes:
        _refuse(stored, changes)


def _refuse(stored, changes, flags="those flags"):
    listed = "; ".join(
        f"{name} is {_text(old)} there, not {_text(new)}"
        for name, (old, new) in changes.items()
    )
    hint = (
        "; progan_tf.convert --format=run begins one with the networks of this "
        "run"
    )
    if not changes.keys().isdisjoint({*NETWORK_SETTINGS, "labels"}):
        hint = ""  # They would not be these.
    raise UserError(
        f"{stored.run_dir} holds a run with other settings: {listed}; leave "
        f"{flags} out to resume it, or give another --run_dir{hint}"
    )


def _free_settings(stored):
    """Names of the settings of a stored run that may be given anew."""
    fields = dataclasses.fields(TrainConfig)
    names = {field.name for field in fields if field.metadata["free"]}
    # A folder that is no longer where it was has been moved, or copied to
    # another machine.
    if os.path.isabs(stored.data) and not os.path.exists(stored.data):
        names.add("data")
    return names


def _text(value):
    return table_text(value) if isinstance(value, dict) else repr(value)


def table_text(table):
    """A dict from resolution to number in one line; equal numbers as one."""
    if len(set(table.values())) == 1:
        return str(next(iter(table.values())))
    return ", ".join(f"{size}: {number:g}" for size, number in table.items())
