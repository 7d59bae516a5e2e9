import io
import pickle
import pickletools
from collections import OrderedDict

import pytest

from siamese_tf.errors import ModelFileError
from siamese_tf.models.pretrained import pickle_machine
from siamese_tf.models.pretrained.pickle_machine import PickleMachine


def machine() -> PickleMachine:
    """A machine for which OrderedDict is the only known name."""

    def named(module, name):
        assert (module, name) == ("collections", "OrderedDict")
        return lambda: {}

    return PickleMachine(named, lambda identity: identity)


def load(data: bytes):
    return machine().load(io.BytesIO(data))


def refusal(data: bytes) -> str:
    with pytest.raises(ModelFileError) as caught:
        load(data)
    return str(caught.value)


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize(
    "value",
    [
        {"a": 1, "b": [2, -3, 300, 70_000, 2**80], "c": ()},
        [(1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), None, True, False, "text", "\u2603" * 300],
        {"shared": [0] * 3, "again": {"nested": {}}},
    ],
)
def test_plain_values_are_those_of_pickle(value, protocol):
    assert load(pickle.dumps(value, protocol)) == value


def test_shared_values_and_ordered_dictionaries():
    shared = ["x"]
    assert load(pickle.dumps(OrderedDict(a=shared, b=shared), 2)) == {"a": ["x"], "b": ["x"]}


def test_the_file_is_left_after_the_pickle():
    file = io.BytesIO(pickle.dumps([1], 2) + b"rest")
    machine().load(file)
    assert file.read() == b"rest"


def test_every_opcode_that_is_not_needed_is_refused():
    """Among them are those that import, call or build objects of any class."""
    refused = {
        "INST",
        "OBJ",
        "NEWOBJ",
        "NEWOBJ_EX",
        "EXT1",
        "EXT2",
        "EXT4",
        "PERSID",
        "POP",
        "DUP",
        "LONG4",
        "BINFLOAT",
    }
    for opcode in pickletools.opcodes:
        if opcode.name in refused:
            with pytest.raises(ModelFileError, match=f"opcode {opcode.name}"):
                machine().run(opcode.name, None)


@pytest.mark.parametrize("key", [1, None, (1, 2)])
def test_names_that_are_not_text_are_refused(key):
    assert "its names must be text" in refusal(pickle.dumps({key: 1}, 2))


def test_a_long_pickle_is_refused(monkeypatch):
    monkeypatch.setattr(pickle_machine, "MAX_OPCODES", 20)
    assert "at most 20 opcodes" in refusal(pickle.dumps(list(range(100)), 2))
