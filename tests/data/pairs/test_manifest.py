import json

import numpy as np
import pytest

from siamese_tf.data.pairs.manifest import decode_manifest, encode_manifest
from siamese_tf.errors import PairFileError


@pytest.mark.parametrize("manifest", [{}, {"source": "ä", "format": 1, "audit": {"leaks": 0, "share": [0.1, None]}}])
def test_it_comes_back(manifest):
    array = encode_manifest(manifest, "x.npz")
    assert (array.shape, array.dtype.kind) == ((), "U")
    assert json.loads(str(array)) == decode_manifest(array, "x.npz") == manifest


def test_the_order_of_keys_does_not_count():
    one, two = {"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}
    assert encode_manifest(one, "x.npz") == encode_manifest(two, "x.npz")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.frombuffer((0x110000).to_bytes(4, "little"), "<U1").reshape(()), "must be JSON"),
        (np.array("{"), "must be JSON"),
        (np.array("[" * 100_000), "must be JSON"),
        (np.array('{"seed": ' + "9" * 5000 + "}"), "must be JSON"),
        (np.array("[1, 2]"), "must be a JSON object; got list"),
        (np.array('{"class_names": ["\\ud800"]}'), "must be Unicode; got surrogates not allowed"),
        (np.array('{"a\ud800": 1}'), "must be Unicode"),
        (np.array(["{}"]), r"shape \(1,\)"),
        (np.array(3), "dtype int64"),
        (np.zeros((), f"<U{2**23 + 1}"), "must be one text of at most 33,554,432 bytes"),
    ],
)
def test_what_is_no_manifest(array, words):
    with pytest.raises(PairFileError, match=words) as caught:
        decode_manifest(array, "x.npz")
    assert str(caught.value).startswith("x.npz: ")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(("manifest", "error"), [({"a": "\ud800"}, PairFileError), ({"a": float("nan")}, ValueError)])
def test_what_could_not_be_read_is_not_written(manifest, error):
    with pytest.raises(error):
        encode_manifest(manifest, "x.npz")
