"""Counting the pictures that cannot be read."""

import logging

from PIL import UnidentifiedImageError

from progan_tf.errors import UserError
from progan_tf.text import first_line

# A few broken files in a large folder are usual and harmless; more mean
# that the folder is not what the user thinks it is.
_MAX_PART = 0.01

_MAX_LINES = 20  # Files named in the log, before it only counts.
_MAX_NAMES = 3  # Files named in the error.


class Unreadable:
    """The unreadable pictures of one source, named in the log and counted.

    Args:
        found: all the pictures, readable or not.
        place: where they are, for messages.

    Attributes:
        count: unreadable pictures so far.
    """

    def __init__(self, found: int, place: str):
        self.count = 0
        self._found = found
        self._place = place
        self._first = []
        self._logger = logging.getLogger("progan_tf")

    def add(self, name: str, error: Exception) -> None:
        """Counts one picture and, if it is among the first, names it."""
        self.count += 1
        reason = _reason(error)
        if len(self._first) < _MAX_NAMES:
            self._first.append(f"{name} ({reason})")
        if self.count <= _MAX_LINES:
            self._logger.warning(
                "%s: skipped unreadable %s: %s",
                self._place,
                name,
                reason,
            )
        elif self.count % 100 == 0:
            self._logger.warning(
                "%s: %d unreadable pictures skipped", self._place, self.count
            )

    def check(self) -> None:
        """Gives up where too many pictures are unreadable.

        Raises:
            UserError: more than 1 % of all picture files.
        """
        if self.count > _MAX_PART * self._found:
            more = ", ..." if self.count > len(self._first) else ""
            raise UserError(
                f"{self.count} of the {self._found} pictures in "
                f"{self._place} cannot be read, more than 1 %: "
                f"{', '.join(self._first)}{more}; mend or remove them"
            )


def _reason(error: Exception) -> str:
    """Says in one line, without the path, what is wrong with a file."""
    if isinstance(error, UnidentifiedImageError):
        return "not a picture of a known kind"
    return first_line(error)
