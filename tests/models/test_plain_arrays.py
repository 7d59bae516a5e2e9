"""Reading plain arrays; more invalid arrays are in `tests/attack_corpus.py`."""

import io
from collections.abc import Callable

import h5py
import numpy as np
import pytest

from siamese_tf.errors import ModelFileError
from siamese_tf.models.plain_arrays import MAX_ARRAYS, read_plain_arrays


def hdf5(change: Callable[[h5py.File], object] = lambda file: None) -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file["vars/a"] = np.arange(6, dtype=np.float32).reshape(2, 3)
        file["vars/größe"] = np.float32(2)
        change(file)
    return out.getvalue()


def crowd(file: h5py.File) -> None:
    file["vars/big"] = np.zeros(2000, np.float32)
    for number in range(200):
        file[f"vars/{number}"] = file["vars/big"]


def test_arrays_come_back_by_name():
    arrays = read_plain_arrays(hdf5())
    assert set(arrays) == {"a", "größe"}
    np.testing.assert_array_equal(arrays["a"], [[0, 1, 2], [3, 4, 5]])
    assert arrays["größe"] == 2
    assert {array.dtype for array in arrays.values()} == {np.dtype("float32")}


def test_other_groups_are_passed_over_where_they_may_be():
    content = hdf5(lambda file: file.create_group("optimizer"))
    assert set(read_plain_arrays(content, alone=False)) == {"a", "größe"}
    with pytest.raises(ModelFileError, match="must contain the group 'vars' only"):
        read_plain_arrays(content)


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda file: file["vars"].create_dataset("b", (3,), "f8"), "weight 'b' is not a plain float32 array"),
        (lambda file: file["vars"].create_dataset("b", data=np.zeros(2, "f4"), chunks=(1,)), "'b' is not a plain"),
        (lambda file: file["vars"].create_group("b"), "'b' in the weights is not a plain dataset"),
        (lambda file: file.move("vars", "other"), "must contain the group 'vars' only"),
        (crowd, "declares more values than it contains"),
        (
            lambda file: [file["vars"].__setitem__(str(i), h5py.SoftLink("/a")) for i in range(MAX_ARRAYS)],
            f"at most {MAX_ARRAYS:,} arrays; got {MAX_ARRAYS + 2:,}",
        ),
    ],
)
def test_anything_else_is_refused(change, finding):
    with pytest.raises(ModelFileError, match=finding):
        read_plain_arrays(hdf5(change))


def test_a_large_tower_of_ones_own_may_have_more():
    content = hdf5(lambda file: [file["vars"].__setitem__(str(i), np.float32(i)) for i in range(5)])
    assert len(read_plain_arrays(content, max_arrays=7)) == 7
    with pytest.raises(ModelFileError, match="at most 6 arrays; got 7"):
        read_plain_arrays(content, max_arrays=6)


def test_the_message_of_a_library_is_cut():
    with pytest.raises(ModelFileError, match="the weights file is damaged") as caught:
        read_plain_arrays(hdf5()[:300])
    assert len(str(caught.value)) < 400
