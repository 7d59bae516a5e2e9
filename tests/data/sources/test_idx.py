import gzip
import hashlib
import struct
import tracemalloc

import numpy as np
import pytest

from siamese_tf.data.sources.idx import idx_sha256, read_idx
from siamese_tf.errors import DatasetError

# Two images of 2 x 3 by hand: two zeros, 08 for uint8, 03 dimensions, the three sizes, then row after row.
PENCIL = bytes.fromhex("00000803 00000002 00000002 00000003") + bytes([0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255])
PENCIL_VALUES = [[[0, 1, 2], [3, 4, 5]], [[250, 251, 252], [253, 254, 255]]]


def header(*shape, code=8, ndim=None):
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape) if ndim is None else ndim, *shape)


@pytest.fixture
def refuse(tmp_path):
    """Writes the content and checks that the error names the file and contains all words; returns the message."""

    def check(content, *words, name="hostile-idx", sha256=None):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DatasetError) as caught:
            read_idx(path, sha256)
        message = str(caught.value)
        for word in (str(path), "must be ", "; got ", *words):
            assert word in message
        return message

    return check


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_worked_example_plain_and_gzip(tmp_path, pack):
    path = tmp_path / "name-says-nothing"
    path.write_bytes(pack(PENCIL))
    values = read_idx(path, hashlib.sha256(PENCIL).hexdigest())
    assert values.dtype == np.uint8
    assert values.tolist() == PENCIL_VALUES


@pytest.mark.parametrize("shape", [(7,), (3, 5), (4, 3, 2), (2, 3, 4, 3), (0,), (0, 28, 28)])
def test_one_to_four_dimensions(tmp_path, shape):
    values = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    path = tmp_path / "values"
    path.write_bytes(header(*shape) + values.tobytes())
    np.testing.assert_array_equal(read_idx(str(path)), values)
    assert idx_sha256(values) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_idx_sha256_of_a_strided_array():
    values = np.array(PENCIL_VALUES, np.uint8)
    strided = np.repeat(values, 2, axis=2)[:, :, ::2]
    assert idx_sha256(strided) == hashlib.sha256(PENCIL).hexdigest()


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(
        DatasetError, match=r"absent: must be an IDX file; got a path that does not exist.*Check the path"
    ):
        read_idx(tmp_path / "absent")
    with pytest.raises(DatasetError, match="a path that is not a file"):
        read_idx(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"\x00\x00\x08", b"\x89PNG\r\n\x1a\n", b"<html>no mnist here</html>"]
)
def test_not_an_idx_file(refuse, content):
    refuse(content, "starts with", "00 00 08", "Download it again")


@pytest.mark.parametrize(("code", "name"), [(9, "int8"), (13, "float32"), (0, "unknown"), (255, "unknown")])
def test_other_types_are_refused(refuse, code, name):
    refuse(header(2, code=code) + b"12345678", name, "0x08 (uint8)", "unsigned bytes")


@pytest.mark.parametrize("ndim", [0, 5, 255])
def test_number_of_dimensions(refuse, ndim):
    refuse(header(1, 1, 1, 1, 1, ndim=ndim) + b"1", f"{ndim} dimensions", "1 to 4")


def test_header_that_ends_early(refuse):
    refuse(PENCIL[:10], "got 10 bytes", "header of 16 bytes")
    refuse(gzip.compress(PENCIL[:10]), "got 10 bytes", "header of 16 bytes")


def test_fewer_values_than_declared(refuse):
    refuse(PENCIL[:-1], "at most 11 bytes", "12 bytes of values for the shape (2, 2, 3)")
    refuse(gzip.compress(PENCIL[:-1]), "got 11 bytes", "12 bytes of values for the shape (2, 2, 3)")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_bytes_after_the_values(refuse, pack):
    refuse(pack(PENCIL + b"x"), "more bytes", "12 bytes of values for the shape (2, 2, 3)")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("shape", [(2**32 - 1, 2**10, 2**10), (2**32 - 1,) * 4, (2**16, 2**16, 2**16, 2**16), (10**9,)])
def test_an_excessive_declared_size_allocates_no_memory(refuse, pack, shape):
    tracemalloc.start()
    try:
        refuse(pack(header(*shape) + bytes(100)), "at most", str(shape), "Download it again")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_gzip_bomb_is_not_unpacked_to_its_end(refuse):
    bomb = gzip.compress(header(1000) + bytes(50 * 2**20))
    tracemalloc.start()
    try:
        refuse(bomb, "more bytes", "1,000")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_gzip_of_excessive_or_wrong_size_is_not_unpacked(refuse, monkeypatch):
    monkeypatch.setattr("siamese_tf.data.sources.idx._SLACK", 1000)
    monkeypatch.setattr("siamese_tf.data.sources.idx._read_header", lambda path, stream: (stream.read(8), (2_000_000,)))
    bomb = gzip.compress(header(2_000_000) + bytes(2_000_000))
    refuse(bomb, "got at most", "2,000,000")
    random = np.random.default_rng(0).bytes(100_000)
    refuse(
        gzip.compress(random), "declares a total of 100,000 bytes", "8 bytes of header and 2,000,000 bytes", "gunzip"
    )


def test_every_truncation_of_a_gzip_is_refused(refuse):
    packed = gzip.compress(PENCIL)
    for size in range(2, len(packed)):
        refuse(packed[:size], "damaged gzip data", "Download it again")


def test_wrong_checksum_and_wrong_length_in_the_gzip_tail(refuse):
    packed = gzip.compress(PENCIL)
    refuse(packed[:-8] + b"\0\0\0\0" + packed[-4:], "damaged gzip data", "CRC")
    refuse(packed[:-4] + b"\0\0\0\0", "damaged gzip data", "ength")


def test_garbage_after_the_gzip(refuse):
    refuse(gzip.compress(PENCIL) + b"garbage", "damaged gzip data")


def test_broken_deflate_stream(refuse):
    packed = gzip.compress(PENCIL)
    refuse(packed[:10] + b"\xff" * 20 + packed[-8:], "damaged gzip data")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_wrong_hash(refuse, pack):
    found = hashlib.sha256(PENCIL).hexdigest()
    refuse(pack(PENCIL), "SHA-256", found, "0" * 64, "download it again", sha256="0" * 64)


def test_unreadable_file(tmp_path, monkeypatch):
    path = tmp_path / "values"
    path.write_bytes(PENCIL)

    def denied(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("siamese_tf.data.sources.idx.open_regular", denied)
    with pytest.raises(
        DatasetError, match=r"values: must be a readable file; got Permission denied\. Check its permissions"
    ):
        read_idx(path)
