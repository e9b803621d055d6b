"""The Markdown pages of the project, and the command lines in them."""

import pathlib
import re
import shlex

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [
    README,
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def name_of(path):
    """The path as it is written in the project, such as docs/use.md."""
    return path.relative_to(ROOT).as_posix()


def fenced_blocks(text, language=r"\w*"):
    """The contents of a page's fenced blocks, in one language or in any."""
    pattern = rf"^```{language}\n(.*?)^```$"
    return re.findall(pattern, text, re.MULTILINE | re.DOTALL)


def prose(text):
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def inline_code(text):
    """The code spans of a page's prose, each on one line."""
    spans = re.findall(r"`([^`]+)`", prose(text))
    return [" ".join(span.split()) for span in spans]


def command_lines(text):
    """Every command of a page as a list of words.

    From fenced shell blocks and from code spans that begin with `python`;
    comments, continued lines, `&&` and variables before a command are
    resolved as by a shell.
    """
    blocks = fenced_blocks(text, "bash")
    spans = [s for s in inline_code(text) if s.startswith("python ")]
    lines = "\n".join(blocks + spans).replace("\\\n", " ").splitlines()
    commands = []
    for line in lines:
        words = [*shlex.split(line, comments=True), "&&"]
        while words:
            end = words.index("&&")
            command, words = words[:end], words[end + 1 :]
            while command and re.match(r"[A-Z_]+=", command[0]):
                del command[0]
            if command:
                commands.append(command)
    return commands


def references(cell):
    """The files that a cell of a table names, and the names after each.

    Args:
        cell: Markdown, in which code spans that end with .py, .md or / are
            paths from the root, and those that are one word belong to the
            path before them.

    Returns:
        list of pairs (path, word): the path is None for words before any,
        and the word is None for the path itself.
    """
    path, pairs = None, []
    for span in inline_code(cell):
        if re.fullmatch(r"[\w./-]+(\.\w+|/)", span) and "/" in span:
            path = span
            pairs.append((path, None))
        elif re.fullmatch(r"\w+", span):
            pairs.append((path, span))
    return pairs
