"""Statistics of training data, kept on the disk for the next evaluation.

A place in the cache belongs to what was asked for: the data, the resolution,
the metric and so on. What lies there is used only where the fingerprint, of
the very pictures and the code that measured them, is the same; otherwise it is
computed anew and replaced.
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


def default_folder() -> pathlib.Path:
    """Where statistics are kept: `progan_tf` in the user's cache folder."""
    folder = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(folder, "progan_tf").expanduser()


class StatisticsCache:
    """A folder of statistics, which may be removed at any time.

    Args:
        folder: it is made where need be; by default `default_folder()`.
    """

    def __init__(self, folder: str | os.PathLike | None = None):
        self._folder = pathlib.Path(folder or default_folder())

    def load(self, place: dict, fingerprint: str) -> dict | None:
        """Reads what was stored with the same arguments.

        Args:
            place: what was asked for; JSON can hold it.
            fingerprint: of what the statistics were computed from.

        Returns:
            dict from name to array, or None where there is nothing, something
            else or a damaged file.
        """
        try:
            with open(self._path(place), "rb") as file, np.load(file) as arrays:
                if arrays[_ABOUT].item() != _about(place, fingerprint):
                    return None
                return {name: arrays[name] for name in arrays if name != _ABOUT}
        # Of many kinds, for files that are missing, cut short or no archive.
        except Exception:
            return None

    def store(self, place: dict, fingerprint: str, arrays: dict) -> None:
        """Writes statistics, in place of what was asked for likewise.

        Where that fails it is told in the log, for nothing is lost by it.

        Args:
            place: what was asked for; JSON can hold it.
            fingerprint: of what the statistics were computed from.
            arrays: dict from name to array.
        """
        try:
            with writing(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
            with replacing(self._path(place)) as temporary:
                about = np.array(_about(place, fingerprint))
                np.savez(temporary, **{_ABOUT: about}, **arrays)
        except UserError as error:
            _log.warning("statistics of the data are not kept: %s", error)

    def _path(self, place: dict) -> pathlib.Path:
        name = digest_of(_text(place).encode())
        return self._folder / f"statistics-{name}.npz"


def digest_of(data: bytes) -> str:
    """A short text that other bytes do not share."""
    return hashlib.sha256(data).hexdigest()[:16]


@functools.cache
def code_fingerprint() -> str:
    """A digest of the code of the metrics, which their statistics depend on."""
    digest = hashlib.sha256()
    for path in sorted(
        pathlib.Path(__file__).parent.parent.glob("metrics/*.py")
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _about(place: dict, fingerprint: str) -> str:
    return _text({**place, "fingerprint": fingerprint})


def _text(fields: dict) -> str:
    return json.dumps(fields, sort_keys=True)
