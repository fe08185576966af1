"""One run at a time in a folder, and no lock left behind."""

import errno
import multiprocessing
import os
import signal
import time

import pytest
from forks import end_of, fork, kill_me

from speechbrain_semamba.utils import folder_lock as module
from speechbrain_semamba.utils.folder_lock import folder_lock


def hold(folder, ready, action=signal.pause):
    """Locks the folder, says so, and does something."""
    with folder_lock(folder):
        os.write(ready, b"x")
        action()


def try_to_hold(folder):
    """Locks the folder, or tells the reason in a file beside it."""
    try:
        with folder_lock(folder):
            message = ""
    except OSError as error:
        message = str(error)
    (folder.parent / "message").write_text(message)


def attempt(folder):
    """What another process is reader that wants the folder; "" if it got it."""
    assert end_of(fork(try_to_hold, folder)) == 0
    return (folder.parent / "message").read_text()


@pytest.fixture
def holder(tmp_path):
    """A process that holds the folder ``run``."""
    reader, ready = os.pipe()
    pid = fork(hold, tmp_path / "run", ready)
    assert os.read(reader, 1) == b"x"
    yield pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(reader)
    os.close(ready)


def test_second_process_is_refused_and_told_who_has_it(tmp_path, holder):
    before = (tmp_path / "run" / ".lock").read_text()
    message = attempt(tmp_path / "run")
    assert f"is being written to by process {holder} on " in message
    assert "name another output_folder" in message and "\n" not in message
    assert (tmp_path / "run" / ".lock").read_text() == before
    assert os.listdir(tmp_path / "run") == [".lock"]


def test_killed_process_leaves_no_lock(tmp_path):
    reader, ready = os.pipe()
    pid = fork(hold, tmp_path / "run", ready, kill_me)
    assert end_of(pid) == -signal.SIGKILL and os.read(reader, 1) == b"x"
    assert attempt(tmp_path / "run") == ""


def test_worker_that_outlives_the_killed_process_has_no_lock(tmp_path):
    """A loader's forked worker takes a moment to see that it is alone."""
    reader, ready = os.pipe()

    def with_worker():
        context = multiprocessing.get_context("fork")
        worker = context.Process(target=time.sleep, args=(20,))
        worker.start()
        (tmp_path / "worker").write_text(str(worker.pid))
        kill_me()

    pid = fork(hold, tmp_path / "run", ready, with_worker)
    assert end_of(pid) == -signal.SIGKILL
    worker = int((tmp_path / "worker").read_text())
    assert attempt(tmp_path / "run") == ""
    os.kill(worker, signal.SIGKILL)  # it was alive
    os.close(reader)
    os.close(ready)


def test_lock_ends_with_the_block(tmp_path):
    with folder_lock(tmp_path / "run"):
        assert attempt(tmp_path / "run")
    assert attempt(tmp_path / "run") == ""


def test_file_system_without_locks_is_warned_of(tmp_path, monkeypatch, caplog):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(module.fcntl, "lockf", no_locks)
    with folder_lock(tmp_path / "run"):
        pass
    assert "cannot be locked (No locks available)" in caplog.text


def test_system_without_fcntl(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "fcntl", None)
    with folder_lock(tmp_path / "run"):
        assert (tmp_path / "run" / ".lock").exists()
