"""PyTorch's files, read by an allow-list: weights and plain values only."""

import os
import re
import zipfile

from progan_tf.errors import UserError
from progan_tf.reading import open_file

_ZIP = b"PK"
# First bytes of torch.save before PyTorch 1.6: protocol 2, a ten-byte number.
_LEGACY = b"\x80\x02\x8a\n"


def is_torch_file(path):
    """Whether a file begins like torch.save's; UserError if unreadable."""
    try:
        with open_file(path) as file:
            start = file.read(len(_LEGACY))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    return start.startswith(_ZIP) or start == _LEGACY


def read_torch_file(path, classes):
    """The content of a file of torch.save, of either format, on the CPU.

    `classes` is a dict from a full name to a class that replaces it. Besides
    these, only tensors and plain Python values may occur. Raises
    UserError if PyTorch is not installed, or the file cannot be read or refers
    to anything else, which the message names.
    """
    if not is_torch_file(path):
        raise UserError(
            f"expected a file that torch.save wrote; {path} is none"
        )
    try:
        import torch
    except ImportError as error:
        raise UserError(
            f"{path} is a file of PyTorch, which is needed to read it: "
            'pip install "progan-tf[torch]"'
        ) from error
    stand_ins = [(cls, name) for name, cls in classes.items()]
    try:
        _check_archive(path)
        with torch.serialization.safe_globals(stand_ins):
            # With weights_only PyTorch imports and calls nothing else.
            return torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:  # Damage raises errors of every kind.
        asked = re.search(r"GLOBAL ([\w.]+)", str(error))
        if asked:
            raise UserError(
                f"{path} asks for {asked[1][:80]!r}; a file of networks holds "
                "nothing but tensors and settings. Nothing in it was executed"
            ) from error
        kind = "not a complete file of PyTorch (torch.save)"
        raise UserError(f"{path} is {kind}") from error


def _check_archive(path):
    """Raise an error for an archive that is damaged or compressed.

    PyTorch stores tensors uncompressed, and does not verify checksums.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(item.file_size for item in archive.infolist())
        if unpacked > os.path.getsize(path):
            raise UserError(
                f"{path} would unpack to {unpacked:,} bytes, more than its "
                "own; files of PyTorch are not compressed"
            )
        if archive.testzip():
            raise ValueError("a checksum does not match")
