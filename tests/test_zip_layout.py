import io
import stat
import struct
import time
import zipfile
from collections.abc import Callable

import numpy as np
import pytest

from siamese_tf.data.pairs.npz import write_npz
from siamese_tf.zip_layout import ZipLayoutError, check_layout

ARRAYS = {"images": np.arange(60, dtype=np.uint8).reshape(3, 4, 5), "labels": np.arange(3)}
TIMES = b"UT\x05\x00\x03\x00\x00\x00\x00"
OWNER = b"ux\x0b\x00\x01\x04\x00\x00\x00\x00\x04\x00\x00\x00\x00"


def written(write: Callable[[zipfile.ZipFile], object], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        write(archive)
    return out.getvalue()


def two_members(archive: zipfile.ZipFile) -> None:
    archive.writestr("config.json", "{}")
    with archive.open("weights.h5", "w", force_zip64=True) as member:
        member.write(b"weights")


def one_member(**attributes) -> Callable[[zipfile.ZipFile], None]:
    def write(archive: zipfile.ZipFile) -> None:
        member = zipfile.ZipInfo("a.npy")
        for name, value in attributes.items():
            setattr(member, name, value)
        archive.writestr(member, b"content")

    return write


def saved(save: Callable, **arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    save(out, **arrays)
    return out.getvalue()


class Stream(io.RawIOBase):
    """File that is not seekable, such as a pipe."""

    def __init__(self):
        self.content = b""

    def writable(self):
        return True

    def write(self, data):
        self.content += bytes(data)
        return len(data)


def streamed(write: Callable[[zipfile.ZipFile], object], method: int = zipfile.ZIP_STORED) -> bytes:
    out = Stream()
    with zipfile.ZipFile(out, "w", method) as archive:
        write(archive)
    return out.content


def checked(data: bytes, max_members: int = 5) -> list[zipfile.ZipInfo]:
    return check_layout(io.BytesIO(data), max_members)


GOOD = written(two_members)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(GOOD, id="writestr and open"),
        pytest.param(written(two_members, zipfile.ZIP_DEFLATED), id="deflated"),
        pytest.param(saved(np.savez, **ARRAYS), id="savez"),
        pytest.param(saved(np.savez_compressed, **ARRAYS, größe=np.ones(2)), id="savez_compressed"),
        pytest.param(written(one_member(extra=TIMES + OWNER)), id="Info-ZIP"),
        pytest.param(written(one_member(extra=b"\x0a\x00\x04\x00time")), id="7-Zip"),
        pytest.param(streamed(two_members), id="a stream"),
        pytest.param(streamed(two_members, zipfile.ZIP_DEFLATED), id="a deflated stream"),
        pytest.param(written(lambda archive: None), id="empty"),
    ],
)
def test_archives_of_common_writers_are_accepted(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = checked(data)
        assert [member.filename for member in members] == archive.namelist()
        assert all(archive.read(member) == archive.read(member.filename) for member in members)


def test_a_pair_file_is_accepted(tmp_path):
    write_npz(tmp_path / "pairs.npz", ARRAYS)
    with open(tmp_path / "pairs.npz", "rb") as file:
        assert [member.filename for member in check_layout(file, 2)] == ["images.npy", "labels.npy"]
        assert not file.closed


@pytest.mark.parametrize("limits", [{"ZIP64_LIMIT": 10}, {"ZIP_FILECOUNT_LIMIT": 1}])
def test_an_archive_with_a_zip64_end_record_is_accepted(monkeypatch, limits):
    """Archives above 2 GiB have such a record."""
    for name, limit in limits.items():
        monkeypatch.setattr(zipfile, name, limit)
    data = written(two_members)
    assert b"PK\x06\x06" in data
    assert [member.filename for member in checked(data)] == ["config.json", "weights.h5"]
    for bit in range(8 * (len(data) - 98), 8 * len(data)):
        unchanged_or_refused(data, bit)


def encrypted(data: bytes) -> bytes:
    central, copy = data.find(b"PK\x01\x02"), bytearray(data)
    copy[6] |= 1
    copy[central + 8] |= 1
    return bytes(copy)


def with_other_descriptor(data: bytes) -> bytes:
    stream = bytearray(streamed(two_members))
    stream[stream.rindex(b"PK\x07\x08") + 4] ^= 1
    return bytes(stream)


def overlapping(data: bytes) -> bytes:
    """Makes two entries of the directory share one local header."""
    single = written(one_member())
    start = single.find(b"PK\x01\x02")
    entry, other = single[start:-22], single[start:-22].replace(b"a.npy", b"b.npy")
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2, 2, 2 * len(entry), start, 0)
    return single[:start] + entry + other + end


