"""Checks of flag values that all commands share.

A flag's own range and form are checked where it is declared or used.
"""

import os

from absl import flags

from progan_tf.errors import UserError
from progan_tf.text import not_utf8, shortened

# Flags that name a file or a folder; flags of data may also be KIND:FOLDER.
PATHS = frozenset(
    "blend cache_dir data directions features generator held_out images "
    "inspect labels_file module out preview_augment run_dir samples source "
    "target verify weights".split()
)
# Flags that also take the address of a model on a server.
_ADDRESSES = frozenset(
    "blend features generator module run_dir weights".split()
)
# The largest plausible values: of seeds, counts, sizes; of seconds, weights.
_LARGEST = {flags.IntegerParser: 2**32 - 1, flags.FloatParser: 1e9}


def check(values: flags.FlagValues) -> None:
    """Checks all flags that were given, and expands `~` to the home folder.

    Raises UserError for text that is not UTF-8, an impossible path, and a
    number that is not finite or too large.
    """
    for name in values:
        flag = values[name]
        if not flag.present or flag.value is None:
            continue
        if isinstance(flag.value, str):  # Some flags of benchmarks are lists.
            _check_text(name, flag.value)
            if name in PATHS:
                flag.value = _with_home(flag.value)
                _check_path(name, flag.value)
        for kind, largest in _LARGEST.items():
            # Written so that nan is refused, too.
            if isinstance(flag.parser, kind) and not abs(flag.value) <= largest:
                raise UserError(
                    f"expected --{name} to be a number up to {largest:,.0f}; "
                    f"received {shortened(flag.value)}"
                )


def _check_text(name, value):
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(f"--{name}={not_utf8(value)}") from error
    if "\0" in value:
        raise UserError(
            f"--{name}={shortened(value)} has a NUL character in it"
        )


def _check_path(name, value):
    flag = f"--{name}={shortened(value)}"
    if not value:
        raise UserError(
            f"--{name} is empty: expected a path; perhaps a shell variable is "
            "not set"
        )
    if "://" in value and name not in _ADDRESSES:
        raise UserError(
            f"{flag} is an address; expected a path on this machine"
        )
    if max(len(os.fsencode(part)) for part in value.split(os.sep)) > 255:
        raise UserError(f"{flag}: a name is too long")
    for path in (value, value.partition(":")[2]):
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue  # Some commands create it; each checks what it needs.
        except OSError as error:
            raise UserError(f"{flag}: {error.strerror}") from error


def _with_home(value):
    """Expands ~, which shells leave as it is after --name= and kind:."""
    kind, colon, place = value.partition(":")
    if place.startswith("~"):
        return kind + colon + os.path.expanduser(place)
    return os.path.expanduser(value)
