"""The prepare command: what it writes and prints."""

import signal
import time

import numpy as np
from processes import ROOT, started

GOLDENS = ROOT / "tests" / "goldens"
RECORDS = GOLDENS / "official_tfrecords"
PICTURES = GOLDENS / "official_tfrecords_png"
COMMAND = ["-m", "progan_tf.prepare"]
# The command with at most 20,000 bytes a file, as if the disk were full.
SHORT_OF_DISK = [
    "-c",
    "import resource, runpy, sys; "
    "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)); "
    "runpy.run_module('progan_tf.prepare', run_name='__main__')",
]


def run(*arguments, command=COMMAND):
    """(status, stdout, stderr) of the finished command."""
    process = started(*command, *arguments)
    stdout, stderr = process.communicate()
    return process.returncode, stdout, stderr


def assert_mistake(result, words):
    """It ended with status 2 and one line that has the words."""
    status, stdout, stderr = result
    assert (status, stdout) == (2, ""), stderr
    assert words in stderr
    assert len(stderr.splitlines()) == 1, stderr


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_prepare_inspect_verify(tmp_path):
    np.save(tmp_path / "labels.npy", np.arange(24) % 3)
    out = tmp_path / "official_tfrecords"
    status, stdout, stderr = run(
        f"--source={PICTURES}",
        f"--labels_file={tmp_path / 'labels.npy'}",
        f"--out={out}",
    )
    assert (status, stderr) == (0, "")
    assert stdout.startswith(f"{out}: 24 pictures, RGB, 32x32, tfrecords\n")
    assert names(out) == names(RECORDS)
    for path in RECORDS.iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes()
    status, described, stderr = run(f"--inspect={out}")
    samples = tmp_path / "official_tfrecords-samples.png"
    assert (status, stderr) == (0, "")
    assert described == f"{stdout}samples: {samples}\n"
    assert samples.stat().st_size > 1000
    whole = f"{out}: all 24 pictures are intact\n"
    assert run(f"--verify={out}") == (0, whole, "")


def test_flags(tmp_path):
    out = tmp_path / "cats"
    status, stdout, _ = run(
        "--source=cats",
        f"--out={out}",
        "--resolution=8",
        "--max_images=50",
        "--shuffle_seed=-1",
        "--channels=1",
        "--labels",
        "--format=compact",
    )
    assert status == 0
    assert stdout.startswith(f"{out}: 50 pictures, grey, 8x8, compact\n")
    labels = np.load(out / "labels.npy")
    np.testing.assert_array_equal(labels, np.arange(50) % 15)


def test_mistakes(tmp_path):
    source, out = f"--source={PICTURES}", f"--out={tmp_path / 'set'}"
    assert_mistake(run(), "one of --source, --inspect and --verify")
    assert_mistake(run("--inspect="), "--inspect is empty")
    assert_mistake(run(source), "--out=FOLDER")
    assert_mistake(run(source, f"--out={RECORDS}"), "--overwrite")
    assert_mistake(run(f"--inspect={tmp_path}"), "compact.json")
    assert_mistake(run(source, out, "--channels=4"), "--channels")
    assert_mistake(run(f"--source={tmp_path}", out), "lies within")
    assert names(tmp_path) == []


def test_full_disk(tmp_path):
    result = run(
        "--source=cats",
        f"--out={tmp_path / 'set'}",
        "--resolution=16",
        "--max_images=2000",
        command=SHORT_OF_DISK,
    )
    assert_mistake(result, "cannot write")
    assert names(tmp_path) == []


def test_killed_at_work(tmp_path):
    # Of 360,000 cats at 64x64, which takes minutes.
    arguments = ("--source=cats", f"--out={tmp_path / 'set'}")

    def start_and_wait():
        process = started(*COMMAND, *arguments, "--resolution=64")
        records = f".set.*-{process.pid}-*.tmp/set-r06.tfrecords"
        end = time.monotonic() + 120
        while not any(
            path.stat().st_size > 10**6 for path in tmp_path.glob(records)
        ):
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.05)
        return process

    process = start_and_wait()
    process.kill()
    process.communicate()
    assert len(names(tmp_path)) == 2
    # The next one begins anew, and being told to stop it tidies up.
    process = start_and_wait()
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate()
    assert process.returncode == 143
    assert "Traceback" not in stderr
    assert names(tmp_path) == []