def twice(data: bytes) -> bytes:
    with pytest.warns(UserWarning, match="Duplicate name"):
        return written(lambda archive: (archive.writestr("a", "1"), archive.writestr("a", "2")))


def with_comment(archive: zipfile.ZipFile) -> None:
    two_members(archive)
    archive.comment = b"PK\x05\x06"


def with_gap(data: bytes) -> bytes:
    """Inserts bytes before the directory and adjusts its offset."""
    start = data.find(b"PK\x01\x02")
    end = bytearray(data[start:])
    end[-6:-2] = struct.pack("<L", start + 4)
    return data[:start] + b"gap!" + bytes(end)


def with_long_last_entry(data: bytes) -> bytes:
    """Declares four bytes of extra fields that the directory does not have and zipfile does not read."""
    entry = data.rindex(b"PK\x01\x02")
    return data[: entry + 30] + b"\x04\x00" + data[entry + 32 :]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: b"", "too short"),
        (lambda data: data[:-1], "does not end with the end record"),
        (lambda data: data + b"\0", "does not end with the end record"),
        (lambda data: data[:20], "too short"),
        (lambda data: b"#!/bin/sh\n" + data, "is not where"),
        (lambda data: written(with_comment), "does not end with the end record"),
        (with_gap, "do not end where"),
        (overlapping, "overlap"),
        (twice, "each member once"),
        (encrypted, "encrypted"),
        (with_other_descriptor, "data descriptor differs"),
        (lambda data: written(one_member(compress_type=zipfile.ZIP_BZIP2)), "unsupported format"),
        (lambda data: written(one_member(comment=b"hello")), "unsupported format"),
        (lambda data: written(one_member(filename="folder/")), "not a regular file"),
        (lambda data: written(one_member(external_attr=(stat.S_IFLNK | 0o777) << 16)), "not a regular file"),
        (lambda data: data.replace(b"config.json", b"conf\0g.json"), "not a regular file"),
        (lambda data: written(one_member(extra=b"\x75\x70\x00\x00")), "extra fields|damaged"),
        (lambda data: written(one_member(extra=TIMES + TIMES)), "extra fields"),
        (lambda data: data.replace(b"config.json", b"Config.json", 1), "differs from"),
        (with_long_last_entry, "differs from that of its entries"),
    ],
)
def test_other_archives_are_refused(change, reason):
    data = change(GOOD)
    assert data != GOOD
    with pytest.raises(ZipLayoutError, match=reason):
        checked(data)


def unchanged_or_refused(data: bytes, bit: int) -> None:
    def known(members: list[zipfile.ZipInfo]) -> list[tuple]:
        return [(m.filename, m.compress_type, m.CRC, m.compress_size, m.file_size, m.header_offset) for m in members]

    copy = bytearray(data)
    copy[bit // 8] ^= 1 << bit % 8
    try:
        members = checked(bytes(copy))
    except ZipLayoutError:
        return
    assert known(members) == known(checked(data)), f"bit {bit} changes what the archive says, and is not refused"


@pytest.mark.parametrize(
    "data",
    [GOOD, saved(np.savez_compressed, a=np.zeros(2)), streamed(two_members)],
    ids=["stored", "deflated", "streamed"],
)
def test_no_flipped_bit_changes_the_contents(data):
    for bit in range(8 * len(data)):
        unchanged_or_refused(data, bit)


def test_a_large_directory_is_not_parsed():
    entry = GOOD[GOOD.find(b"PK\x01\x02") :][: 46 + len("config.json")]
    for count in (6, 65535):
        directory = count * entry
        data = directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), 0, 0)
        with pytest.raises(ZipLayoutError, match=f"lists {count:,} members"):
            checked(data)
    long_name = written(lambda archive: archive.writestr("a" * 65000, ""))
    with pytest.raises(ZipLayoutError, match="lists 1 members in 65,"):
        checked(long_name, 1)


def test_the_message_is_short_for_any_name():
    data = written(lambda archive: archive.writestr("\x1b[31m" + "a" * 900, ""))
    started = time.perf_counter()
    with pytest.raises(ZipLayoutError) as caught:
        checked(data[:35] + b"b" + data[36:])
    assert len(str(caught.value)) < 100
    assert time.perf_counter() - started < 1
