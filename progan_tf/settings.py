"""How one setting is declared, checked and made a flag.

The declarations themselves stand in `progan_tf.architecture.NetworkSettings`
and in `progan_tf.config.train_settings.TrainSettings`. A setting is a dataclass
field; its annotation is its type and its metadata the rest.
"""

import dataclasses
import math
import numbers
import types
import typing

from progan_tf.errors import UserError
from progan_tf.resolutions import HIGHEST_RESOLUTION, resolutions

# Where a setting has no upper limit of its own: beyond these are only numbers
# that float32 or a date cannot hold, sizes that no memory holds and loops that
# do not end.
_HIGHEST = {float: 10**9, int: 10**7}
_CALLED = {int: "a whole number", float: "a number"}
_CALLED |= {bool: "true or false", str: "text"}


def setting(
    default,  # For a table a dict, or one number for all resolutions.
    text,  # What it is, for --help.
    choices=(),  # The strings that it may be; empty for any.
    *,
    low=None,  # The least that it may be.
    above=None,  # What it must exceed.
    below=None,  # What it must stay under.
    table=False,  # Whether it has one value for each resolution.
    # Whether it may change when a run is resumed: it then only says how long,
    # how often or where, not what is trained.
    free=False,
    flag=True,  # Whether it can be given on the command line.
):
    """A dataclass field for one setting."""
    bounds = {"low": low, "above": above, "below": below}
    metadata = {"help": text, "choices": tuple(choices), **bounds}
    metadata |= {"table": table, "free": free, "flag": flag}
    field = dataclasses.field
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


def kind(field):
    """The type of a setting, or of a table's values: int, float, bool, str."""
    if field.metadata["table"]:
        return typing.get_args(field.type)[1]
    if isinstance(field.type, types.UnionType):
        return typing.get_args(field.type)[0]
    return field.type


def checked(field, value, sizes):
    """The value (of a table a dict with the keys `sizes`), or UserError."""
    if not field.metadata["table"]:
        if value is None and isinstance(field.type, types.UnionType):
            return None
        _check_value(field, field.name, value)
        return value
    if not isinstance(value, dict):
        value = dict.fromkeys(sizes, value)
    # JSON knows only strings as keys.
    table = {str(key): number for key, number in value.items()}
    for key in table.keys() - set(map(str, resolutions(HIGHEST_RESOLUTION))):
        raise UserError(
            f"{field.name} has a number for {key!r}, which is no resolution "
            f"from 4 to {HIGHEST_RESOLUTION}"
        )
    for size in sizes:
        if str(size) not in table:
            raise UserError(f"{field.name} must have a number for {size}")
        name = f"{field.name} at {size}x{size}"
        _check_value(field, name, table[str(size)])
    return {size: table[str(size)] for size in sizes}


def check_names(values, config_class):
    """Raise UserError for a value that is no setting of the class."""
    names = {field.name for field in dataclasses.fields(config_class)}
    unknown = [name for name in values if name not in names]
    if unknown:
        raise UserError(f"unknown settings: {', '.join(unknown)}")


def merged(values, given, config_class):
    """A dict of settings, overridden by those that are given.

    Of a table only some resolutions may be given; the others stay as they were.
    """
    result = {**values, **given}
    for field in dataclasses.fields(config_class):
        table = given.get(field.name)
        if not field.metadata["table"] or not isinstance(table, dict):
            continue
        below = values.get(field.name, field.default)
        if below is dataclasses.MISSING:
            below = field.default_factory()
        if not isinstance(below, dict):
            below = dict.fromkeys(resolutions(HIGHEST_RESOLUTION), below)
        result[field.name] = {**below, **table}
    return result


def define_flags(flags, config_class, without=()):
    """Define an absl flag for each setting of a class, but those in `without`.

    A flag that is not given is None, so that explicit ones can be told from
    the preset's. The flag of a table takes one number for all resolutions, or
    numbers for some of them, such as 4:64,8:32.
    """
    # So that --help lists the flags under the command, not under this module.
    flags.disclaim_key_flags()
    definers = {int: flags.DEFINE_integer, float: flags.DEFINE_float}
    definers |= {bool: flags.DEFINE_boolean, str: flags.DEFINE_string}
    for field in dataclasses.fields(config_class):
        text, choices = field.metadata["help"], field.metadata["choices"]
        is_table = field.metadata["table"]
        if not field.metadata["flag"] or field.name in without:
            continue
        if is_table:
            text += "; one number, or by resolution: 4:N,8:N,..."
        # The presets differ; the class has the official code's values. An
        # empty default is explained by the text.
        if isinstance(field.default, (int, float)) or choices:
            text += f" [official: {field.default}]"
        if choices:
            flags.DEFINE_enum(field.name, None, choices, text)
        else:
            definers[str if is_table else kind(field)](field.name, None, text)


def given_flags(flag_values, config_class):
    """dict of the settings given as flags; UserError for a table in no form."""
    given = {}
    for field in dataclasses.fields(config_class):
        if not field.metadata["flag"] or field.name not in flag_values:
            continue
        value = flag_values[field.name].value
        if value is not None:
            is_table = field.metadata["table"]
            given[field.name] = _table(field, value) if is_table else value
    return given


def _table(field, text):
    """A number for all resolutions, or a dict from some of them to numbers."""
    number = kind(field)
    try:
        if ":" not in text:
            return number(text)
        pairs = [part.split(":") for part in text.split(",")]
        table = {int(size): number(value) for size, value in pairs}
    except ValueError as error:
        raise UserError(
            f"{field.name} must be {_CALLED[number]} for all resolutions, or "
            f"for some of them, such as 4:64,8:32; not {text!r}"
        ) from error
    if len(table) < len(pairs):
        raise UserError(f"{field.name} has a resolution twice: {text!r}")
    return table


def _check_value(field, name, value):
    wanted = kind(field)
    classes = {int: numbers.Integral, float: numbers.Real}
    good = isinstance(value, classes.get(wanted, wanted))
    if wanted in classes:
        # bool counts as an integer in Python; nan and inf as numbers.
        good = good and not isinstance(value, bool) and math.isfinite(value)
    if not good:
        raise UserError(f"{name} must be {_CALLED[wanted]}, not {value!r}")
    choices = field.metadata["choices"]
    if choices and value not in choices:
        listed = ", ".join(choices)
        raise UserError(f"{name} must be one of {listed}, not {value!r}")
    low, above, below = map(field.metadata.get, ("low", "above", "below"))
    if below is None and wanted in classes:
        below = _HIGHEST[wanted]
    if low is not None and value < low:
        raise UserError(f"{name} must be {low} or more, not {value!r}")
    if above is not None and value <= above:
        raise UserError(f"{name} must be more than {above}, not {value!r}")
    if below is not None and value >= below:
        raise UserError(f"{name} must be less than {below}, not {value!r}")
