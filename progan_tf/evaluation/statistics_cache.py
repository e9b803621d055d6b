"""Statistics of training data, kept on the disk for the next evaluation.

A place in the cache belongs to what was asked for: the data, the resolution,
the metric and so on. What lies there is used only where the fingerprint, of
the very pictures and the code that measured them, is the same; otherwise it is
computed anew and replaced.
"""

import functools
import hashlib
import importlib.resources
import json
import logging
import os
import pathlib

import numpy as np

from progan_tf.data.tfds_builder import PREFIX, find_builder
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


def data_fingerprint(data: str) -> str:
    """A text that changes with the data that `--data` names.

    Args:
        data: as `data.open_source` takes it.

    Returns:
        a digest of the names, sizes and times of its files; of cats those of
        their layers. The times are also those of the last change of a file or
        its attributes, which no program can set back.
    """
    if data == "cats":
        layers = importlib.resources.files("robohash") / "sets" / "set4"
        return files_fingerprint(str(layers))
    if data.startswith(PREFIX):
        builder, split = find_builder(data)
        return f"{split} {files_fingerprint(builder.data_dir)}"
    return files_fingerprint(data)


def files_fingerprint(path: str | os.PathLike) -> str:
    """A digest of the names, sizes and times of a file or a folder's files.

    What is not there, such as an address, is known by its name alone.
    """
    if os.path.exists(path):
        # The same files from wherever they are looked at.
        path = os.path.abspath(path)
    digest, visited = hashlib.sha256(os.fspath(path).encode()), set()
    for folder, names, files in os.walk(path, followlinks=True):
        # A link to a folder above would otherwise be followed for ever.
        visited.add(os.path.realpath(folder))
        names[:] = sorted(
            name
            for name in names
            if os.path.realpath(os.path.join(folder, name)) not in visited
        )
        for name in sorted(files):
            digest.update(_file_line(os.path.join(folder, name)))
    digest.update(_file_line(path))
    return digest.hexdigest()[:16]


@functools.cache
def code_fingerprint() -> str:
    """A digest of the code of the metrics, which their statistics depend on."""
    digest = hashlib.sha256()
    for path in sorted(
        pathlib.Path(__file__).parent.parent.glob("metrics/*.py")
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _file_line(path: str | os.PathLike) -> bytes:
    """Name, size and time of a file; nothing for a folder or none."""
    try:
        status = os.stat(path)
    except OSError:
        return b""
    if os.path.isdir(path):
        return b""
    times = f"{status.st_mtime_ns}\0{status.st_ctime_ns}"
    return f"{path}\0{status.st_size}\0{times}\n".encode()


def _about(place: dict, fingerprint: str) -> str:
    return _text({**place, "fingerprint": fingerprint})


def _text(fields: dict) -> str:
    return json.dumps(fields, sort_keys=True)
