import csv
import io

import numpy as np
import pytest
from siamese_tf.data.pairs.pair_text import ListedPairs, is_lfw, is_list, write_csv_pairs
from siamese_tf.data.pairs.pair_text import parse_csv as parse_csv_lines
from siamese_tf.data.pairs.pair_text import parse_lfw as parse_lfw_lines

from siamese_tf.data.pairs.csv_rows import TextLines
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION
from siamese_tf.errors import PairFileError

LFW = "2\t1\nAnn_Lee\t1\t12\nAnn_Lee\t1\tBob\t2\n\nBob\t1\t2\nBob\t3\tAnn_Lee\t4\n"


def parse_csv(text: str, name: str) -> ListedPairs:
    return parse_csv_lines(io.StringIO(text, newline="").readlines(), name)


def parse_lfw(text: str, name: str) -> ListedPairs:
    return parse_lfw_lines(io.StringIO(text, newline="").readlines(), name)


def test_csv():
    listed = parse_csv('img1,note,similarity,img2\na.png,x,1,b.png\n\n"c, d.png",y,0,a.png\n', "list")
    assert (listed.img1, listed.img2) == (["a.png", "c, d.png"], ["b.png", "a.png"])
    assert listed.similarity.tolist() == [1, 0]
    assert listed.split.tolist() == [TRAIN, TRAIN]


def test_csv_with_split():
    listed = parse_csv("split,img1,img2,similarity\ntest,a,b,1\r\ntrain,a,c,0\r\nvalidation,a,d,0", "list")
    assert listed.split.tolist() == [TEST, TRAIN, VALIDATION]


def test_a_name_may_hold_what_ends_a_line_elsewhere():
    assert parse_csv("img1,img2,similarity\na\u2028b,\x85,1\n", "list").img1 == ["a\u2028b"]
    assert parse_csv('img1,img2,similarity\n"a\nb",c,1\n', "list").img1 == ["a\nb"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "first line of list must name the columns img1,img2,similarity"),
        ("img1,img2\na,b\n", "img1,img2"),
        ("img1,img2,similarity,img1\n", "each once"),
        ("img1;img2;similarity\na;b;1\n", "it is 'img1;img2;similarity'"),
        ("img1,img2,similarity\n", "list holds no pairs"),
        ("img1,img2,similarity\na,b,1\na,b,same\n", "line 3: expected two images and a similarity of 1"),
        ("img1,img2,similarity\na,b,\n", "line 2: expected two images"),
        ("img1,img2,similarity\n,b,1\n", "line 2: expected two images"),
        ("img1,img2,similarity\na,b\n", "line 2: the line has 2 fields and the header 3"),
        (
            "img1,img2,similarity\na,b,c,1\n",
            "line 2: the line has 4 fields and the header 3; put paths that hold commas in",
        ),
        ("img1,img2,similarity,split\na,b,1,dev\n", "line 2: split is 'dev'; expected train, validation, test"),
        ('img1,img2,similarity\n"a,b,1\n', "not a CSV file"),
    ],
)
def test_csv_refusals(text, words):
    with pytest.raises(PairFileError) as caught:
        parse_csv(text, "list")
    assert words in str(caught.value)


def test_a_long_field_is_not_printed_whole():
    with pytest.raises(PairFileError, match="line 2: split is 'a{199}; expected train"):
        parse_csv(f"img1,img2,similarity,split\na,b,1,{'a' * 5000}\n", "list")


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
        ("", "first line of pairs.txt must say the number of folds"),
        ("Ann 1 2\n", "it is 'Ann 1 2'"),
        ("0 300\n", "as in '10 300'"),
        ("10 ²\n", "as in '10 300'"),
        ("10 99999999999999999999\n", "as in '10 300'"),
        ("1 1\nAnn 1 2\n", "has 1 pairs; expected 2: 1 folds with 1 similar and 1 dissimilar"),
        ("1 1\nAnn 1 2\nAnn 1 2\n", "pair 2: 'Ann 1 2'; expected name1 n1 name2 n2"),
        ("1 1\nAnn 1 Bob 2\nAnn 1 Bob 2\n", "pair 1: 'Ann 1 Bob 2'; expected name n1 n2"),
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


def test_written_lists_are_read_again(tmp_path):
    names = ["s1/a.png", 's1/with, "marks".png', "s2/ä\n.png"]
    column = np.array
    pairs = {TRAIN: (column([0]), column([1]), column([1])), TEST: (column([2]), column([0]), column([0]))}
    (tmp_path / "real" / "lists").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "lists")
    write_csv_pairs(tmp_path / "link" / "pairs.csv", tmp_path / "people", names, pairs)
    rows = [*csv.reader((tmp_path / "link" / "pairs.csv").read_text(encoding="utf-8").splitlines(keepends=True))]
    assert rows[:2] == [
        ["img1", "img2", "similarity", "split"],
        ["../../people/s1/a.png", '../../people/s1/with, "marks".png', "1", "train"],
    ]
    listed = parse_csv_lines(TextLines(tmp_path / "link" / "pairs.csv"), "list")
    assert listed.img1 == ["../../people/s1/a.png", "../../people/s2/ä\n.png"]
    assert (listed.similarity.tolist(), listed.split.tolist()) == ([1, 0], [TRAIN, TEST])


def test_what_a_file_is_stands_at_the_end_of_its_name():
    assert is_list("a.csv")
    assert is_list("A.TXT")
    assert not is_list("a.npz")
    assert [is_lfw(name) for name in ("a.csv", "A.TXT", "a.npz")] == [False, True, False]
