"""README and docs/ against the program: commands, flags, presets, links."""

import dataclasses
import functools
import importlib
import itertools
import json
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser

import pytest
from pages import (
    PAGES,
    README,
    ROOT,
    command_lines,
    fenced_blocks,
    inline_code,
    name_of,
    prose,
)

from progan_tf.__main__ import COMMANDS
from progan_tf.config import TrainConfig
from progan_tf.config.presets import PRESETS
from progan_tf.data.sources import SOURCES
from progan_tf.evaluation.measures import NAMES
from progan_tf.export.formats import FORMATS
from progan_tf.losses import LOSSES, PENALTIES

TRAINING = (ROOT / "docs" / "training.md").read_text()
every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)

# Defines the flags of a command as it does itself, and has absl parse each
# command line and the examples of its --help. Prints what absl says to each,
# nothing where all is well, and the names of all flags.
PARSE = r"""
import importlib, json, re, shlex, sys
from absl import flags

named, lines = sys.argv[1], json.loads(sys.argv[2])
target = named
if target.endswith(".py"):
    sys.path.insert(0, "benchmarks")
    target = target.removesuffix(".py").split("/")[-1]
elif target == "progan_tf.export":
    target += ".__main__"
module = importlib.import_module(target)
module.define_flags()
# Long examples go on in the next line; a remark follows after more spaces.
doc = re.sub(r"\n +(?=--)", " ", module.__doc__)
example = rf"^  python (?:-m )?{named} (--.+?)(?:  .*| >.*)?$"
examples = re.findall(example, doc, re.M)
answers = []
for line in lines + [shlex.split(words) for words in examples]:
    try:
        rest = flags.FLAGS([target, *line])[1:]
        answers.append(f"unexpected {rest}" if rest else "")
    except flags.Error as error:
        answers.append(str(error))
    flags.FLAGS.unparse_flags()
print(json.dumps([answers, sorted(flags.FLAGS)]))
"""


def calls():
    """(page, program, arguments) of each call of a program of this project.

    The program is a module such as progan_tf.train, or a file.
    """
    for page in PAGES:
        for words in command_lines(page.read_text()):
            if words[0] == "python" and words[1] == "-m":
                yield name_of(page), words[2], words[3:]
            elif words[0] == "python":
                yield name_of(page), words[1], words[2:]


