"""Progress of long work, on a terminal and in a log."""

import io
import itertools
import sys

from progan_tf import progress as progress_module
from progan_tf.progress import progress


def test_lines_where_there_is_no_terminal(monkeypatch, capsys):
    clock = itertools.count(0, 4)  # Seconds; it is read once an item.
    monkeypatch.setattr(
        progress_module.time, "monotonic", lambda: float(next(clock))
    )
    items = list(progress("abcdefgh", 1000, "picture", "prepared"))
    assert items == list("abcdefgh")
    assert capsys.readouterr().err.splitlines() == [
        "prepared 2 of 1,000 pictures  0.1667 pictures/s  1:39:48 left",
        "prepared 5 of 1,000 pictures  0.2083 pictures/s  1:19:36 left",
    ]


def test_quick_work_says_nothing(capsys):
    assert list(progress(range(5), 5, "picture", "prepared")) == [*range(5)]
    assert capsys.readouterr().err == ""


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_on_a_terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(progress(range(5), 5, "picture", "prepared")) == [*range(5)]
    assert "prepared: 100%" in terminal.getvalue()
    assert "picture/s" in terminal.getvalue()
