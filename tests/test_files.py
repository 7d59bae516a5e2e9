import errno
import os
import signal
import stat
import subprocess
import sys
import tempfile

import pytest

from siamese_tf import files
from siamese_tf.files import atomic_write, is_private, open_regular, remove_stale_temporaries

# Writes a megabyte over the file it is given, says so, and waits to be killed with the write unfinished.
HALF_A_WRITE = """
import sys, time
from siamese_tf.files import atomic_write
with atomic_write(sys.argv[1]) as file:
    file.write(bytes(2**20))
    file.flush()
    print("half", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"the old content")
    return path


def assert_untouched(old):
    assert old.read_bytes() == b"the old content"
    assert list(old.parent.iterdir()) == [old]


def test_bytes_and_text(tmp_path):
    with atomic_write(tmp_path / "bytes") as file:
        file.write(b"\x00\r\n\xff")
    assert (tmp_path / "bytes").read_bytes() == b"\x00\r\n\xff"
    with atomic_write(str(tmp_path / "text"), "w") as file:
        file.write("ä\nb\r\n")
    assert (tmp_path / "text").read_bytes() == "ä\nb\r\n".encode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bytes", "text"]


def test_the_temporary_file_can_be_read_and_rewritten(tmp_path):
    with atomic_write(tmp_path / "file") as file:
        file.write(b"0123")
        file.seek(1)
        assert file.read() == b"123"
        file.seek(0)
        file.write(b"9")
        assert not (tmp_path / "file").exists()
    assert (tmp_path / "file").read_bytes() == b"9123"


def test_missing_parent_folders_are_created(tmp_path):
    with atomic_write(tmp_path / "a" / "b" / "file") as file:
        file.write(b"x")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"x"


def test_the_old_file_is_unchanged_until_the_end_of_the_block(old):
    with atomic_write(old) as file:
        file.write(b"new")
        file.flush()
        assert old.read_bytes() == b"the old content"
    assert old.read_bytes() == b"new"


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_raises_leaves_the_old_file(old, stop):
    def stopped_write():
        with atomic_write(old) as file:
            file.write(b"new")
            raise stop

    with pytest.raises(stop):
        stopped_write()
    assert_untouched(old)


def test_a_block_that_raises_creates_no_file(tmp_path):
    with pytest.raises(ZeroDivisionError), atomic_write(tmp_path / "file", "w") as file:
        file.write(str(1 / 0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["fsync", "chmod", "replace"])
def test_a_full_disk_leaves_the_old_file(old, monkeypatch, call):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space left on device"), atomic_write(old) as file:
        file.write(b"new")
    assert_untouched(old)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_disk_that_fills_up_while_the_buffer_is_flushed_leaves_the_old_file(old, monkeypatch):
    def on_the_full_device(**kwargs):
        handle, name = make(**kwargs)
        os.dup2(full, handle)
        return handle, name

    full = os.open("/dev/full", os.O_RDWR)
    make = tempfile.mkstemp
    monkeypatch.setattr("siamese_tf.files.tempfile.mkstemp", on_the_full_device)
    with pytest.raises(OSError, match="No space left on device"), atomic_write(old) as file:
        file.write(b"new")
    os.close(full)
    assert_untouched(old)


def test_the_data_is_flushed_before_the_rename(old, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, name=name, real=real: (calls.append(name), real(*args))[1])
    with atomic_write(old) as file:
        file.write(b"new")
    assert calls == ["fsync", "replace"]


@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(tmp_path, mask, expected):
    before = os.umask(mask)
    try:
        with atomic_write(tmp_path / "file") as file:
            file.write(b"x")
        assert os.umask(mask) == mask, "atomic_write must leave the umask as it was"
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == expected


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o444])
def test_a_replaced_file_has_the_same_permissions(old, mode):
    old.chmod(mode)
    with atomic_write(old) as file:
        file.write(b"new")
    assert (old.read_bytes(), stat.S_IMODE(old.stat().st_mode)) == (b"new", mode)


@pytest.mark.parametrize("exists", [False, True])
def test_a_private_file_is_readable_only_by_its_owner(old, exists):
    if not exists:
        old.unlink()
    with atomic_write(old, private=True) as file:
        file.write(b"new")
    assert stat.S_IMODE(old.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("mode", "private"), [(0o700, True), (0o600, True), (0o750, False), (0o701, False), (0o604, False), (0o722, True)]
)
def test_is_private(old, mode, private):
    old.chmod(mode)
    assert is_private(old) is private
    assert not is_private(old.with_name("missing"))
    assert not is_private("a\0b")


def test_a_folder_at_the_destination_is_not_replaced(tmp_path):
    (tmp_path / "file" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="file"), atomic_write(tmp_path / "file") as file:
        file.write(b"x")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "inside"]


def test_a_file_in_place_of_a_parent_folder_is_refused(old):
    with pytest.raises(OSError, match="file"), atomic_write(old / "below"):
        pytest.fail("the block must not run")
    assert_untouched(old)


def test_sigkill_during_a_write_leaves_the_old_file(old):
    with subprocess.Popen([sys.executable, "-c", HALF_A_WRITE, str(old)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert old.read_bytes() == b"the old content"
    (left,) = set(old.parent.iterdir()) - {old}
    assert left.name.startswith(".file.")  # hidden, and ignored by git: nobody takes it for a result
    assert left.name.endswith(".tmp")
    with atomic_write(old) as file:
        file.write(b"new")
    assert old.read_bytes() == b"new"
    assert list(old.parent.iterdir()) == [old]


def test_only_stale_temporaries_of_the_same_file_are_removed(old):
    stale = old.with_name(".file.abcd_123.tmp")
    others = [
        old.with_name(name)
        for name in (".file.x.abcd_123.tmp", ".other.abcd_123.tmp", "file.abcd_123.tmp", ".file.short.tmp")
    ]
    for path in (stale, *others):
        path.touch()
    old.with_name(".file.aaaaaaaa.tmp").symlink_to(others[0])
    with atomic_write(old):
        (live,) = set(old.parent.glob(".file.????????.tmp")) - {old.with_name(".file.aaaaaaaa.tmp")}
        with atomic_write(old) as second:  # two at once: neither removes the other's
            second.write(b"second")
        assert live.exists()
    assert set(old.parent.iterdir()) == {old, *others, old.with_name(".file.aaaaaaaa.tmp")}
    remove_stale_temporaries(old.parent)
    assert set(old.parent.iterdir()) == {old, *others[2:], old.with_name(".file.aaaaaaaa.tmp")}
    remove_stale_temporaries(old.parent / "missing")


def test_without_locks_nothing_is_removed(old, monkeypatch):
    monkeypatch.setattr(files, "lock_descriptor", lambda *_, **__: None)
    stale = old.with_name(".file.abcd_123.tmp")
    stale.touch()
    with atomic_write(old) as file:
        file.write(b"new")
    assert stale.exists()
    assert old.read_bytes() == b"new"


def test_a_temporary_removed_before_it_is_locked_is_created_again(old, monkeypatch):
    real, taken = files.lock_descriptor, []

    def late(descriptor, **how):
        if how and not taken:
            taken.extend(old.parent.glob(".file.*.tmp"))
            taken[0].unlink()
        return real(descriptor, **how)

    monkeypatch.setattr(files, "lock_descriptor", late)
    with atomic_write(old) as file:
        file.write(b"new")
    assert taken
    assert old.read_bytes() == b"new"
    assert list(old.parent.iterdir()) == [old]


def test_a_regular_file_and_a_link_to_one_are_opened_at_their_start(old):
    link = old.with_name("link")
    link.symlink_to(old)
    for path in (old, str(old), link):
        with open_regular(path) as file:
            assert file.read() == b"the old content"


def test_other_files_are_refused_without_blocking(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path, number in (
        (tmp_path / "fifo", errno.EINVAL),
        ("/dev/zero", errno.EINVAL),
        (tmp_path, errno.EISDIR),
        (tmp_path / "missing", errno.ENOENT),
        (f"{tmp_path}/a\0b", errno.EINVAL),
    ):
        with pytest.raises(OSError) as refused:  # noqa: PT011 (its number is compared)
            open_regular(path)
        assert refused.value.errno == number
        assert refused.value.strerror
        assert "\0" not in str(refused.value)
