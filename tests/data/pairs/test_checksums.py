import zlib

import numpy as np
import pytest

from siamese_tf.data.pairs.checksums import check_members, encode_checksums
from siamese_tf.data.pairs.npz import member_crc32
from siamese_tf.errors import PairFileError

ARRAYS = {"images": np.arange(6, dtype=np.uint8), "split": np.zeros(3, np.uint8), "manifest": np.array("{}")}
MEMBERS = {f"{name}.npy": member_crc32(array) for name, array in ARRAYS.items()}
CHECKSUMS = {"checksums.npy": zlib.crc32(b"whatever")}
PUBLISHED = ("images", "labels", "split", "manifest", "checksums")


def check(checksums, members, **manifest):
    check_members(checksums, members, PUBLISHED, manifest, "x.npz")


def test_members_that_are_what_was_written():
    check(encode_checksums(ARRAYS), MEMBERS | CHECKSUMS)
    check(encode_checksums(ARRAYS), MEMBERS | CHECKSUMS, format=1)
    check(encode_checksums(ARRAYS), MEMBERS | CHECKSUMS | {"ages.npy": 5}, format=1)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({key: MEMBERS[key] for key in MEMBERS if key != "split.npy"}, "'split.npy' is missing"),
        ({"spli4.npy" if key == "split.npy" else key: MEMBERS[key] for key in MEMBERS}, "'split.npy' is missing"),
        (MEMBERS | {"labels.npy": 5}, "'labels.npy' was added"),
        (MEMBERS | {"images.npy": 5}, "since siamese_tf wrote it; 'images.npy' was changed. Copy or generate"),
        (MEMBERS | {"manifest.npy": 5}, "'manifest.npy' was changed"),
        ({}, "is missing"),
    ],
)
def test_members_that_are_not_what_was_written(members, words):
    with pytest.raises(PairFileError, match=words) as caught:
        check(encode_checksums(ARRAYS), members | CHECKSUMS)
    assert str(caught.value).startswith("x.npz must be unchanged ")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array("{"), "must be JSON"),
        (np.array("[" * 100_000), "must be JSON"),
        (np.frombuffer((0x110000).to_bytes(4, "little"), "<U1").reshape(()), "must be JSON"),
        (np.array("[]"), "must be a JSON object; got list"),
        (np.array(["{}", "{}"]), r"shape \(2,\)"),
        (np.array("{}"), "was added"),
        (np.array(7), "dtype int64"),
        (np.array("7"), "a JSON object; got int"),
    ],
)
def test_what_are_no_checksums(array, words):
    with pytest.raises(PairFileError, match=words):
        check(array, MEMBERS | CHECKSUMS)


def test_earlier_files_of_ours_may_hold_more_where_nothing_can_be_misnamed():
    check(None, MEMBERS, format=1)
    check(None, MEMBERS | {"labels.npy": 5, "ages.npy": 5}, format=1)
    with pytest.raises(PairFileError, match=r"must have the array 'labels'; got 'label3.npy' instead"):
        check(None, MEMBERS | {"label3.npy": 5}, format=1)
    with pytest.raises(PairFileError, match="must have the array 'split'"):
        check(None, {"images.npy": 5, "manifest.npy": 0}, format=1)


def test_files_of_others_may_hold_what_they_like():
    check(None, {"images.npy": 5, "more.npy": 6}, seed=3)
