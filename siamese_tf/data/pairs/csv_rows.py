"""CSV reader of all lists of pairs, for training, evaluation and scoring; and lines of other text files."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import NoReturn

from siamese_tf.errors import PairFileError
from siamese_tf.files import open_regular

COLUMNS = ("img1", "img2", "similarity", "split")
BLOCK_CHARACTERS = 2**18
MAX_LINE_CHARACTERS = 2**20
MAX_EMPTY_CHARACTERS = 2**18
BATCH_ROWS = 512  # faster than more, whose lists the garbage collector goes through
LINE_END = re.compile(r"\r\n|\r|\n")
SEPARATORS = {";": "semicolons", "\t": "tabs"}


class TextLines:
    """Lines of a UTF-8 file with their line ends, `\\n`, `\\r\\n` or `\\r`; each iteration reads the file again.

    Going through them raises `PairFileError` where the file cannot be read, is not UTF-8, has a line of more than
    `MAX_LINE_CHARACTERS`, or has more than `MAX_EMPTY_CHARACTERS` of white space in a row.
    """

    def __init__(self, path: str | Path):
        self.path = path

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._blocks())

    def _blocks(self) -> Iterator[list[str]]:
        try:
            with open_regular(self.path) as file, io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
                rest = ""
                while block := text.read(BLOCK_CHARACTERS):
                    if len(block) >= MAX_EMPTY_CHARACTERS and not block.strip():
                        self._refuse(f"more than {MAX_EMPTY_CHARACTERS:,} empty lines or spaces in a row")
                    lines = io.StringIO(rest + block, newline="").readlines()
                    rest = lines.pop()  # it may go on in the next block, and so may its end
                    if len(rest) > MAX_LINE_CHARACTERS:
                        self._refuse(f"a line of more than {MAX_LINE_CHARACTERS:,} characters")
                    yield lines
                yield [rest] if rest else []
        except OSError as error:
            raise PairFileError(f"cannot read the pairs {self.path}: {error.strerror}. Check the path") from error
        except UnicodeDecodeError as error:
            raise PairFileError(f"{self.path} is not a UTF-8 text: {error}. Save it as one") from error

    def _refuse(self, found: str) -> NoReturn:
        raise PairFileError(f"{self.path} has {found}; expected a list of pairs. Check the path")


@dataclass(frozen=True)
class CsvBatch:
    """Consecutive rows of a CSV file, and the number of lines before them; an empty line is an empty list."""

    lines_before: int
    rows: list[list[str]]

    def numbered(self) -> Iterator[tuple[int, list[str]]]:
        """Yields the number of the (last) line of each row that is not empty, and its fields."""
        number = self.lines_before
        for fields in self.rows:
            number += 1 + sum(len(LINE_END.findall(field)) for field in fields)
            if fields:
                yield number, fields

    def is_well_formed(self, count: int, values: Mapping[int, Set[str]], filled: Iterable[int] = ()) -> bool:
        """Checks all rows at once: in a tenth of the time that it takes one by one.

        Args:
            count: how many fields each row must have.
            values: position of a field -> what it may be.
            filled: positions of fields that must not be empty.
        """
        rows = [*filter(None, self.rows)]
        return (
            {*map(len, rows)} <= {count}
            and all({*map(itemgetter(position), rows)} <= allowed for position, allowed in values.items())
            and all("" not in map(itemgetter(position), rows) for position in filled)
        )


def csv_columns(lines: Iterable[str], name: str, required: Sequence[str]) -> list[str]:
    """Returns the names of the columns, from the first line.

    Names are case-sensitive and not stripped. Those in `COLUMNS` may occur once; other columns are allowed.

    Args:
        lines: with their ends.
        name: what the messages call the file.
        required: the columns that must be there, of `COLUMNS`.

    Raises:
        PairFileError: the columns are not those, or the text is not CSV.
    """
    columns = next(_batches(lines, name), CsvBatch(0, [[]])).rows[0]
    _check_columns(columns, name, required)
    return columns


def csv_batches(lines: Iterable[str], name: str) -> Iterator[CsvBatch]:
    """Yields the rows below the first line, `BATCH_ROWS` at a time.

    A field may be in double quotes, and must be where it holds a comma, a double quote (written twice) or the end of a
    line.

    Args:
        lines: with their ends, the first one included.
        name: what the messages call the file.

    Raises:
        PairFileError: the text is not CSV.
    """
    return islice(_batches(lines, name), 1, None)


def _batches(lines: Iterable[str], name: str) -> Iterator[CsvBatch]:
    """Yields the first row alone, then the others."""
    reader = csv.reader(lines, strict=True)
    size, lines_before = 1, 0
    try:
        while rows := [*islice(reader, size)]:
            yield CsvBatch(lines_before, rows)
            size, lines_before = BATCH_ROWS, reader.line_num
    except csv.Error as error:
        raise PairFileError(f"{name} is not a CSV file: {error} (line {reader.line_num:,}). Save it as one") from error


def _check_columns(columns: list[str], name: str, required: Sequence[str]) -> None:
    twice = [column for column in COLUMNS if columns.count(column) > 1]
    if {*required} <= {*columns} and not twice:
        return
    first = ",".join(columns)
    hint = "Correct it"
    if twice:
        hint = f"Name {twice[0]} once"
    elif {*required} <= {column.strip().lower() for column in columns}:
        hint = "Write the names in lower case, without spaces"
    elif found := [word for separator, word in SEPARATORS.items() if separator in first]:
        hint = f"Separate the columns by commas, not by {found[0]}"
    may = [column for column in COLUMNS if column not in required]
    raise PairFileError(
        f"the first line of {name} must name the columns {','.join(required)}, and may name {','.join(may)}, each once,"
        f" with commas and without spaces; it is {first!r:.100}. {hint}"
    )


def describe_field_count(fields: list[str], columns: list[str]) -> str:
    """Describes a row whose number of fields is not that of the columns; returns "" if they are equal."""
    if len(fields) == len(columns):
        return ""
    found = f"the line has {len(fields)} fields and the header {len(columns)}"
    return f"{found}; put paths that hold commas in double quotes" if len(fields) > len(columns) else found
