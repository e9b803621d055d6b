"""Ctrl-C when no message can be printed."""

import signal
import sys

import pytest

from progan_tf.training.console import Progress
from progan_tf.training.devices import make_strategy
from progan_tf.training.stopping import StopRequest


class Gone:
    """An output whose reader went away."""

    def __init__(self, error):
        self.lines, self._error = 0, error

    def isatty(self):
        return False

    def write(self, text):
        self.lines += 1
        raise self._error


@pytest.mark.parametrize(
    ("number", "error"),
    [
        # Such as tee, which the same Ctrl-C ends.
        (signal.SIGINT, BrokenPipeError()),
        # A terminal that was closed.
        (signal.SIGHUP, OSError(5, "Input/output error")),
    ],
)
def test_a_stop_is_noted_where_the_reader_is_gone(monkeypatch, number, error):
    monkeypatch.setattr(sys, "stdout", Gone(error))
    progress = Progress(0, 1000)
    with StopRequest(make_strategy("CPU:0"), progress.say) as stop:
        signal.raise_signal(number)
        assert stop.made()
    progress.say("Stopped.")
    assert sys.stdout.lines == 1


def test_a_stop_is_noted_within_another_message():
    def refuse(text):
        # As Python does where a signal comes while a print waits.
        raise RuntimeError("reentrant call inside <_io.BufferedWriter>")

    with StopRequest(make_strategy("CPU:0"), refuse) as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.told


def test_what_is_ignored_stays_so():
    # As nohup does, so that a run outlives its terminal.
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest(make_strategy("CPU:0"), print) as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop.made()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, old)
