"""Files and folders are written atomically, by one process at a time."""

import multiprocessing
import os
import pathlib
import subprocess
import sys
import threading
import time

import pytest

from progan_tf.errors import UserError
from progan_tf.files import (
    is_free,
    making,
    only_writer,
    put_back,
    replacing,
    replacing_folder,
)

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


# What a kill leaves.


def _write_for_ever(folder, told):
    with (
        replacing(folder / "picture.png") as file,
        replacing_folder(folder / "run") as run,
        replacing_folder(folder / "mine") as mine,
    ):
        for path in (file, run / "config.json", mine / "saved_model.pb"):
            path.write_text("half")
        told.set()
        time.sleep(60)


def names(folder):
    return sorted(os.listdir(folder))


@pytest.fixture
def killed(tmp_path):
    """A folder in which a process was killed that wrote a file and folders."""
    (tmp_path / "mine").mkdir()
    told = PROCESSES.Event()
    process = PROCESSES.Process(target=_write_for_ever, args=(tmp_path, told))
    process.start()
    assert told.wait(30)
    yield tmp_path, process
    process.kill()
    process.join()


def test_the_next_writer_cleans_up_behind_a_killed_one(killed):
    folder, process = killed
    before = names(folder)
    assert len(before) == 4 and len(names(folder / "mine")) == 2
    # As long as it lives it is left alone, and the rest works on.
    with replacing(folder / "a") as temporary:
        temporary.write_text("a")
    assert names(folder) == sorted([*before, "a"])
    process.kill()
    process.join()
    with PROCESSES.Pool(1) as pool:
        pool.apply(_write, (folder, "b"))
    assert names(folder) == [".run.lock", "a", "b", "mine"]
    for name in ("mine", "run"):
        assert is_free(folder / name)
        with replacing_folder(folder / name) as new:
            (new / "x").write_text("x")
        assert names(folder / name) == ["x"]
    assert names(folder) == ["a", "b", "mine", "run"]


def _write(folder, name):
    with replacing(folder / name) as temporary:
        temporary.write_text(name)


def test_long_names(tmp_path):
    for name in ("n" * 255, "n" * 200 + "." + "x" * 54, "\u540d" * 85):
        _write(tmp_path, name)
        assert (tmp_path / name).read_text() == name


# Folders that appear whole.


def _set(folder, text, **how):
    with replacing_folder(folder, **how) as new:
        (new / "part").mkdir()
        (new / "part" / "file").write_text(text)


def _text(folder):
    return (folder / "part" / "file").read_text()


def test_a_folder_appears_whole_with_those_above_it(tmp_path):
    path = tmp_path / "a" / "b" / "set"
    with replacing_folder(path) as new:
        assert new.parent == path.parent and not path.exists()
        (new / "file").write_text("1")
    assert names(path) == ["file"] and names(path.parent) == ["set"]
    with pytest.raises(ZeroDivisionError):
        with replacing_folder(tmp_path / "c" / "d" / "set") as new:
            (new / "file").write_text("1")
            raise ZeroDivisionError
    assert names(tmp_path) == ["a"]


def test_an_empty_folder_is_written_into(tmp_path, monkeypatch):
    path = tmp_path / "mine"
    path.mkdir(mode=0o750)
    node = path.stat().st_ino
    monkeypatch.chdir(path)
    _set(".", "1")
    # It may be where a shell stands, or a file system of its own.
    assert (path.stat().st_ino, path.stat().st_mode & 0o777) == (node, 0o750)
    assert names(tmp_path) == ["mine"] and names(".") == ["part"]
    with pytest.raises(UserError, match="is there already"):
        _set(".", "2")
    assert _text(path) == "1"


def test_a_link_stays_one(tmp_path):
    (tmp_path / "link").symlink_to("set")
    assert is_free(tmp_path / "link")
    for text in ("1", "2"):
        _set(tmp_path / "link", text, overwrite=True)
        assert (tmp_path / "link").is_symlink()
        assert _text(tmp_path / "set") == text
    assert names(tmp_path) == ["link", "set"]


@pytest.mark.parametrize("fails_at", [1, 2])
@pytest.mark.parametrize("error", [OSError(5, "Input/output"), SystemExit(143)])
def test_a_replacement_that_fails_is_undone(
    tmp_path, monkeypatch, fails_at, error
):
    out = tmp_path / "set"
    _set(out, "old")
    rename, calls = pathlib.Path.rename, []

    def failing(path, target):
        calls.append(path)
        if len(calls) == fails_at:
            raise error
        return rename(path, target)

    monkeypatch.setattr(pathlib.Path, "rename", failing)
    with pytest.raises((UserError, SystemExit), match="Input/output|143"):
        _set(out, "new", overwrite=True)
    assert _text(out) == "old"
    assert names(tmp_path) == ["set"]


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("last", [1, 2])
def test_a_kill_at_any_rename_loses_nothing(tmp_path, empty, last):
    out = tmp_path / "set"
    if empty:
        out.mkdir()
    else:
        _set(out, "old")
    script = f"""
import os, pathlib
from progan_tf.files import replacing_folder
rename, calls = pathlib.Path.rename, []
def dying(path, target):
    rename(path, target)
    calls.append(path)
    if len(calls) == {last}:
        os.kill(os.getpid(), 9)
pathlib.Path.rename = dying
with replacing_folder({str(out)!r}, overwrite=True) as new:
    (new / "part").mkdir()
    (new / "part" / "file").write_text("new")
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    if not empty:
        assert out.exists() == (last == 2)
    put_back(out)
    # Between the two the old one is all there is under its name.
    assert _text(out) == ("new" if empty or last == 2 else "old")
    _set(out, "newest", overwrite=True)
    assert names(tmp_path) == ["set"] and names(out) == ["part"]


def test_folders_that_came_to_nothing_are_taken_back(tmp_path):
    with pytest.raises(ZeroDivisionError), making(tmp_path / "a" / "b" / "c"):
        (tmp_path / "a" / "note").write_text("mine")
        raise ZeroDivisionError
    assert names(tmp_path / "a") == ["note"]
    with making(tmp_path / "d" / "e"):
        pass
    assert (tmp_path / "d" / "e").is_dir()
