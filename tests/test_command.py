"""How commands end: user errors, bugs, signals, and closed streams."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

# A command that does one thing.
SCRIPT = """
import os, signal, sys, weakref
from absl import flags
from progan_tf import command
from progan_tf.errors import UserError
def define_flags():
    flags.DEFINE_float("weight", 1.0, "a number")
    flags.DEFINE_integer("count", 1, "a number")
    flags.DEFINE_string("out", None, "a path")
    flags.DEFINE_string("data", None, "a path, perhaps")
    flags.DEFINE_string("name", None, "a text")
def main():
    {}
command.run(main, define_flags)
"""


def run(work, *arguments, shell="", **environment):
    """Runs the script; with `shell` as `sh -c 'script shell'`."""
    command = [sys.executable, "-c", SCRIPT.format(work), *arguments]
    if shell:
        command = ["sh", "-c", f'exec "$@" {shell}', "sh", *command]
    return subprocess.run(
        command,
        env=ENVIRONMENT | environment,
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("flag", ["--help", "--helpfull", "--helpxml"])
def test_asking_for_help_is_no_mistake(flag):
    result = run("print('went on')", flag)
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"weight" in result.stdout and b"went on" not in result.stdout


def test_success_and_mistakes():
    assert run("print(flags.FLAGS.weight)").stdout == b"1.0\n"
    assert run("return 3").returncode == 3
    result = run("raise UserError('no such\\nthing')")
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr == b"-c: error: no such thing\n"
    result = run("raise UserError('no such thing')", "--debug")
    assert result.stderr.count(b"Traceback") == 1
    assert result.stderr.endswith(b"-c: error: no such thing\n")


def test_a_fault_is_one_line_and_a_file(tmp_path):
    result = run("{}['key']", "--name=x y", TMPDIR=str(tmp_path))
    assert result.returncode == 70
    (path,) = tmp_path.iterdir()
    assert result.stderr.decode() == (
        "-c: error: an internal error of the program, not yours: KeyError: "
        f"'key'; the details for a bug report are in {path}\n"
    )
    details = path.read_text()
    assert "'--name=x y'" in details and "tensorflow 2" in details
    assert "Traceback" in details and "Python 3" in details
    result = run("{}['key']", TMPDIR="/proc/none", HOME="/proc/none")
    assert result.returncode == 70 and b"Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("OSError(28, 'No space left on device', 'x/y')", "x/y: No space left"),
        ("PermissionError(13, 'Permission denied', 'x')", "x: Permission deni"),
        ("MemoryError('Unable to allocate 1 TiB')", "not enough memory"),
        ("0; 'a\\udcff'.encode()", r"'a\udcff' is not UTF-8"),
    ],
)
def test_what_the_system_refuses_is_no_fault(error, said):
    result = run(error if ";" in error else f"raise {error}")
    assert result.returncode == 2, result.stderr
    assert said in result.stderr.decode() and result.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ResourceExhaustedError", "not enough memory (OOM in"),
        ("UnavailableError", "another worker is gone (OOM in"),
        ("InternalError", "an internal error of the program"),
    ],
)
def test_errors_of_tensorflow(name, said):
    work = (
        f"error = type('{name}', (Exception,), dict()); "
        "error.__module__ = 'tensorflow.errors'; "
        r"raise error(chr(123) * 2 + 'function_node a' + chr(125) * 2 + "
        r"' OOM in x [Op:Y]\nstack')"
    )
    result = run(work, TF_CONFIG="[]")
    assert said in result.stderr.decode() and b"{{" not in result.stderr


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--weight=nan", "--weight to be a number up to 1,000,000,000;"),
        ("--weight=-inf", "received -inf"),
        ("--weight=1e39", "received 1e+39"),
        (f"--count={'9' * 20}", "--count to be a number up to 4,294,967,295"),
        ("--out=", "--out is empty: expected a path"),
        ("--out=" + "n" * 300, "a name is too long"),
        ("--out=d/" + "n" * 300, "a name is too long"),
        ("--data=celeba:" + "n" * 300, "a name is too long"),
        ("--out=gs://bucket/x", "is an address"),
        ("--name=\udcff", "is not UTF-8"),
        ("--out=\udcff", "is not UTF-8"),
        (f"--flagfile={sys.executable}", "a text file in UTF-8 as --flagfile"),
        ("--nothing=1", "nothing"),
        ("more", "unexpected argument 'more'"),
        ("--count=" + "9" * 5000, "9...9"),
    ],
)
def test_values_of_flags(flag, said):
    result = run("print('went on')", flag)
    assert (result.returncode, result.stdout) == (2, b""), flag
    assert said in result.stderr.decode() and len(result.stderr) < 1000
    assert b"Traceback" not in result.stderr


def test_a_link_to_itself(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    result = run("print('went on')", f"--out={tmp_path}/loop/x")
    assert result.returncode == 2 and b"symbolic links" in result.stderr


def test_the_home_folder_in_a_path(tmp_path):
    work = "print(flags.FLAGS.out, flags.FLAGS.data, flags.FLAGS.name)"
    given = "--out=~/x", "--data=celeba:~/y", "--name=~/z"
    result = run(work, *given, HOME=str(tmp_path))
    assert result.stdout.decode() == f"{tmp_path}/x celeba:{tmp_path}/y ~/z\n"


def test_a_folder_that_may_not_be_entered(tmp_path):
    # In a child that is not root, for whom no folder is closed.
    if os.geteuid() == 0:
        user = "os.setgid(65534); os.setuid(65534)"
    else:
        user = "pass"
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    for above in (tmp_path, *tmp_path.parents[:3]):
        if above.stat().st_uid == os.geteuid() and above != above.parent:
            above.chmod(above.stat().st_mode | 0o055)
    script = SCRIPT.format("print('went on')").replace(
        "def main", f"{user}\ndef main"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, f"--out={closed}/x/y"],
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
    )
    assert result.returncode == 2, result.stderr
    assert b"closed/x/y: Permission denied" in result.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("shell", "status", "said"),
    [
        (">&-", 0, b""),
        ("2>&-", 0, b""),
        ("<&- >&- 2>&-", 0, b""),
        (">/dev/full", 2, b"No space left on device"),
        ("2>/dev/full", 0, b""),
    ],
)
def test_streams_that_are_closed_or_full(
    tmp_path, unbuffered, shell, status, said
):
    path = tmp_path / "file"
    # The first number that is free is that of a closed stream.
    work = (
        f"file = open({str(path)!r}, 'w'); os.write(1, b'text'); "
        "print('text'); file.write('mine'); file.close()"
    )
    if shell == ">/dev/full":
        work = "print('text')"
    result = run(work, shell=shell, PYTHONUNBUFFERED=unbuffered)
    assert result.returncode == status and said in result.stderr
    assert b"Traceback" not in result.stderr + result.stdout
    assert b"Exception ignored" not in result.stderr
    if status == 0:
        assert path.read_text() == "mine"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away(unbuffered):
    # In a shell, which starts the reader and tells both statuses.
    script = SCRIPT.format("[print('text', i) for i in range(100000)]")
    result = subprocess.run(
        ["bash", "-c", '"$@" | head -n 1; exit ${PIPESTATUS[0]}', "bash"]
        + [sys.executable, "-c", script],
        env=ENVIRONMENT | {"PYTHONUNBUFFERED": unbuffered},
        capture_output=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (141, b"")
    assert result.stdout == b"text 0\n"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
def test_consoles_that_lack_letters(encoding):
    result = run(
        r"print('\u2603 \udcff'); raise UserError('\u2603 \udcff')",
        PYTHONIOENCODING=encoding,
    )
    assert result.returncode == 2 and b"Traceback" not in result.stderr
    assert rb"\udcff" in result.stdout and rb"\udcff" in result.stderr


def test_settings_of_other_programs_do_not_count():
    work = "print(os.environ['KERAS_BACKEND'], os.environ['MPLBACKEND'])"
    told = {"KERAS_BACKEND": "torch", "MPLBACKEND": "module://nowhere"}
    assert run(work, **told).stdout == b"tensorflow Agg\n"


# Signals.


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
@pytest.mark.parametrize("swallowed", [False, True])
def test_signals_end_it_quietly(number, status, swallowed):
    work = f"signal.raise_signal({number.value})"
    if swallowed:
        # As within TensorFlow: what is raised in a callback gets nowhere.
        work = f"x = frozenset([7]); weakref.finalize(x, lambda: {work}); x = 0"
    work += "\n    import time; time.sleep(3); print('went on')"
    start = time.monotonic()
    result = run(work)
    assert (result.returncode, result.stdout) == (status, b"")
    assert b"Traceback" not in result.stderr
    assert time.monotonic() - start < 3


@pytest.mark.parametrize("command", ["train", "evaluate", "export"])
def test_ctrl_c_while_it_starts(tmp_path, command):
    """Wherever it comes, from when the package is being imported on."""
    answers = []
    for seconds in (0.1, 0.2, 0.3, 0.5, 0.8):
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", f"progan_tf.{command}"]
            + ["--resolution=8", "--run_dir=x"],
            cwd=tmp_path,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        # Before it Python itself starts, which nobody can make quiet.
        for line in process.stderr:
            if b"progan_tf.signals" in line:
                break
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        answers.append(process.returncode)
        assert b"Traceback" not in said, said
    # 2 for a run that is not there; -2 where Python was already gone.
    assert set(answers) <= {130, 2, -2}
