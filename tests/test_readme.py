"""The README against the program: commands, flags, presets."""

import dataclasses
import pathlib
import re
import shutil
import subprocess

import pytest

from progan_tf.config import TrainConfig
from progan_tf.config.presets import PRESETS

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def fenced_blocks():
    return re.findall(r"^```\w*\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_first_two_commands_are_one_line_each():
    install, check = fenced_blocks()[:2]
    assert install == (
        "pip install -e . && python -m progan_tf.train --preset=laptop\n"
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
    assert printed.stdout == fenced_blocks()[1]


def test_the_table_of_flags_is_that_of_the_program():
    rows = re.findall(r"^\| `--(\w+)` \| (.*?) \| (.*) \|$", README, re.M)
    listed = {name: (value, text) for name, value, text in rows}
    expected = {}
    for field in dataclasses.fields(TrainConfig):
        if field.metadata["flag"]:
            value = PRESETS["official"].get(field.name, field.default)
            value = "table" if isinstance(value, dict) else str(value)
            if field.type is bool:
                value = value.lower()
            expected[field.name] = (value, field.metadata["help"])
    del listed["dry_run"]
    assert listed == expected


def test_every_flag_in_a_command_exists():
    names = {field.name for field in dataclasses.fields(TrainConfig)}
    commands = "\n".join(fenced_blocks())
    used = re.findall(r"progan_tf\.train((?: --\S+)*)", commands)
    flags = re.findall(r"--(\w+)", " ".join(used))
    assert flags
    assert set(flags) <= names | {"dry_run"}


def test_every_preset_is_described():
    for preset in PRESETS:
        assert f"| `{preset}` |" in README
