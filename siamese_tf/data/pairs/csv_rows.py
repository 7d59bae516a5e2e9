"""CSV reader for the lists of pairs of training, evaluation and scoring; also reads lines of other text files."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NoReturn

from siamese_tf.errors import PairFileError
from siamese_tf.files import open_regular

COLUMNS = ("img1", "img2", "similarity", "split", "group")
BLOCK_CHARACTERS = 2**18
MAX_LINE_CHARACTERS = 2**20
MAX_EMPTY_CHARACTERS = 2**18
BATCH_ROWS = 512  # larger batches are slower, since the garbage collector traverses their lists
LINE_END = re.compile(r"\r\n|\r|\n")
SEPARATORS = {";": "semicolons", "\t": "tabs"}


class TextLines:
    """Lines of a UTF-8 file with their line ends, `\\n`, `\\r\\n` or `\\r`; each iteration reads the file again.

    Iteration raises `PairFileError` if the file cannot be read, is not UTF-8, has a line of more than
    `MAX_LINE_CHARACTERS`, or has more than `MAX_EMPTY_CHARACTERS` of consecutive white space.
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
                        self._refuse(f"more than {MAX_EMPTY_CHARACTERS:,} consecutive empty lines or spaces")
                    lines = io.StringIO(rest + block, newline="").readlines()
                    rest = lines.pop()  # the next block may continue the line, or its line end
                    if len(rest) > MAX_LINE_CHARACTERS:
                        self._refuse(f"a line of more than {MAX_LINE_CHARACTERS:,} characters")
                    yield lines
                yield [rest] if rest else []
        except OSError as error:
            raise PairFileError(f"cannot read the pairs {self.path}: {error.strerror}. Check the path") from error
        except UnicodeDecodeError as error:
            raise PairFileError(f"{self.path} must be UTF-8 text; got {error}. Save it as UTF-8") from error

    def _refuse(self, found: str) -> NoReturn:
        raise PairFileError(f"{self.path} must be a list of pairs; got {found}. Check the path")


@dataclass(frozen=True)
class CsvBatch:
    """Consecutive rows of a CSV file and the number of lines before them; an empty line is an empty list."""

    lines_before: int
    rows: list[list[str]]

    def numbered(self) -> Iterator[tuple[int, list[str]]]:
        """Yields the number of the last line and the fields of each row that is not empty."""
        number = self.lines_before
        for fields in self.rows:
            number += 1 + sum(len(LINE_END.findall(field)) for field in fields)
            if fields:
                yield number, fields

    def is_well_formed(self, count: int, values: Mapping[int, Set[str]], filled: Iterable[int] = ()) -> bool:
        """Checks all rows at once, which takes a tenth of the time of a check row by row.

        Args:
            count: number of fields that each row must have.
            values: allowed values by position of the field.
            filled: positions of the fields that must not be empty.
        """
        try:
            columns = [*zip(*filter(None, self.rows), strict=True)]
        except ValueError:  # rows of different lengths
            return False
        return not columns or (
            len(columns) == count
            and all({*columns[position]} <= allowed for position, allowed in values.items())
            and all("" not in columns[position] for position in filled)
        )


def csv_columns(lines: Iterable[str], name: str, required: Sequence[str]) -> list[str]:
    """Returns the names of the columns, from the first line.

    Names are case-sensitive and not stripped. A name in `COLUMNS` may occur only once; other columns are allowed.

    Args:
        lines: lines with their line ends.
        name: name of the file in messages.
        required: required columns, a subset of `COLUMNS`.

    Raises:
        PairFileError: if a required column is missing, a column is repeated, or the text is not CSV.
    """
    columns = next(_batches(lines, name), CsvBatch(0, [[]])).rows[0]
    _check_columns(columns, name, required)
    return columns


def csv_batches(lines: Iterable[str], name: str) -> Iterator[CsvBatch]:
    """Yields the rows below the first line, `BATCH_ROWS` at a time.

    A field may be in double quotes; it must be if it contains a comma, a double quote (written twice) or a line end.

    Args:
        lines: lines with their line ends, including the first line.
        name: name of the file in messages.

    Raises:
        PairFileError: if the text is not CSV.
    """
    return islice(_batches(lines, name), 1, None)


def _batches(lines: Iterable[str], name: str) -> Iterator[CsvBatch]:
    """Yields a batch with the first row, then batches of the others."""
    reader = csv.reader(lines, strict=True)
    size, lines_before = 1, 0
    try:
        while rows := [*islice(reader, size)]:
            yield CsvBatch(lines_before, rows)
            size, lines_before = BATCH_ROWS, reader.line_num
    except csv.Error as error:
        raise PairFileError(
            f"{name} must be a CSV file; got {error} in line {reader.line_num:,}. Save it as CSV"
        ) from error


def _check_columns(columns: list[str], name: str, required: Sequence[str]) -> None:
    repeated = [column for column in COLUMNS if columns.count(column) > 1]
    if {*required} <= {*columns} and not repeated:
        return
    first = ",".join(columns)
    hint = "Correct it"
    if repeated:
        hint = f"Name {repeated[0]} once"
    elif {*required} <= {column.strip().lower() for column in columns}:
        hint = "Write the names in lower case and without spaces"
    elif found := [word for separator, word in SEPARATORS.items() if separator in first]:
        hint = f"Separate the columns with commas, not {found[0]}"
    optional = [column for column in COLUMNS if column not in required]
    raise PairFileError(
        f"the first line of {name} must name the columns {','.join(required)} and may name"
        f" {','.join(optional)}, each once, separated by commas without spaces; got {first!r:.100}. {hint}"
    )


def describe_field_count(fields: list[str], columns: list[str]) -> str:
    """Returns a description of a row whose number of fields differs from the header; empty if they are equal."""
    if len(fields) == len(columns):
        return ""
    found = f"the line has {len(fields)} fields and the header {len(columns)}"
    return f"{found}; put paths with commas in double quotes" if len(fields) > len(columns) else found
