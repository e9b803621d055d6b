"""Being told to stop by signals, such as Ctrl-C; nothing else knows them."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

# Ctrl-C, what a system or scheduler sends, and what comes when a terminal is
# closed or its connection is lost, which not every system has.
_STOPS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)
)
# How long to wait for a function that has swallowed an exception.
_SWALLOWED_SECONDS = 0.1
_told = []  # Signals that were to end this process.


def status(number: int) -> int:
    """The exit status of a process that a signal ended, as shells count."""
    return 128 + number


def leave_at_once() -> None:
    """From now on Ctrl-C ends the process without a word.

    For when nothing is begun or all is done: libraries that are just being
    imported turn an exception into something else, or print it.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda number, _: os._exit(status(number)))


def end_when_told() -> None:
    """From now on signals end the process through all that cleans up.

    Ctrl-C raises KeyboardInterrupt, the others SystemExit. What is ignored, as
    a closed terminal under nohup, stays so.
    """
    sys.unraisablehook = _raise_again
    for number in _STOPS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def told() -> int | None:
    """The status of the signal that was to end this process, if one was."""
    return status(_told[0]) if _told else None


@contextlib.contextmanager
def handled(handler: Callable) -> Iterator[None]:
    """Calls a function when told to stop, in place of ending the process.

    It gets the signal's number and the frame. What is ignored stays so. Python
    gives signals to the main thread alone; in others nothing is done.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in _STOPS:
            old = signal.getsignal(number)
            if old is not signal.SIG_IGN:
                signal.signal(number, handler)
                before[number] = old
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextlib.contextmanager
def told_to_stop() -> Iterator[list[int]]:
    """Yields a list of the signals that come; work looks at it, ends early."""
    numbers = []
    with handled(lambda number, frame: numbers.append(number)):
        yield numbers


def _end(number, frame):
    """Leave through everything that cleans up, which is not interrupted."""
    _told.append(number)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    signal.signal(number, signal.SIG_IGN)
    sys.exit(status(number))


def _raise_again(unraisable):
    """What was raised where no exception can leave, as within TensorFlow."""
    if not isinstance(unraisable.exc_value, (SystemExit, KeyboardInterrupt)):
        sys.__unraisablehook__(unraisable)
    elif _told:
        number = _told[-1]
        signal.signal(number, _end)
        again = threading.Timer(_SWALLOWED_SECONDS, _raise_signal, (number,))
        again.daemon = True
        again.start()


def _raise_signal(number):
    """To the main thread, which may be waiting for something."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, number)
    else:
        signal.raise_signal(number)
