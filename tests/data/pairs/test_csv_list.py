import csv
import io

import numpy as np
import pytest

from siamese_tf.data.pairs.csv_list import parse_csv as parse_csv_lines
from siamese_tf.data.pairs.csv_list import write_csv_pairs
from siamese_tf.data.pairs.csv_rows import TextLines
from siamese_tf.data.pairs.listed_pairs import ListedPairs
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION
from siamese_tf.errors import PairFileError


def parse_csv(text: str, name: str) -> ListedPairs:
    return parse_csv_lines(io.StringIO(text, newline="").readlines(), name)


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
        ("img1;img2;similarity\na;b;1\n", "got 'img1;img2;similarity'"),
        ("img1,img2,similarity\n", "list must have a pair in each line"),
        ("img1,img2,similarity\na,b,1\na,b,same\n", "line 3: a row must have two images and similarity 1"),
        ("img1,img2,similarity\na,b,\n", "line 2: a row must have two images"),
        ("img1,img2,similarity\n,b,1\n", "line 2: a row must have two images"),
        ("img1,img2,similarity\na,b\n", "line 2: the line has 2 fields and the header 3"),
        (
            "img1,img2,similarity\na,b,c,1\n",
            "line 2: the line has 4 fields and the header 3; put paths with commas in",
        ),
        ("img1,img2,similarity,split\na,b,1,dev\n", "split must be one of train, validation, test; got 'dev'"),
        ('img1,img2,similarity\n"a,b,1\n', "must be a CSV file"),
    ],
)
def test_csv_refusals(text, words):
    with pytest.raises(PairFileError) as caught:
        parse_csv(text, "list")
    assert words in str(caught.value)


def test_a_long_field_is_not_printed_whole():
    with pytest.raises(PairFileError, match="line 2: split must be one of .*; got 'a{199}\\."):
        parse_csv(f"img1,img2,similarity,split\na,b,1,{'a' * 5000}\n", "list")


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


GROUPED = "img1,img2,similarity,group\na,b,1,Greek\nb,c,0,Greek\nd,e,0,\na,f,0,\nf,g,1,Latin\n"


def test_a_group_is_that_of_both_images():
    assert parse_csv(GROUPED, "list").groups == {**dict.fromkeys("abc", "Greek"), **dict.fromkeys("fg", "Latin")}
    assert parse_csv("img1,img2,similarity\na,b,1\n", "list").groups == {}


def test_an_image_in_two_groups_is_refused_with_its_line():
    with pytest.raises(PairFileError, match="list, line 7: an image must be in one group; got 'b' in 'Greek' and 'Lat"):
        parse_csv(f"{GROUPED}b,h,0,Latin\n", "list")


def test_groups_are_written_where_there_are_some(tmp_path):
    pairs = {TRAIN: (np.array([0, 0]), np.array([1, 2]), np.array([1, 0]))}
    write_csv_pairs(tmp_path / "a.csv", tmp_path, ["x", "y", "z"], pairs, groups=["Greek", "Greek", "Latin"])
    assert (tmp_path / "a.csv").read_text() == (
        "img1,img2,similarity,split,group\n./x,./y,1,train,Greek\n./x,./z,0,train,\n"
    )
    write_csv_pairs(tmp_path / "b.csv", tmp_path, ["x", "y", "z"], pairs)
    assert (tmp_path / "b.csv").read_text() == "img1,img2,similarity,split\n./x,./y,1,train\n./x,./z,0,train\n"
