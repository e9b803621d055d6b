"""Nasty values for the flags of every command.

Whatever is given, a command ends with exit status 0, or with 2 and one line, or
runs until it is stopped. It neither changes existing files nor writes anywhere
but where it was told to. All commands are forked from one process that has
imported TensorFlow.
"""

import dataclasses
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from tiny import make_folder

from progan_tf.__main__ import COMMANDS
from progan_tf.config import TrainConfig
from progan_tf.flag_values import PATHS

ROOT = pathlib.Path(__file__).resolve().parent.parent
WEIGHTS = ROOT / "tests" / "goldens" / "official_16_labels.pkl"
SMALL = (
    "--resolution=8 --fmap_base=64 --fmap_max=8 --latent_size=32 "
    "--batch_size=8 --fade_kimg=0.016 --stable_kimg=0.016 --total_kimg=0.064 "
    "--precision=float32 --xla=off"
).split()
# A command line each that works and is quick; a value is added to it.
LINES = {
    "train": [*SMALL, "--data=../pics", "--run_dir=new", "--dry_run"],
    "generate": ["--run_dir=../run", "--seeds=0,1", "--out=new.png"],
    "walk": ["--run_dir=../run", "--seeds=0,1", "--out=new.png"],
    "film": ["--run_dir=../run", "--seconds=0.2", "--out=new.gif"],
    "project": [
        *("--run_dir=../run", "--target=seed:3", "--out=new"),
        *("--steps=2", "--starts=2", "--candidates=8"),
    ],
    "directions": ["--run_dir=../run", "--out=new", "--count=2"],
    "explore": ["--run_dir=../run", "--nobrowser", "--seconds=0.1"],
    "evaluate": [
        *("--images=../pics", "--data=../pics", "--metrics=ms_ssim"),
        *("--num_images=8", "--out=new", "--cache_dir=cache"),
    ],
    "export": ["--run_dir=../run", "--out=new.keras", "--format=keras"],
    "prepare": ["--source=../pics", "--out=new", "--resolution=4"],
    "convert": [f"--weights={WEIGHTS}", "--out=new.keras"],
}
NUMBERS = (
    *("nan", "-inf", "1e39", "1e-320", "-1", "0", "16", "9" * 20, "9" * 5000),
    *("2000000000", "1000000000", "4294967295", "0x10", "1_0", "3.5"),
)
TEXTS = ("", "x", "\udcff", "\u00fc\u2603", "a\nb", "$_$", "%s{}", "-", "*?[")
PLACES = (
    *("/", ".", "..", "~", "/dev/null", "/dev/full", "/proc/self/mem"),
    *("n" * 300, "d/" * 3000 + "x", "../pics", "../run", "../module"),
    *("../gen.keras", "../pics/none/x", "gs://x/y", "seed:x", "cats"),
    *("../file", "../file/x", "new.npz", "new.mp4", "tfds:", "celeba:~"),
)
OTHER_TEXTS = set("devices edit grid license name push seeds".split()) | {
    field.name for field in dataclasses.fields(TrainConfig)
} - {"data", "run_dir"}
VALUES = NUMBERS + TEXTS + PLACES


# Lines that once ended in a traceback, a hang, or worse.
FOUND = {
    "export": (
        "--run_dir= --out=m",
        "--run_dir=../run --out=/ --overwrite",
        "--generator=../fifo --out=m",
    ),
    "generate": (
        "--flagfile=../gen.keras",
        "--run_dir=../run --out=x.npz --seeds=0 --class=99999999999999999999",
        "--run_dir=../run --out=x.npz --seeds=0-9999999999",
        "--run_dir=../fifo --out=x.png",
        "--module=../fifo --out=x.png",
    ),
    "walk": (
        "--run_dir=../run --random=1 --out=w.gif --seconds=nan",
        "--run_dir=../run --random=1 --out=w.gif --smoothing=1000000000",
        "--run_dir=../run --random=1 --out=w.gif --grid=99999x99999",
    ),
    "film": ("--run_dir=../run --out=w.gif --seconds=nan",),
    "project": (
        "--run_dir=../run --target=seed:3 --out=new --starts=1000000000",
        "--run_dir=../run --target=seed:3 --out=new --candidates=1000000000",
        "--run_dir=../run --target=seed:3 --out=new --coarse_weight=nan",
        "--run_dir=../run --target=seed:3 --out=new --coarse_weight=1e39",
    ),
    "evaluate": ("--run_dir=../run --out=../run",),
    "prepare": (
        "--inspect=../set --out=/",
        "--inspect=../set --out=.",
        "--source=../pics --out=/ --resolution=4",
        "--source=../pics --out=x --labels_file=../fifo",
        "--source=../fifo --out=x",
    ),
    "convert": (
        "--weights=../run --format=run --out=/",
        "--weights=../fifo --out=x.keras",
    ),
    "train": (
        "--run_dir=n --data=../pics --latent_size=2000000000 --dry_run",
        f"--run_dir=n --data=../pics --batch_size={'9' * 29} --dry_run",
        f"--run_dir=n --data=../pics --devices=CPU:{'9' * 29} --dry_run",
        "--run_dir=n --data=../fifo --dry_run",
        "--run_dir=../loop --data=../pics --dry_run",
    ),
}


