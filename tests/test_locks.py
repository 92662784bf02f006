"""Test that one process at a time holds a lock, that its end frees it, and the ways out on network drives."""

import errno
import fcntl
import os
import socket
import threading
import time
import warnings

import pytest

from glow_tf.errors import RunError
from glow_tf.locks import SWITCH, locked


def test_second_holder_is_refused_with_the_name_of_the_first(tmp_path):
    path = tmp_path / "lock"
    with locked(path, "runs/a"):
        message = rf"runs/a is in use by process {os.getpid()} on {socket.gethostname()} since 2\d+-"
        with pytest.raises(RunError, match=message), locked(path, "runs/a"):
            pass
        assert path.exists(), "the one who was refused removed the lock"
    assert not path.exists()
    with locked(path, "runs/a"):
        pass


def test_holder_can_be_waited_for(tmp_path, caplog):
    path, held, entered = tmp_path / "lock", threading.Event(), []

    def hold():
        with locked(path, "the cache"):
            held.set()
            while not caplog.messages:  # until the other one waits
                time.sleep(0.01)
            entered.extend(caplog.messages)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    with locked(path, "the cache", wait=True):
        (message,) = entered
    thread.join()
    assert message.startswith(f"waiting for process {os.getpid()} on") and message.endswith(", which writes the cache")
    assert not path.exists()


def test_lock_file_of_a_process_that_ended_does_not_lock(tmp_path):
    path = tmp_path / "lock"
    path.write_text("process 1 on elsewhere since 2020-01-01 00:00:00\n and more" * 9)
    with locked(path, "runs/a"):
        assert path.read_text().startswith(f"process {os.getpid()} on") and path.read_text().count("\n") == 1


def test_lock_of_a_file_that_was_removed_meanwhile_does_not_count(tmp_path, monkeypatch):
    path, flock, removed = tmp_path / "lock", fcntl.flock, []

    def slow(file, flags):
        if not removed:
            removed.append(path.unlink())  # the holder before ended between our open and our lock
        flock(file, flags)

    monkeypatch.setattr(fcntl, "flock", slow)
    with locked(path, "runs/a"), pytest.raises(RunError, match="in use"), locked(path, "runs/a"):
        pass


def test_file_system_without_locks_is_used_with_a_warning(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.warns(UserWarning, match=r"cannot be locked \(No locks available\); make sure that no other process"):
        with locked(tmp_path / "lock", "runs/a"):
            pass
    monkeypatch.setenv(SWITCH, "off")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with locked(tmp_path / "lock", "runs/a"):
            assert not list(tmp_path.iterdir())


def test_lock_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(RunError, match="cannot write .*nothing/lock: No such file or directory"):
        with locked(tmp_path / "nothing" / "lock", "runs/a"):
            pass
