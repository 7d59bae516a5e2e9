"""Locks between processes; the tests use that flock also separates two descriptors of one process."""

import errno
import os
import signal
import subprocess
import sys
import threading

import pytest

from siamese_tf import locks
from siamese_tf.errors import SiameseError
from siamese_tf.locks import LOCK, lock_descriptor, locked_folder

HOLD = """
import sys, time
from siamese_tf.locks import locked_folder
with locked_folder(sys.argv[1], "in use"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_folder_is_created_and_locked_and_the_lock_file_removed(tmp_path):
    (tmp_path / "run").mkdir()
    with locked_folder(tmp_path / "run", "in use"):
        assert (tmp_path / "run" / LOCK).read_text() == f"{os.getpid()}\n"
        (tmp_path / "run" / "file").touch()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["file"]


def test_empty_folders_created_for_the_lock_are_removed(tmp_path):
    with pytest.raises(ZeroDivisionError), locked_folder(tmp_path / "a" / "b", "in use"):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_a_second_process_is_refused_with_the_id_of_the_first(tmp_path):
    with locked_folder(tmp_path, "in use"):
        with pytest.raises(SiameseError) as refused, locked_folder(tmp_path, f"workdir {tmp_path} is in use", "Wait"):
            pytest.fail("the block must not run")
        assert str(refused.value) == f"workdir {tmp_path} is in use (process {os.getpid()}). Wait"
        assert (tmp_path / LOCK).exists()
    with locked_folder(tmp_path, "in use", "Wait"):
        pass


def test_without_a_hint_the_second_waits_with_a_message(tmp_path, capsys):
    order = []

    def second():
        with locked_folder(tmp_path / "pairs", "the pairs are being made"):
            order.append("second")

    with locked_folder(tmp_path / "pairs", "in use"):
        thread = threading.Thread(target=second)
        thread.start()
        while not (said := capsys.readouterr().err):
            thread.join(0.01)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert said == f"the pairs are being made (process {os.getpid()}); waiting for it to end\n"


def test_a_killed_process_releases_its_lock(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(SiameseError, match=rf"in use \(process {process.pid}\)\. Wait"):
            locked_folder(tmp_path, "in use", "Wait").__enter__()
        process.send_signal(signal.SIGKILL)
    with locked_folder(tmp_path, "in use", "Wait"):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, None])
def test_without_locks_the_block_runs(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    if number is None:
        monkeypatch.setattr(locks, "fcntl", None)
    else:
        monkeypatch.setattr(locks.fcntl, "flock", refuse)
    with locked_folder(tmp_path, "in use", "Wait"), open(tmp_path / LOCK, "r+b") as file:
        assert lock_descriptor(file.fileno()) is None
    assert not list(tmp_path.iterdir())


def test_a_removed_lock_file_is_locked_again(tmp_path, monkeypatch):
    real, calls = locks.lock_descriptor, []

    def late(descriptor, **how):
        if not calls:
            (tmp_path / LOCK).unlink()  # between the open and the lock
        calls.append(descriptor)
        return real(descriptor, **how)

    monkeypatch.setattr(locks, "lock_descriptor", late)
    with locked_folder(tmp_path, "in use", "Wait"):
        assert len(calls) == 2
        assert (tmp_path / LOCK).exists()


def test_a_file_in_place_of_the_folder_is_an_os_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match="file"):
        locked_folder(tmp_path / "file", "in use").__enter__()
    assert (tmp_path / "file").exists()
