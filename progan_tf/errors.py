"""The exception for errors that users can correct."""


class UserError(ValueError):
    """An error in the user's input: a flag, a path or a file.

    Commands print it as one line and exit with status 2. Almost every other
    exception is a bug of the program: see `faults`.

    Args:
        message: what was expected, what was received and what to do. Line
            breaks, as from a path, become spaces: it is always one line.
    """

    def __init__(self, message: str):
        super().__init__(" ".join(message.splitlines()))
