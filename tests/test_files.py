"""Files and folders that appear whole, and that one process writes."""

import multiprocessing
import subprocess
import sys
import threading
import time

import pytest

from progan_tf.errors import UserError
from progan_tf.files import only_writer

# What it is to be killed is tried with processes that start like a command.
PROCESSES = multiprocessing.get_context("spawn")


def _hold(path, beside, told):
    with only_writer(path, beside):
        told.set()
        time.sleep(60)


@pytest.fixture
def holder():
    """Function: another process that holds a path; it is killed at the end."""
    started = []

    def start(path, beside=False):
        told = PROCESSES.Event()
        process = PROCESSES.Process(target=_hold, args=(path, beside, told))
        process.start()
        started.append(process)
        assert told.wait(30)
        return process

    yield start
    for process in started:
        process.kill()
        process.join()


@pytest.mark.parametrize("beside", [False, True])
def test_a_lock_ends_with_its_process_and_leaves_nothing(
    tmp_path, holder, beside
):
    path = tmp_path / "folder"
    process = holder(path, beside)
    with pytest.raises(UserError, match="another command is writing"):
        with only_writer(path, beside):
            raise AssertionError("two have it")
    process.kill()
    process.join()
    assert [*tmp_path.rglob("*lock")]
    with only_writer(path, beside):
        pass
    assert not [*tmp_path.rglob("*lock")]


def test_a_file_and_the_folder_that_has_it_are_kept_apart(tmp_path, holder):
    holder(tmp_path)
    with only_writer(tmp_path / "file", beside=True):
        pass


def test_who_waits_never_shares_a_lock(tmp_path):
    # Removing the file must not part two that hold "the same" lock.
    inside, most = [], []

    def work():
        for _ in range(30):
            with only_writer(tmp_path / "x", beside=True, wait=True):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 120 and max(most) == 1
    assert not [*tmp_path.iterdir()]


def test_a_file_system_without_locks_still_works(tmp_path, monkeypatch):
    import filelock

    def none(descriptor, blocking):
        raise OSError("no locks available")

    monkeypatch.setattr(filelock, "lock_descriptor", none)
    with only_writer(tmp_path / "folder"):
        assert (tmp_path / "folder").is_dir()


def test_locks_and_signals_are_known_in_one_place():
    check = (
        "import sys; sys.modules['fcntl'] = None; import signal; "
        "del signal.SIGHUP; import progan_tf.files, progan_tf.command, "
        "progan_tf.generation.array_files, progan_tf.evaluation.log"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
