import io
import os

import pytest

from siamese_tf.data.pairs import csv_rows as module
from siamese_tf.data.pairs.csv_rows import BATCH_ROWS, TextLines, csv_batches, csv_columns, describe_field_count
from siamese_tf.errors import PairFileError


def rows(text: str, required=("img1", "img2")):
    lines = io.StringIO(text, newline="").readlines()
    columns = csv_columns(lines, "list", required)
    return [(1, columns)] + [row for batch in csv_batches(lines, "list") for row in batch.numbered()]


def test_the_columns_come_first_and_then_lines_with_their_numbers():
    text = 'img1,note,img2,note\n\n"a, ""b""\n.png",x,c,\r\nd\n'
    assert rows(text) == [(1, ["img1", "note", "img2", "note"]), (4, ['a, "b"\n.png', "x", "c", ""]), (5, ["d"])]


def test_line_numbers_go_on_from_batch_to_batch():
    line = "a,b\n\n" + '"a\r\n\rc",d\n'
    numbers = [number for number, _ in rows("img1,img2\n" + line * BATCH_ROWS)]
    assert numbers == [1] + [first + more for first in range(2, 5 * BATCH_ROWS + 2, 5) for more in (0, 4)]


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("a,b,1\n\na,b,0\n", True),
        ("a,b,1\na,b\n", False),
        ("a,b,1\na,b,0,c\n", False),
        ("a,b,2\n", False),
        ("a,,1\n", False),
        ("\n\n", True),
    ],
)
def test_a_batch_is_checked_at_once(text, fine):
    (batch,) = csv_batches(["img1,img2,similarity\n", *io.StringIO(text)], "list")
    assert batch.is_well_formed(3, {2: {"0", "1"}}, (0, 1)) == fine


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "got ''. Correct it"),
        ("\nimg1,img2\n", "got ''"),
        ("img1,img2,img1\n", "got 'img1,img2,img1'. Name img1 once"),
        ("img1,img2,similarity,similarity\n", "Name similarity once"),
        ("split,img1,img2,split\n", "Name split once"),
        ("img1;img2\n", "Separate the columns with commas, not semicolons"),
        ("img1\timg2\n", "Separate the columns with commas, not tabs"),
        ("img1, img2\n", "Write the names in lower case and without spaces"),
        ("Img1,IMG2\n", "Write the names in lower case and without spaces"),
        ("left,right\n", "got 'left,right'. Correct it"),
        ("x" * 100_000 + "\n", "got 'xxx"),
        (
            "img1,img2\n" + "x" * 200_000 + "\n",
            "must be a CSV file; got field larger than field limit (131072) in line 2",
        ),
        ('img1,img2\n"a"b,c\n', "must be a CSV file; got ',' expected after '\"' in line 2"),
        ('img1,img2\n"a,c\n', "must be a CSV file; got unexpected end of data"),
    ],
)
def test_refusals(text, words):
    with pytest.raises(PairFileError) as caught:
        rows(text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 500


def test_the_number_of_fields():
    assert describe_field_count(["a", "b"], ["img1", "img2"]) == ""
    assert describe_field_count(["a"], ["img1", "img2"]) == "the line has 1 fields and the header 2"
    assert describe_field_count(["a", "b", "c"], ["x", "y"]) == (
        "the line has 3 fields and the header 2; put paths with commas in double quotes"
    )


@pytest.mark.parametrize("block", [1, 2, 3, 1000])
def test_lines_come_with_their_ends_whatever_the_block(tmp_path, monkeypatch, block):
    monkeypatch.setattr(module, "BLOCK_CHARACTERS", block)
    path = tmp_path / "list.csv"
    path.write_bytes("\ufeffä,b\r\nc\u2028\x85\rd\n\ne".encode())
    assert [*TextLines(path)] == ["ä,b\r\n", "c\u2028\x85\r", "d\n", "\n", "e"]
    path.write_bytes(b"")
    assert [*TextLines(path)] == []


def test_a_line_without_end_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_LINE_CHARACTERS", 100)
    monkeypatch.setattr(module, "BLOCK_CHARACTERS", 50)
    (tmp_path / "list.csv").write_text("x" * 10_000)
    with pytest.raises(
        PairFileError, match=r"list.csv must be a list of pairs; got a line of more than 100 characters"
    ):
        [*TextLines(tmp_path / "list.csv")]


def test_a_file_of_empty_lines_is_not_read_to_its_end(tmp_path):
    (tmp_path / "list.csv").write_text("img1,img2,similarity\n" + "\n" * 1_000_000)
    with pytest.raises(PairFileError, match=r"got more than 262,144 consecutive empty lines or spaces"):
        [*TextLines(tmp_path / "list.csv")]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.csv", "cannot read the pairs .*absent.csv: No such file.*Check the path"),
        ("fifo.csv", "cannot read the pairs .*fifo.csv: Not a regular file"),
        (".", "Is a directory"),
        ("a\0b.csv", r"a\\0b.csv: The path contains a null character|null character"),
        ("latin.csv", "latin.csv must be UTF-8 text; got .*Save it as UTF-8"),
    ],
)
def test_what_cannot_be_read(tmp_path, name, words):
    os.mkfifo(tmp_path / "fifo.csv")
    (tmp_path / "latin.csv").write_bytes(b"img1,img2\n\xe4,b\n")
    with pytest.raises(PairFileError, match=words):
        [*TextLines(tmp_path / name)]
