"""The data benchmark prints what it promises; no time is asserted."""

import re

from processes import assert_mistake, run_benchmark


def table(text):
    """The cells of a Markdown table, without the line below its head."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines()]
    assert set(rows.pop(1)) == {"---"}
    assert len({len(row) for row in rows}) == 1
    return rows


def number(text):
    return float(text.replace(",", ""))


def test_speed():
    done = run_benchmark("data", "--pictures=16", "--resolution=4")
    assert (done.returncode, done.stderr) == (0, "")
    head, cells = table(done.stdout)
    assert head == [
        *("resolution", "trainer", "cats", "png", "jpeg", "cached"),
        *("official", "compact"),
    ]
    assert cells[0] == "4x4"
    eaten = number(cells[1])
    for cell in cells[2:]:
        rate, ratio = re.fullmatch(
            r"([\d.,e+]+) \(([\d.,e+]+)x\)", cell
        ).groups()
        # Of numbers that are printed with three digits.
        assert abs(number(rate) / eaten / number(ratio) - 1) < 0.02


def test_memory():
    done = run_benchmark("data", "--records=300")
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = table(done.stdout)
    assert [row[:2] for row in rows] == [
        ["tfrecords", "300"],
        ["compact", "300"],
    ]
    # The official sizes of records of 4x4 to 32x32.
    megabytes = 300 * (98 + 247 + 823 + 3127) / 1e6
    assert abs(number(rows[0][2]) - megabytes) < 0.01
    for row in rows:
        before, most = number(row[3]), number(row[4])
        assert 10 < before <= most < 1000


def test_mistakes():
    for mistake, words in (
        ("--resolution=4,512", "'512'"),
        ("--source=dogs", "'dogs'"),
        ("--pictures=2", "pictures"),
    ):
        assert_mistake(run_benchmark("data", mistake), words)
