"""Handling of stop signals, such as Ctrl-C; no other module does so."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

# Ctrl-C; what the system or a scheduler sends; and what a closed terminal or a
# lost connection causes, which not every system has.
_STOPS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)
)
# How long to wait before a signal whose exception was swallowed is sent again.
_SWALLOWED_SECONDS = 0.1
_told = []  # Received signals that should end this process.


def status(number: int) -> int:
    """The exit status of a process that a signal ended, as in shells."""
    return 128 + number


def leave_at_once() -> None:
    """From now on Ctrl-C ends the process at once and silently.

    For start and end, with nothing to clean up: libraries that are being
    imported turn an exception into another one, or print it.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda number, _: os._exit(status(number)))


def end_when_told() -> None:
    """From now on signals end the process by exceptions, so it cleans up.

    Ctrl-C raises KeyboardInterrupt, the others SystemExit. Ignored signals,
    such as SIGHUP under nohup, stay ignored.
    """
    sys.unraisablehook = _raise_again
    for number in _STOPS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def told() -> int | None:
    """The exit status of the first signal to end this process, or None."""
    return status(_told[0]) if _told else None


@contextlib.contextmanager
def handled(handler: Callable) -> Iterator[None]:
    """Calls a function on stop signals, instead of ending the process.

    It gets the signal's number and the frame. Ignored signals stay ignored.
    Python handles signals in the main thread; in others this does nothing.
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
    """Yields a list that collects signals; the work polls it to end early."""
    numbers = []
    with handled(lambda number, frame: numbers.append(number)):
        yield numbers


def _end(number, frame):
    """Raise the exception that ends the process, after cleaning up."""
    _told.append(number)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    # So that cleaning up is not interrupted.
    signal.signal(number, signal.SIG_IGN)
    sys.exit(status(number))


def _raise_again(unraisable):
    """Send a signal again whose exception was lost, as within TensorFlow."""
    if not isinstance(unraisable.exc_value, (SystemExit, KeyboardInterrupt)):
        sys.__unraisablehook__(unraisable)
    elif _told:
        number = _told[-1]
        signal.signal(number, _end)
        again = threading.Timer(_SWALLOWED_SECONDS, _raise_signal, (number,))
        again.daemon = True
        again.start()


def _raise_signal(number):
    """Send a signal to the main thread, which may be blocked."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, number)
    else:
        signal.raise_signal(number)
