import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from siamese_tf.errors import ModelFileError
from siamese_tf.models.pretrained import state_dict as module
from siamese_tf.models.pretrained.state_dict import read_state_dict

ARRAYS = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "bn.num_batches_tracked": np.array(5),
    "linear.weight": np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
}


@pytest.fixture
def npz(tmp_path):
    """A function that writes a file with ARRAYS and additional arrays."""

    def write(**more: np.ndarray):
        np.savez(tmp_path / "weights.npz", **ARRAYS, **more)
        return tmp_path / "weights.npz"

    return write


def refusal(path) -> str:
    with pytest.raises(ModelFileError) as caught:
        read_state_dict(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 600
    return str(caught.value)


def check(arrays) -> None:
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz(tmp_path, save):
    save(tmp_path / "weights.npz", **ARRAYS)
    check(read_state_dict(str(tmp_path / "weights.npz")))


def test_a_safetensors(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    assert read_state_dict(tmp_path / "a.safetensors") == {}
    (tmp_path / "b.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0[]")
    assert "is not a valid weights file: its header must be" in refusal(tmp_path / "b.safetensors")


@pytest.mark.parametrize("name", ["weights.bin", "weights", "weights.h5"])
def test_another_ending_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    assert "weights must be a .safetensors, .npz, .pt, .pth file" in refusal(tmp_path / name)


@pytest.mark.parametrize("name", ["gone.npz", "gone.safetensors", "gone.pt"])
def test_what_is_not_there_is_refused(tmp_path, name):
    assert "No such file" in refusal(tmp_path / name)


def test_what_is_too_large_is_refused(npz, monkeypatch):
    path = npz()
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    assert re.search(r"it must have at most 100 bytes; got [\d,]+", refusal(path))


def test_what_expands_to_too_much_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, a=np.zeros(2**20, np.uint8))
    monkeypatch.setattr(module, "MAX_BYTES", 2**16)
    assert path.stat().st_size < 2**16
    assert "it must expand to at most 65,536 bytes; got 1,048,704" in refusal(path)


def test_objects_are_refused_and_not_unpickled(npz, tmp_path):
    marker = tmp_path / "ran"

    class Payload:
        def __reduce__(self):
            return marker.mkdir, ()

    assert "must have a numeric dtype; got object" in refusal(npz(a=np.array([Payload()], object)))
    assert not marker.exists()


def test_text_is_refused(npz):
    assert "must have a numeric dtype; got <U1" in refusal(npz(a=np.array(["a"])))


def npy(shape: tuple, data: bytes = b"\0" * 4, magic: bytes = b"\x93NUMPY\x01\x00", spaces: int = 0) -> bytes:
    header = repr({"descr": "<f4", "fortran_order": False, "shape": shape}).encode() + b" " * spaces + b"\n"
    return magic + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (npy((2**40,)), r"the bytes of its shape \(1099511627776,\); got 4 bytes"),
        (npy((2, 1)), r"the bytes of its shape \(2, 1\); got 4 bytes"),
        (npy((-1, -1)), "damaged"),
        (npy((0, 2**80), b""), "damaged"),
        (npy((1,), magic=b"\x93NUMPY\x09\x00"), "damaged"),
        (npy((10**4000,)), r"the bytes of its shape \(10{58}; got 4 bytes"),
        (npy((1,), spaces=20_000), r": the archive is damaged, or was not written by np.savez \(ValueError\)\. Copy"),
        (b"", "damaged"),
        (b"not an array", "damaged"),
    ],
)
def test_headers_are_not_believed(tmp_path, content, finding):
    path = tmp_path / "weights.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", content)
    assert re.search(finding, refusal(path))
    assert "allow_pickle" not in refusal(path)
    assert "\n" not in refusal(path)


def test_a_header_that_tells_the_truth_is(tmp_path):
    with zipfile.ZipFile(tmp_path / "weights.npz", "w") as archive:
        archive.writestr("a.npy", npy((1,)))
    assert read_state_dict(tmp_path / "weights.npz")["a"] == [0]


def test_a_name_that_stands_there_twice_is_refused(tmp_path):
    path = tmp_path / "weights.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", npy((1,)))
        archive.writestr("a", npy((1,)))
    assert "a name occurs twice" in refusal(path)


def test_damaged_archives_are_refused(npz):
    path = npz()
    content = path.read_bytes()
    for length in (0, 10, len(content) // 2, len(content) - 30):
        path.write_bytes(content[:length])
        assert "the archive is damaged" in refusal(path)
    path.write_bytes(content.replace(b"\x00\x00\x80\x3f", b"\x00\x00\x80\x40", 1))  # a 1.0 becomes 4.0
    assert "the archive is damaged" in refusal(path)


@pytest.mark.parametrize("suffix", [".pt", ".pth"])
def test_a_file_of_pytorch(tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes((Path(__file__).parents[1] / "fixtures" / "torch" / "zip.pt").read_bytes())
    np.testing.assert_array_equal(read_state_dict(path)["half"], np.array([1.5, -2.0], np.float16))
    path.write_bytes(b"text")
    assert "is not a valid weights file: it is damaged, or was not written by torch.save" in refusal(path)
