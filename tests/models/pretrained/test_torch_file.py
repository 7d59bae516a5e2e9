"""Files that PyTorch 2.13 wrote, and damaged or hostile ones; PyTorch need not be installed.

`zip.pt` and `legacy.pt` hold the tensors of EXPECTED in the two layouts of `torch.save`, `whole.pt` a pickled module.
"""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from siamese_tf.errors import ModelFileError
from siamese_tf.models.pretrained.torch_file import read_torch

FIXTURES = Path(__file__).parents[1] / "fixtures" / "torch"
CONV = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
EXPECTED = {
    "conv.weight": CONV,
    "bn.num_batches_tracked": np.array(5),
    "linear.weight": np.arange(6, dtype=np.float64).reshape(3, 2).T,  # stored transposed
    "half": np.array([1.5, -2.0], np.float16),
    "brain": np.array([1.5, -2.0], np.float32),  # bfloat16 in the file
    "part": CONV[1, 1:, :, 0],  # shares the storage of conv.weight
    "empty": np.zeros((0, 3), np.float32),
}
MIB = 2**20


def content(name: str) -> bytes:
    return (FIXTURES / f"{name}.pt").read_bytes()


def read(data: bytes, max_bytes: int = MIB) -> dict[str, np.ndarray]:
    return read_torch(io.BytesIO(data), max_bytes)


def refusal(data: bytes, max_bytes: int = MIB) -> str:
    with pytest.raises(ModelFileError) as caught:
        read(data, max_bytes)
    assert len(str(caught.value)) < 300
    return str(caught.value)


def zipped(**members: bytes) -> bytes:
    """Returns `zip.pt` with some members replaced, deflated."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content("zip"))) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(
                name, members.get(name.removeprefix("zip/").replace("/", "_").replace(".", "_"), old.read(name))
            )
    return out.getvalue()


@pytest.mark.parametrize("layout", ["zip", "legacy"])
def test_both_layouts_of_pytorch(layout):
    arrays = read(content(layout))
    assert [*arrays] == [*EXPECTED]
    for name, expected in EXPECTED.items():
        assert arrays[name].dtype == expected.dtype
        np.testing.assert_array_equal(arrays[name], expected)


def test_a_pickled_module_is_refused_with_the_name_of_its_class():
    assert "it contains more than tensors of numbers (__main__.M). Save model.state_dict()" in refusal(content("whole"))


@pytest.mark.parametrize("layout", ["zip", "legacy"])
def test_tensors_that_need_too_much_memory_are_refused(layout):
    needed = 96 + 8 + 48 + 4 + 4  # bytes of the storages
    assert read(content(layout), needed)
    assert f"at most {needed - 1:,} bytes; got {needed:,}" in refusal(content(layout), needed - 1)


@pytest.mark.parametrize("layout", ["zip", "legacy"])
def test_every_truncated_file_is_refused(layout):
    data = content(layout)
    for length in range(0, len(data), 7):
        refusal(data[:length])


@pytest.mark.parametrize("layout", ["zip", "legacy"])
def test_a_flipped_byte_is_refused_or_changes_values_only(layout):
    data = content(layout)
    for position in range(0, len(data), 5):
        damaged = data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :]
        try:
            arrays = read(damaged)
        except ModelFileError:
            continue
        assert sum(array.size for array in arrays.values()) <= MIB // 4


def test_bytes_after_the_storages_are_refused():
    assert "bytes at its end belong to no tensor" in refusal(content("legacy") + b"\0")


def test_a_storage_of_another_size_is_refused():
    assert "its member 'data/0' must have at most 96 bytes" in refusal(zipped(data_0=bytes(100)))
    assert "a storage must have 24 values; got 92 bytes" in refusal(zipped(data_0=bytes(92)))


def test_another_byte_order_is_refused():
    assert "must be little-endian" in refusal(zipped(byteorder=b"big"))


def test_a_pickle_that_calls_a_function_calls_nothing(tmp_path):
    class Attack:
        def __reduce__(self):
            return Path.touch, (tmp_path / "called",)

    assert "it contains more than tensors" in refusal(zipped(data_pkl=pickle.dumps({"a": Attack()}, 2)))
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"PK\x03\x04", b"PK\x03\x04" + bytes(100), bytes(1000), b"text\n" * 100]
)
def test_other_files_are_refused(data):
    refusal(data)
