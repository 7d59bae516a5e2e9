import io
import json
import re
import struct

import numpy as np
import pytest

from siamese_tf.errors import ModelFileError
from siamese_tf.models.pretrained import safetensors as module
from siamese_tf.models.pretrained.safetensors import read_safetensors


def packed(header: object, data: bytes = b"") -> bytes:
    """Returns the bytes of a file with a header: bytes unchanged, other values as JSON."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(begin: int, stop: int, shape: list, dtype: object = "F32") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, stop]}


@pytest.fixture
def read():
    """A function that reads a file with the given content."""
    return lambda content: read_safetensors(io.BytesIO(content))


def test_two_arrays_by_hand(read):
    """The second array comes first in the header, which is padded with spaces as by the reference writer."""
    header = json.dumps({"b": entry(8, 20, [3, 1]), "__metadata__": {"format": "pt"}, "a": entry(0, 8, [], "I64")})
    arrays = read(packed(header.encode() + b"   ", struct.pack("<q3f", -7, 0.5, 1.5, -2.5)))
    assert set(arrays) == {"a", "b"}
    np.testing.assert_array_equal(arrays["a"], -7)
    np.testing.assert_array_equal(arrays["b"], [[0.5], [1.5], [-2.5]])
    assert (arrays["a"].dtype, arrays["b"].dtype) == (np.int64, np.float32)


@pytest.mark.parametrize(("name", "dtype"), module.DTYPES.items())
def test_every_type_that_is_read(read, name, dtype):
    numbers = np.arange(-3, 3).reshape(2, 3).astype(dtype)
    arrays = read(packed({"w": entry(0, numbers.nbytes, [2, 3], name)}, numbers.tobytes()))
    np.testing.assert_array_equal(arrays["w"], numbers)
    assert arrays["w"].dtype == numbers.dtype


def test_a_file_without_arrays(read):
    assert read(packed({})) == {}


FOUR = b"\0" * 4
HOSTILE = {
    "empty": (b"", "^it is empty. Copy or convert"),
    "short": (b"\1\0\0", "the file of 3 bytes"),
    "header longer than the file": (struct.pack("<Q", 3) + b"{}", "the file of 10 bytes; got a length of 3"),
    "header of 2**63": (struct.pack("<Q", 2**63) + b"{}", "got a length of 9,223,372,036,854,775,808"),
    "header too long": (packed(b"{" + b" " * module.MAX_HEADER_BYTES + b"}"), "header must have at most 1,048,576"),
    "no JSON": (packed(b"{'a'}"), "its header is not JSON"),
    "no text": (packed(b"\xff\xfe\xfd"), "its header is not JSON"),
    "nested": (packed(b'{"a":' + b"[" * 200_000), "its header is not JSON"),
    "endless number": (packed(b'{"a":' + b"1" * 9000 + b"}"), "its header is not JSON"),
    "a list": (packed([]), "must be a JSON object; got list"),
    "duplicate": (packed(b'{"a": 1, "a": 1}'), "a name occurs twice"),
    "no entry": (packed({"a": 3}), "'a' must have dtype, shape and data_offsets; got 3"),
    "less": (packed({"a": {"dtype": "F32", "shape": []}}), "must have dtype, shape and data_offsets"),
    "more": (packed({"a": entry(0, 4, []) | {"b": 1}}, FOUR), "must have dtype, shape and data_offsets"),
    "another type": (packed({"a": entry(0, 2, [], "BF16")}, b"\0\0"), "'a' must have a dtype of F64, .*; got 'BF16'"),
    "invalid type": (packed({"a": entry(0, 4, [], ["F32"])}, FOUR), "'a' must have a dtype of"),
    "shape of text": (packed({"a": entry(0, 4, ["1"])}, FOUR), "a valid shape and data_offsets"),
    "shape of true": (packed({"a": entry(0, 4, [True])}, FOUR), "a valid shape and data_offsets"),
    "shape below 0": (packed({"a": entry(0, 4, [-1, -1])}, FOUR), "a valid shape and data_offsets"),
    "nothing": (packed({"a": entry(0, 0, [0, 2**80])}), "a valid shape and data_offsets"),
    "no shape": (packed({"a": entry(0, 4, {})}, FOUR), "a valid shape and data_offsets"),
    "many axes": (packed({"a": entry(0, 4, [1] * 99)}, FOUR), "a valid shape and data_offsets"),
    "one offset": (packed({"a": entry(0, 4, []) | {"data_offsets": [0]}}, FOUR), "a valid shape and data_offsets"),
    "offsets of text": (packed({"a": entry("0", "4", [])}, FOUR), "a valid shape and data_offsets"),
    "too few bytes": (packed({"a": entry(0, 4, [2])}, FOUR), "have 8 bytes at offset 0; got offsets 0 to 4 in 4 bytes"),
    "huge": (packed({"a": entry(0, 4, [2**40] * 8)}, FOUR), "'a' must have .* bytes at offset 0"),
    "huge axis": (packed({"a": entry(0, 4, [2**40 + 1])}, FOUR), "a valid shape and data_offsets"),
    "4000 digits": (packed({"a": entry(0, 4, [10**4000, 10**4000])}, FOUR), "a valid shape and data_offsets"),
    "far offset": (packed({"a": entry(0, 10**4000, [1])}, FOUR), "a valid shape and data_offsets"),
    "beyond the end": (packed({"a": entry(0, 8, [2])}, FOUR), "got offsets 0 to 8 in 4 bytes"),
    "backwards": (packed({"a": entry(4, 0, [])}, FOUR), "got offsets 4 to 0 in 4 bytes"),
    "a hole": (packed({"a": entry(4, 8, [])}, 2 * FOUR), "have 4 bytes at offset 0; got offsets 4 to 8"),
    "same offsets": (packed({"a": entry(0, 4, []), "b": entry(0, 4, [])}, FOUR), "'b' must have 4 bytes at offset 4"),
    "more at the end": (packed({"a": entry(0, 4, [])}, FOUR + b"\0"), "1 bytes at its end belong to no array"),
}


@pytest.mark.parametrize(("content", "finding"), HOSTILE.values(), ids=HOSTILE)
def test_damaged_and_hostile_files_are_refused(read, content, finding):
    with pytest.raises(ModelFileError) as caught:
        read(content)
    assert re.search(finding, str(caught.value)), str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_file_cut_short_anywhere_is_refused(read):
    content = packed({"a": entry(0, 8, [2]), "b": entry(8, 12, [1])}, 3 * FOUR)
    assert set(read(content)) == {"a", "b"}
    for length in range(len(content)):
        with pytest.raises(ModelFileError):
            read(content[:length])
