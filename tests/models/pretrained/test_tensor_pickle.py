import io
import pickle

import pytest

from siamese_tf.errors import ModelFileError
from siamese_tf.models.pretrained.tensor_pickle import Storage, Tensor, read_pickle, read_tensors

STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x0ctQ"  # 12 values


def tensor(offset: int = 0, shape: tuple = (3, 4), strides: tuple = (4, 1), storage: bytes = STORAGE) -> bytes:
    """Returns the opcodes of `_rebuild_tensor_v2` with these arguments."""
    plain = b"".join(pickle.dumps(value, 2)[2:-1] for value in (offset, shape, strides, False))
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + plain + b"tR"


def state_dict(*opcodes: bytes) -> io.BytesIO:
    """Returns a pickled dictionary of the values of these opcodes, named a, b, c, ..."""
    names = (b"X\x01\x00\x00\x00" + bytes([ord("a") + number]) for number in range(len(opcodes)))
    items = b"".join(name + value for name, value in zip(names, opcodes, strict=True))
    return io.BytesIO(b"\x80\x02}(" + items + b"u.")


def refusal(file: io.BytesIO) -> str:
    with pytest.raises(ModelFileError) as caught:
        read_tensors(file)
    return str(caught.value)


def test_a_tensor_is_a_view_of_its_storage():
    expected = Tensor(Storage("<f4", "0", 12), 1, (2, 3), (5, 2))
    assert read_tensors(state_dict(tensor(1, (2, 3), (5, 2)))) == {"a": expected}


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(0, (3, 5), (4, 1)), (1, (3, 4), (4, 1)), (12, (1,), (1,)), (0, (2,), (2**39,)), (0, (2**39,), (2**39,))],
)
def test_a_tensor_beyond_its_storage_is_refused(offset, shape, strides):
    assert "a tensor must lie within its storage of 12 values" in refusal(state_dict(tensor(offset, shape, strides)))


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (-2,), (1,)),
        (0, (2, 2), (1,)),
        (0, (True,), (1,)),
        (0, (1,) * 9, (1,) * 9),
    ]
    + [(0, 2, 1), (0, (2**80,), (0,)), (None, (1,), (1,))],
)
def test_a_tensor_with_wrong_arguments_is_refused(offset, shape, strides):
    assert "a tensor must have a shape and strides" in refusal(state_dict(tensor(offset, shape, strides)))


@pytest.mark.parametrize(
    "storage",
    [
        STORAGE.replace(b"\x07\x00\x00\x00storage", b"\x06\x00\x00\x00module"),
        STORAGE.replace(b"ctorch\nFloatStorage\n", b"K\x01"),
        STORAGE.replace(b"K\x0c", b"J\xff\xff\xff\xff"),
        STORAGE.replace(b"X\x01\x00\x00\x000", b"K\x00"),
    ],
)
def test_a_wrong_storage_is_refused(storage):
    assert "its storages must have a key and a number of values" in refusal(state_dict(tensor(storage=storage)))


@pytest.mark.parametrize(
    "name", [b"os\nsystem", b"builtins\neval", b"torch\nload", b"torch.nn\nModule", b"collections\ndict"]
)
def test_other_names_are_refused(name):
    assert name.replace(b"\n", b".").decode() in refusal(state_dict(b"c" + name + b"\n"))


@pytest.mark.parametrize("value", [[], {"a": 1}, {"epoch": 3, "state_dict": {}}, "text", None])
def test_anything_but_a_state_dict_is_refused(value):
    assert "it must contain only a state_dict, one tensor per name" in refusal(io.BytesIO(pickle.dumps(value, 2)))


def test_a_dictionary_is_never_copied():
    """Copies of a large one would fill the memory."""
    with pytest.raises(TypeError):
        read_pickle(io.BytesIO(b"\x80\x02ccollections\nOrderedDict\n}\x85R."))
