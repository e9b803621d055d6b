"""Pages about the code: whatever they name exists."""

import re

import pytest
from pages import ROOT, references

PAPER = ROOT / "docs" / "paper.md"
SAFETY = ROOT / "docs" / "safety.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"


def rows(text):
    """The cells of every row of every table of a page, without the heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    return [
        row
        for row, below in zip(cells, [*cells[1:], ["end"]], strict=True)
        if not set("".join(row)) <= set("-")
        and not set("".join(below)) <= set("-")
    ]


def missing(cell):
    """What a cell names that is not there."""
    lost = []
    for path, word in references(cell):
        place = ROOT / path if path else None
        if place is None or not place.exists():
            lost.append(path or word)
        elif word and place.is_file():
            if not re.search(rf"\b{word}\b", place.read_text()):
                lost.append(f"{path} {word}")
    return lost


def test_paper_leads_to_code_and_tests():
    # What follows is about measurements.
    text, _, rest = PAPER.read_text().partition("\n## What was measured here")
    assert rest
    table = rows(text)
    assert len(table) > 40
    for statement, here, test in table:
        assert here.strip(), statement
        assert not missing(here) + missing(test), statement
        if test.strip():
            assert_are_tests(test)
        else:
            assert "not " in here or "--" in here, "who holds this?"


def assert_are_tests(cell):
    """A cell names tests, each behind its file."""
    pairs = references(cell)
    assert any(word for _, word in pairs), f"{cell} names no test"
    for path, word in pairs:
        assert path.startswith("tests/"), path
        if word:
            text = (ROOT / path).read_text()
            assert re.search(rf"^def {word}\(", text, re.M), word


@pytest.mark.parametrize("section", ["1 and 2", "3", "4", "5", "6"])
def test_paper_has_every_section(section):
    assert f"\n## {section}: " in PAPER.read_text()
    for appendix in "ABC":
        assert f"\n## Appendix {appendix}: " in PAPER.read_text()


def test_what_is_to_be_touched_is_there():
    section = CONTRIBUTING.read_text().split("\n## ")
    (section,) = [text for text in section if text.startswith("To add ...")]
    table = rows(section)
    assert len(table) >= 7
    for kind, touch, newest in table:
        assert not missing(touch) + missing(newest), kind
        # Files, and folders that a new one is put in.
        touched = {path for path, word in references(touch) if word is None}
        assert 1 <= len(touched) <= 3, kind
        assert references(newest), kind


def test_what_is_said_to_be_safe_has_code_and_a_test():
    table = rows(SAFETY.read_text())
    assert len(table) > 10
    for kind, _, done, code, test in table:
        assert done.strip(), kind
        assert references(code), kind
        assert not missing(code) + missing(test), kind
        assert_are_tests(test)
