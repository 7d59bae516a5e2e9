import io
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from siamese_tf.data.pairs.npz import check_size, member_crc32, read_npz, write_npz
from siamese_tf.errors import PairFileError

ARRAYS = {
    "images": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    "img1": np.array([1, -2, 3], np.int32),
    "text": np.array("a text, äöü"),
    "none": np.zeros((0, 5), np.int64),
}


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    body = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY" + version + len(body).to_bytes(2, "little") + body


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def zip_of(*members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    file.seek(0)
    return file


def read(file: io.BytesIO) -> dict[str, np.ndarray]:
    return read_npz(file, "x.npz", ("images", "img1", "text", "none"))[0]


def test_arrays_come_back_equal_here_and_with_np_load(tmp_path):
    path = tmp_path / "x.npz"
    write_npz(path, ARRAYS)
    ours = read(io.BytesIO(path.read_bytes()))
    with np.load(path, allow_pickle=False) as theirs:
        assert list(theirs) == list(ours) == list(ARRAYS)
        for name, array in ARRAYS.items():
            assert np.array_equal(ours[name], array)
            assert np.array_equal(theirs[name], array)
            assert ours[name].dtype == theirs[name].dtype == array.dtype


def test_equal_arrays_give_equal_bytes_whatever_their_layout(tmp_path):
    write_npz(tmp_path / "a.npz", ARRAYS)
    turned = {"images": np.asfortranarray(ARRAYS["images"]), "img1": ARRAYS["img1"].astype(">i4")}
    write_npz(tmp_path / "b.npz", ARRAYS | turned)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_files_that_numpy_wrote_are_read(save):
    file = io.BytesIO()
    save(file, images=np.asfortranarray(ARRAYS["images"]), img1=ARRAYS["img1"].astype(">i8"))
    file.seek(0)
    arrays = read(file)
    assert np.array_equal(arrays["images"], ARRAYS["images"])
    assert arrays["img1"].tolist() == [1, -2, 3]


def test_an_array_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.npz"
    write_npz(path, ARRAYS)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="allow_pickle"):
        write_npz(path, {"images": ARRAYS["images"], "img1": np.array([{}])})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_too_large_to_be_read_is_not_to_be_written(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    write_npz(path, ARRAYS)
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    monkeypatch.setattr("siamese_tf.data.pairs.npz.MAX_BYTES", size)
    check_size(ARRAYS, "x.npz")
    assert list(read(io.BytesIO(path.read_bytes()))) == list(ARRAYS)
    monkeypatch.setattr("siamese_tf.data.pairs.npz.MAX_BYTES", size - 1)
    with pytest.raises(PairFileError, match=f"x.npz must be at most {size - 1} bytes .*; got {size}.*--image-size"):
        check_size(ARRAYS, "x.npz")
    with pytest.raises(PairFileError, match="must expand to at most"):
        read(io.BytesIO(path.read_bytes()))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip at all", b"\x93NUMPY" + bytes(200)])
def test_what_is_no_zip_is_refused(content):
    with pytest.raises(PairFileError, match=r"x\.npz cannot be read as a pair file"):
        read(io.BytesIO(content))


@pytest.mark.parametrize("name", ["model.weights.npy", "images", "../images.npy", "/images.npy", "a/images.npy"])
def test_members_of_another_name_are_listed_and_not_read(name):
    file = zip_of(("img1.npy", npy(ARRAYS["img1"])), (name, b"no array"))
    content = bytearray(file.getvalue())
    content[content.index(b"no array")] ^= 1  # reading it would find a wrong check sum
    arrays, members = read_npz(io.BytesIO(content), "x.npz", ("images", "img1"))
    assert list(arrays) == ["img1"]
    assert arrays["img1"].tolist() == [1, -2, 3]
    assert members == {"img1.npy": zlib.crc32(npy(ARRAYS["img1"])), name: zlib.crc32(b"no array")}


def test_objects_under_another_name_are_passed_over():
    file = io.BytesIO()
    np.savez(file, img1=ARRAYS["img1"], names=np.array([{"a": 1}]), scores=np.zeros(3))
    file.seek(0)
    assert list(read(file)) == ["img1"]


@pytest.mark.parametrize("name", ["img1.npy", "else.npy"])
def test_two_members_of_one_name_are_refused(name):
    with pytest.warns(UserWarning, match="Duplicate name"):
        file = zip_of((name, b""), (name, b""))
    with pytest.raises(PairFileError, match="does not list each member once"):
        read(file)


def test_the_checksum_of_an_array_is_that_of_its_member(tmp_path):
    write_npz(tmp_path / "x.npz", ARRAYS)
    with open(tmp_path / "x.npz", "rb") as file:
        _, members = read_npz(file, "x.npz", ())
    assert members == {f"{name}.npy": member_crc32(array) for name, array in ARRAYS.items()}
    assert member_crc32(ARRAYS["img1"].astype(">i4")) == members["img1.npy"] != member_crc32(ARRAYS["img1"] + 1)


def test_headers_are_checked_before_an_array_is_read():
    content = bytearray(zip_of(("images.npy", npy(np.full(70_000, 7, np.uint8)))).getvalue())
    content[-1000] ^= 1  # the checksum would show it

    def check(headers):
        assert headers == {"images": ((70_000,), np.uint8, False, 128)}
        raise PairFileError("these are too many")

    with pytest.raises(PairFileError, match="these are too many"):
        read_npz(io.BytesIO(content), "x.npz", ("images",), check=check)


def test_a_directory_of_too_many_members_is_not_parsed():
    others = [(f"{number}.npy", b"") for number in range(1000)]
    assert list(read(zip_of(*others[1:], ("text.npy", npy(ARRAYS["text"]))))) == ["text"]
    with pytest.raises(PairFileError, match="lists 1,001 members"):
        read(zip_of(*others, ("text.npy", npy(ARRAYS["text"]))))


def test_what_numpy_says_of_a_damaged_header_is_cut():
    """It repeats the header."""
    text = f"{{'descr': '{'x' * 4900}', 'fortran_order': False, 'shape': ()}}".ljust(5000).encode()
    with pytest.raises(PairFileError, match="cannot be read.*xxx") as caught:
        read(zip_of(("images.npy", b"\x93NUMPY\x01\x00" + (5000).to_bytes(2, "little") + text)))
    assert len(str(caught.value)) < 350


def test_the_header_of_an_array_may_not_be_long():
    """It says itself how long it is, up to four gigabytes."""
    content = b"\x93NUMPY\x02\x00" + (2**28).to_bytes(4, "little") + bytes(2**22)
    file = zip_of(("images.npy", content), compression=zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    try:
        with pytest.raises(PairFileError, match="cannot be read"):
            read(file)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_objects_are_refused_and_not_unpickled():
    file = io.BytesIO()
    np.savez(file, images=np.array([{"a": 1}]))
    file.seek(0)
    with pytest.raises(PairFileError, match=r"images\.npy must be whole numbers or text; got dtype object"):
        read(file)


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (
            header("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000,)}"),
            "must have 1,000,000,000,000 b",
        ),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}") + bytes(4), "must have 3 bytes .*; got 4"),
        (header("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, -4)}") + bytes(4), "cannot be read"),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}") + bytes(8), "got dtype float64"),
        (header("{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (1,)}") + bytes(1), "must be whole numb"),
        (header("{'descr': '|O', 'fortran_order': False, 'shape': ()}") + b"cos\nsystem\n.", "got dtype object"),
        (header("__import__('os').system('true')"), "cannot be read"),
        (header("{" * 60), "cannot be read"),
        (header("{}"), "cannot be read"),
        (header("{}", version=b"\x03\x00"), "format version"),
        (b"\x93NUMPY", "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_headers_that_lie_are_refused(content, finding):
    with pytest.raises(PairFileError, match=finding):
        read(zip_of(("images.npy", content)))


def test_a_zip_bomb_is_refused_before_it_expands(monkeypatch):
    monkeypatch.setattr("siamese_tf.data.pairs.npz.SLACK_BYTES", 0)
    content = header("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000,)}") + bytes(1_000_000)
    file = zip_of(("images.npy", content), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(PairFileError, match=r"must expand to at most .*; got 1,000,128"):
        read(file)


def test_the_size_of_another_member_does_not_count(monkeypatch):
    monkeypatch.setattr("siamese_tf.data.pairs.npz.SLACK_BYTES", 0)
    content = header("{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}") + bytes(3)
    file = zip_of(("images.npy", content), ("else.npy", bytes(1_000_000)), compression=zipfile.ZIP_DEFLATED)
    assert read(file)["images"].tolist() == [0, 0, 0]


def test_an_encrypted_member_is_refused():
    file = zip_of(("images.npy", b"12345678"))
    content = bytearray(file.getvalue())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag in the directory
    content[6] |= 1
    with pytest.raises(PairFileError, match="encrypted"):
        read(io.BytesIO(content))


def test_a_mapped_array_stays_in_the_file(tmp_path):
    path = tmp_path / "it.npz"
    written = {"images": np.arange(5000, dtype=np.uint8).reshape(10, 500), "more": np.arange(3)}
    write_npz(path, written)
    with open(path, "rb") as file:
        arrays, _ = read_npz(file, "it", ("images", "more"), mapped=("images",))
    np.testing.assert_array_equal(arrays["images"], written["images"])
    np.testing.assert_array_equal(arrays["more"], written["more"])
    assert isinstance(arrays["images"].base, np.memmap)
    assert arrays["more"].flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        arrays["images"][0] = 0


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_mapped_array_of_another_maker_is_the_same(tmp_path, save, order):
    path = tmp_path / "it.npz"
    written = np.asarray(np.arange(60, dtype=np.uint8).reshape(3, 4, 5), order=order)
    save(path, first=np.zeros(7), images=written)
    with open(path, "rb") as file:
        arrays, _ = read_npz(file, "it", ("images",), mapped=("images",))
    np.testing.assert_array_equal(arrays["images"], written)


def test_a_mapped_array_that_was_damaged_is_refused(tmp_path):
    path = tmp_path / "it.npz"
    write_npz(path, {"images": np.full((4, 100), 7, np.uint8)})
    content = bytearray(path.read_bytes())
    content[content.index(bytes([7] * 100)) + 5] = 8
    path.write_bytes(content)
    with open(path, "rb") as file, pytest.raises(PairFileError, match="it cannot be read as a pair file.*CRC"):
        read_npz(file, "it", ("images",), mapped=("images",))