class Commands:
    """The process that forks them; `ran` counts."""

    def __init__(self, environment):
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "zygote.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )
        assert self._process.stdout.readline() == "ready\n"
        self.ran = 0

    def __call__(self, command, arguments, folder, seconds=15):
        self.ran += 1
        asked = {"command": command, "arguments": arguments}
        asked |= {"folder": str(folder), "seconds": seconds}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        with self._process:  # Which closes the pipes.
            self._process.stdin.close()


class World:
    """A folder with a run, a module and others; `try_line` works beside them.

    Args:
        folder: a new one.
    """

    def __init__(self, folder):
        self.folder, self.work = folder, folder / "work"
        for name in ("work", "home", "tmp"):
            (folder / name).mkdir()
        self.commands = Commands(
            {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
        )
        make_folder(folder / "pics", 40)
        (folder / "file").write_text("mine")
        for command, *line in (
            ("train", *SMALL, "--data=pics", "--run_dir=run"),
            ("export", "--run_dir=run", "--out=module"),
            ("prepare", "--source=pics", "--out=set", "--resolution=8"),
        ):
            answer = self.commands(command, line, folder, 120)
            assert answer["status"] == 0, answer
        shutil.copy(folder / "run" / "generator.keras", folder / "gen.keras")
        (folder / "link").symlink_to("nowhere")
        (folder / "loop").symlink_to("loop")
        os.mkfifo(folder / "fifo")
        self._before = self._given()

    def _given(self):
        given = {}
        for folder, _, names in os.walk(self.folder):
            top = os.path.relpath(folder, self.folder).split("/")[0]
            if top in ("work", "tmp"):
                continue
            for name in names:
                info = os.lstat(os.path.join(folder, name))
                given[os.path.relpath(f"{folder}/{name}", self.folder)] = (
                    info.st_size,
                    info.st_mtime_ns,
                )
        return given

    def wrong(self, command, arguments):
        """What is wrong with what a command line does; "" for nothing."""
        shutil.rmtree(self.work)
        self.work.mkdir()
        answer = self.commands(command, arguments, self.work)
        said, status = answer["errors"], answer["status"]
        if status not in (0, 2, 143) or "Traceback" in said:
            details = "".join(
                path.read_text()
                for path in (self.folder / "tmp").glob("progan_tf-fault-*")
            )
            shutil.rmtree(self.folder / "tmp")
            (self.folder / "tmp").mkdir()
            return f"status {status}: {said[-3000:]}{details[-3000:]}"
        lines = [x for x in said.splitlines() if ": error: " in x]
        if len(lines) != (status == 2) or max(map(len, lines), default=0) > 900:
            return f"status {status}, {len(lines)} lines: {said[-3000:]}"
        if self._given() != self._before:
            now = self._given()
            new = now.keys() - self._before.keys()
            for name in new:
                (self.folder / name).unlink()
            changed = {x for x, y in self._before.items() if now.get(x) != y}
            self._before = self._given()
            # What is beside the work it may be told to write to.
            if changed or not re.match("--(out|run_dir|cache)", arguments[-1]):
                return f"status {status}: changed {changed}, made {new}"
        return ""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    made.commands.close()


def flags_of(world, command):
    """The names of a command's flags, as --help tells them."""
    said = world.commands(command, ["--help"], world.work)["output"]
    return re.findall(r"^  --(?:\[no\])?(\w+):", said, re.M)


def lines(command, names):
    """Each flag with each value, in turn after the line that works."""
    for name in names:
        for value in VALUES:
            yield [*LINES[command], f"--{name}={value}"]


@pytest.mark.parametrize("command", FOUND)
def test_what_once_failed_is_told_in_a_line(world, command):
    for line in FOUND[command]:
        answer = world.commands(command, line.split(), world.work)
        assert answer["status"] == 2, (line, answer)
        assert answer["errors"].count(": error: ") == 1, (line, answer)


@pytest.mark.parametrize("command", LINES)
def test_some_of_all_values(world, command):
    assert world.wrong(command, LINES[command]) == ""
    every = list(lines(command, flags_of(world, command)))
    chosen = random.Random(command).sample(every, 20)
    wrong = {" ".join(line[-2:]): world.wrong(command, line) for line in chosen}
    assert not {line: what for line, what in wrong.items() if what}


def test_every_path_is_looked_at(world):
    assert LINES.keys() == set(COMMANDS)
    paths = set()
    for command in LINES:
        said = world.commands(command, ["--helpxml"], world.work)["output"]
        own = [flag for flag in ElementTree.fromstring(said).iter("flag")]
        # --help lists every flag of ours, not those of the command's file only.
        homes = [x.findtext("file") for x in own if not x.findtext("key")]
        assert not [home for home in homes if "progan_tf" in home], command
        named = {
            flag.findtext("name")
            for flag in own
            if flag.findtext("key") and flag.findtext("type") == "string"
        }
        # A new text flag is one or the other.
        assert named <= PATHS | OTHER_TEXTS, command
        paths |= named & PATHS
        for name in named & PATHS:
            for value in ("", "n" * 300, "\udcff"):
                line = [*LINES[command], f"--{name}={value}"]
                answer = world.commands(command, line, world.work)
                assert answer["status"] == 2, (command, name, value)
                assert f"--{name}" in answer["errors"]
    assert paths == PATHS