@functools.cache
def parsed(program):
    """What absl says to a program's lines in the pages and in its --help.

    Returns:
        (lines, messages, flags): lists of the arguments in the pages, of what
        absl says to these and then to the examples of --help, and of all flags.
    """
    lines = [arguments for _, named, arguments in calls() if named == program]
    answer = subprocess.run(
        [sys.executable, "-c", PARSE, program, json.dumps(lines)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return lines, *json.loads(answer.stdout.splitlines()[-1])


def test_the_first_two_commands_are_one_line_each():
    install, check = fenced_blocks(README.read_text())[:2]
    assert install == (
        "pip install -e . && python -m progan_tf.generate --out=grid.png\n"
    )
    assert check.count("\n") == 1
    assert check.endswith("&& python -m pytest\n")


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_ci_runs_the_second_command():
    printed = subprocess.run(
        ["bash", str(ROOT / ".ci" / "run"), "--print"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout == fenced_blocks(README.read_text())[1]


def test_readme_is_a_door():
    text = README.read_text()
    assert len(text.splitlines()) <= 110
    for page in PAGES[1:]:
        assert f"({name_of(page)}" in text, "README has no link to it"


def test_pages_of_commands_start_with_one():
    without = {"paper.md", "safety.md"}
    for page in sorted({*(ROOT / "docs").glob("*.md")}):
        if page.name not in without:
            second = page.read_text().splitlines()[2]
            assert second == "```bash", page.name


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command):
    lines, messages, _ = parsed(f"progan_tf.{command}")
    assert lines, "no page shows it"
    assert len(messages) > len(lines), "--help has no examples"
    assert not any(messages), lines


def test_other_programs_exist():
    programs = {program for _, program, _ in calls()} - {"pytest"}
    modules = {f"progan_tf.{command}" for command in COMMANDS}
    files = programs - modules - {"progan_tf"}
    assert files
    for file in files:
        assert (ROOT / file).is_file()
        _, messages, _ = parsed(file)
        assert not any(messages)


def test_settings_of_training_commands_are_valid(tmp_path):
    check = [
        "from progan_tf import settings",
        "from progan_tf.config import resolve, TrainConfig",
        "from absl import flags",
        "settings.define_flags(flags, TrainConfig)",
        "flags.DEFINE_boolean('dry_run', False, '')",
        "flags.DEFINE_string('preview_augment', None, '')",
        "import json, sys",
        "for line in json.loads(sys.argv[1]):",
        "    flags.FLAGS(['train', *line])",
        "    given = settings.given_flags(flags.FLAGS, TrainConfig)",
        "    resolve(given.pop('preset', 'official'), given)",
        "    flags.FLAGS.unparse_flags()",
        "print('all valid')",
    ]
    lines = [a for _, p, a in calls() if p == "progan_tf.train"]
    answer = subprocess.run(
        [sys.executable, "-c", "\n".join(check), json.dumps(lines)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout == "all valid\n", answer.stderr


def test_every_flag_in_the_text_exists():
    known = {"help", "debug"}  # Of every command.
    for command in COMMANDS:
        known |= set(parsed(f"progan_tf.{command}")[2])
    known |= {f"no{name}" for name in known}
    for program in {p for _, p, _ in calls() if p.endswith(".py")}:
        known |= set(parsed(program)[2])
    for page in PAGES:
        named = [
            flag
            for span in inline_code(page.read_text())
            if not span.startswith(("bash ", "pip "))
            for flag in re.findall(r"(?:^| )--(\w+)", span)
        ]
        assert set(named) <= known, name_of(page)


@every_page
def test_extras_exist(page):
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = re.findall(r'pip install -e "\.\[([\w,]+)\]"', page.read_text())
    named = set(itertools.chain(*(extra.split(",") for extra in extras)))
    assert named <= set(setup["options.extras_require"])


@every_page
def test_python_blocks_import_what_exists(page):
    for block in fenced_blocks(page.read_text(), "python"):
        compile(block, page.name, "exec")
        for module in re.findall(r"^import (progan_tf\S*)", block, re.M):
            importlib.import_module(module)
        imports = re.findall(r"^from (progan_tf\S*) import (.+)", block, re.M)
        for module, names in imports:
            for name in names.split(", "):
                assert hasattr(importlib.import_module(module), name)


@every_page
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text())):
        if "://" in link:
            continue
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if heading:
            headings = re.findall(r"^#+ (.+)$", target.read_text(), re.M)
            assert heading in map(anchor, headings), link


def anchor(heading):
    """The part of an address after # that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_every_picture_of_docs_is_shown():
    text = "".join(page.read_text() for page in PAGES)
    for picture in (ROOT / "docs").glob("*.png"):
        assert picture.name in text


def test_the_table_of_flags_is_that_of_the_program():
    (table,) = re.findall(
        r"^\| flag \| official .*\n(?:\|.*\n)+", TRAINING, re.M
    )
    rows = re.findall(r"^\| `--(\w+)` \| (.*?) \| (.*) \|$", table, re.M)
    listed = {name: (value, text) for name, value, text in rows}
    expected = {}
    for field in dataclasses.fields(TrainConfig):
        if field.metadata["flag"]:
            value = PRESETS["official"].get(field.name, field.default)
            value = "table" if isinstance(value, dict) else str(value)
            if value == "None":  # What its text explains.
                value = ""
            if field.type is bool:
                value = value.lower()
            expected[field.name] = (value, field.metadata["help"])
    del listed["dry_run"], listed["preview_augment"]
    assert listed == expected


def test_flags_that_may_change_when_a_run_resumes_are_listed():
    (listed,) = re.findall(
        r"^These flags say (.*?)\. Any", TRAINING, re.M | re.S
    )
    free = {
        field.name
        for field in dataclasses.fields(TrainConfig)
        if field.metadata["free"] and field.metadata["flag"]
    }
    # Where the run is, it is told by --run_dir itself.
    assert set(re.findall(r"`--(\w+)`", listed)) == free - {"run_dir"}


def test_every_preset_is_described():
    for preset in PRESETS:
        assert f"| `{preset}` |" in TRAINING


def test_every_name_of_a_table_is_described():
    texts = {page.name: page.read_text() for page in PAGES}
    for name in NAMES:
        assert f"| `{name}` |" in texts["metrics.md"]
    for name in [*LOSSES, *PENALTIES]:
        assert f"| `{name}` |" in TRAINING
    for name in FORMATS.keys() - {"hub"}:
        assert f"--format={name} " in texts["use.md"]
    data = " ".join(texts["data.md"].split())
    for kind in SOURCES:
        if kind.prefix:
            assert f"`{kind.prefix}" in data
