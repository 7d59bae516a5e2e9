import io

import numpy as np
import pytest

from siamese_tf.data.pairs.lfw_list import parse_lfw as parse_lfw_lines
from siamese_tf.data.pairs.listed_pairs import ListedPairs
from siamese_tf.data.pairs.pair_file import TEST
from siamese_tf.errors import PairFileError

LFW = "2\t1\nAnn_Lee\t1\t12\nAnn_Lee\t1\tBob\t2\n\nBob\t1\t2\nBob\t3\tAnn_Lee\t4\n"


def parse_lfw(text: str, name: str) -> ListedPairs:
    return parse_lfw_lines(io.StringIO(text, newline="").readlines(), name)


def test_lfw():
    listed = parse_lfw(LFW, "pairs.txt")
    assert listed.img1 == ["Ann_Lee/Ann_Lee_0001", "Ann_Lee/Ann_Lee_0001", "Bob/Bob_0001", "Bob/Bob_0003"]
    assert listed.img2 == ["Ann_Lee/Ann_Lee_0012", "Bob/Bob_0002", "Bob/Bob_0002", "Ann_Lee/Ann_Lee_0004"]
    assert listed.similarity.tolist() == [1, 0, 1, 0]
    assert listed.fold.tolist() == [0, 0, 1, 1]
    assert listed.split.tolist() == [TEST] * 4


def test_lfw_of_the_published_size():
    """Ten folds of 300 and 300."""
    same = "\n".join(f"P{k}\t1\t2" for k in range(300))
    other = "\n".join(f"P{k}\t1\tQ{k}\t1" for k in range(300))
    listed = parse_lfw("10\t300\n" + f"{same}\n{other}\n" * 10, "pairs.txt")
    assert np.bincount(listed.fold).tolist() == [600] * 10
    assert np.array(listed.similarity).reshape(10, 2, 300).all(axis=2).tolist() == [[True, False]] * 10


def test_lfw_of_one_fold():
    assert parse_lfw("1\r\nAnn 1 2\r\nAnn 1 Bob 2\r\n", "pairs.txt").fold.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "first line of pairs.txt must be the number of folds"),
        ("Ann 1 2\n", "got 'Ann 1 2'"),
        ("0 300\n", "as in '10 300'"),
        ("10 ²\n", "as in '10 300'"),
        ("10 99999999999999999999\n", "as in '10 300'"),
        ("1 1\nAnn 1 2\n", "must have 2 pairs, 1 folds with 1 similar and 1 dissimilar pairs; got 1"),
        ("1 1\nAnn 1 2\nAnn 1 2\n", "pair 2 must be 'name1 n1 name2 n2' with two people; got 'Ann 1 2'"),
        ("1 1\nAnn 1 Bob 2\nAnn 1 Bob 2\n", "pair 1 must be 'name n1 n2'; got 'Ann 1 Bob 2'"),
        ("1 1\nAnn 1 2\nAnn 1 Ann 2\n", "two people"),
        ("1 1\nAnn one 2\nAnn 1 Bob 2\n", "pair 1"),
        ("1 1\nAnn 1\nAnn 1 Bob 2\n", "pair 1"),
        ("1 1\n../x 1 2\nAnn 1 Bob 2\n", "pair 1"),
        ("1 1\n.. 1 2\nAnn 1 Bob 2\n", "pair 1"),
    ],
)
def test_lfw_refusals(text, words):
    with pytest.raises(PairFileError) as caught:
        parse_lfw(text, "pairs.txt")
    assert words in str(caught.value)
