"""Helpers of the benchmarks: separate processes, memory and tables."""

import multiprocessing
import os
import sys

from absl import flags

from progan_tf.errors import UserError


def run_apart(function, *arguments):
    """Call a function in a new process, so that it shares no memory.

    Returns what it returned, or None, and the status of the process, which is
    0 if it returned. Raises its UserError.
    """
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sending, function, arguments))
    process.start()
    sending.close()  # So that its end is seen when the process dies.
    try:
        result = receiving.recv()
    except EOFError:
        result = None
    process.join()
    if isinstance(result, UserError):
        raise result
    return result, process.exitcode


def _send(sending, function, arguments):
    # Only the table goes to stdout.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        result = function(*arguments)
    except UserError as error:
        result = error
    sending.send(result)


def process_memory():
    """The peak memory of this process so far, in bytes."""
    # Imported here, because Windows has no such module.
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in kibibytes, macOS in bytes.
    return most if sys.platform == "darwin" else most * 1024


def three_digits(number):
    """A number as text, with all digits before the point."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def four_digits(number):
    """A number rounded to the digits that a timing can support."""
    return float(f"{number:.4g}")


def table_line(values, headings):
    """A line of right-aligned cells, from a dict with the headings' keys."""
    cells = []
    for name, heading in headings.items():
        value = values[name]
        text = three_digits(value) if isinstance(value, float) else str(value)
        cells.append(f"{text:>{max(len(heading), 9)}}")
    return "  ".join(cells)


def markdown_row(cells):
    """A row of a Markdown table."""
    return f"| {' | '.join(map(str, cells))} |"


def words_of(flag, known):
    """The words of a list flag; raises UserError for one that is not known."""
    words = [word.strip() for word in flags.FLAGS[flag].value]
    for word in words or [""]:
        if word not in known:
            expected = f"--{flag} of {', '.join(known)}"
            raise UserError(f"expected {expected}; received {word!r}")
    return words
