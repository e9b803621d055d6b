"""Pages that lead into the code: what they name is there."""

import re

import pytest
from pages import ROOT, references

PAPER = ROOT / "docs" / "paper.md"
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
    table = rows(PAPER.read_text())
    assert len(table) > 40
    for statement, here, test in table:
        assert here.strip(), statement
        assert not missing(here) + missing(test), statement
        tested = references(test)
        assert all(path.startswith("tests/") for path, _ in tested), test
        assert {None} != {word for _, word in tested}, "it names no test"
        for path, word in tested:
            if word:
                text = (ROOT / path).read_text()
                assert re.search(rf"^def {word}\(", text, re.M), word
        if not test.strip():
            assert "not " in here or "--" in here, "who holds this?"


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
