"""Statistics of training data, kept on the disk for the next evaluation.

The key of an entry, a dict that JSON can hold, says what it is of: the data,
the resolution, the metric and so on; a digest of it names the entry's file. The
entry is used only if it also has the same fingerprint, which is that of the
very pictures and of the code that measured them; otherwise it is computed anew
and replaced.
"""

import functools
import hashlib
import json
import logging
import os
import pathlib

import numpy as np

from progan_tf.errors import UserError
from progan_tf.files import replacing, writing

_ABOUT = "about"  # Name of the array that says what the others are.
_log = logging.getLogger("progan_tf")


class StatisticsCache:
    """A folder of statistics, which may be removed at any time.

    It is made where need be; by default `progan_tf` in the user's cache folder.
    """

    def __init__(self, folder=None):
        if not folder:
            user = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
            folder = pathlib.Path(user, "progan_tf").expanduser()
        self._folder = pathlib.Path(folder)

    def load(self, key, fingerprint):
        """The dict of arrays of an entry; None where there is none to use.

        It may be missing, damaged, or of another fingerprint.
        """
        try:
            with open(self._path(key), "rb") as file, np.load(file) as arrays:
                if arrays[_ABOUT].item() != _about(key, fingerprint):
                    return None
                return {name: arrays[name] for name in arrays if name != _ABOUT}
        # A file can be missing, cut short or no archive, with an error each.
        except Exception:
            return None

    def store(self, key, fingerprint, arrays):
        """Writes a dict of arrays, in place of an older entry of that key.

        Where that fails it is told in the log, for nothing is lost by it.
        """
        try:
            with writing(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
            with replacing(self._path(key)) as temporary:
                about = np.array(_about(key, fingerprint))
                np.savez(temporary, **{_ABOUT: about}, **arrays)
        except UserError as error:
            _log.warning("the statistics of the data are not cached: %s", error)

    def _path(self, key):
        name = digest_of(_text(key).encode())
        return self._folder / f"statistics-{name}.npz"


def digest_of(data):
    """A short text that other bytes do not share."""
    return hashlib.sha256(data).hexdigest()[:16]


@functools.cache
def code_fingerprint():
    """A digest of the code of the metrics, which their statistics depend on."""
    folder = pathlib.Path(__file__).parent.parent / "metrics"
    files = sorted(folder.glob("*.py"))
    return digest_of(b"".join(path.read_bytes() for path in files))


def _about(key, fingerprint):
    return _text({**key, "fingerprint": fingerprint})


def _text(fields):
    return json.dumps(fields, sort_keys=True)
