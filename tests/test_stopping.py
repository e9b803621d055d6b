"""Ctrl-C while nobody can be told of it."""

import signal
import sys

from progan_tf.devices import make_strategy
from progan_tf.run_log import Progress
from progan_tf.stopping import StopRequest


class Gone:
    """A pipe whose reader, such as tee, was ended by the same Ctrl-C."""

    def __init__(self):
        self.lines = 0

    def isatty(self):
        return False

    def write(self, text):
        self.lines += 1
        raise BrokenPipeError

    def flush(self):
        raise BrokenPipeError


def test_a_stop_is_noted_where_the_reader_is_gone(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Gone())
    progress = Progress(0, 1000)
    with StopRequest(make_strategy("CPU:0"), progress.say) as stop:
        signal.raise_signal(signal.SIGINT)
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
