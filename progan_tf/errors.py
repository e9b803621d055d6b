"""The one kind of error that is the user's to mend."""


class UserError(ValueError):
    """A mistake in what the user gave: a flag, a path, a file.

    Commands print it as one line and exit with 2. Almost every other exception
    is a fault of the program: see `faults`.

    Args:
        message: what was expected, what came and what to do. Line breaks
            (a path may hold some) become spaces: it is always one line.
    """

    def __init__(self, message: str):
        super().__init__(" ".join(message.splitlines()))
