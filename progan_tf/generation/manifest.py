"""What images were made for, kept in a hidden file beside them.

With it a command that was stopped goes on when it is given again, and never
mixes the images of two generators.
"""

import hashlib
import json
import os
import pathlib
from typing import Any

import numpy as np

from progan_tf.errors import UserError
from progan_tf.files import write_text_atomically


def fingerprint(generator: Any) -> str:
    """A short text that generators with other weights do not share.

    Args:
        generator: `keras.Model` or `hub_module.ModuleGenerator`.
    """
    # A module has no weights to look at where they are constants.
    if hasattr(generator, "fingerprint"):
        return generator.fingerprint
    digest = hashlib.sha256()
    for weight in generator.get_weights():
        digest.update(f"{weight.dtype} {weight.shape} ".encode())
        digest.update(np.ascontiguousarray(weight))
    return digest.hexdigest()[:16]


def read_manifest(path: pathlib.Path) -> dict[str, Any]:
    """The fields of a manifest; none where no file can be read."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return fields if isinstance(fields, dict) else {}


def write_manifest(path: pathlib.Path, fields: dict[str, Any]) -> None:
    """Writes a manifest, whole or not at all.

    Args:
        path: the file; its folder must exist.
        fields: of numbers, texts, dicts and None.

    Raises:
        UserError: the place cannot be written or the disk is full.
    """
    write_text_atomically(path, json.dumps(fields, indent=2) + "\n")


def occupied(
    place: str | os.PathLike, found: dict[str, Any], wanted: dict[str, Any]
) -> UserError:
    """The error to raise where a place holds images of another request.

    Args:
        place: the file or folder.
        found: the request in its manifest, empty where there is none.
        wanted: the request that is made now.
    """
    names = [name for name in wanted if found.get(name) != wanted[name]]
    kind = "of an unknown request"
    if found and names:
        kind = f"of a request that differs in {' and '.join(names)}"
    return UserError(
        f"{place} holds images {kind}; choose another place, or give "
        "--overwrite to replace them"
    )
