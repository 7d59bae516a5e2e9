"""The one reader of CSV files of pairs, for training, evaluation and scoring; and of other lists, line by line."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from siamese_tf.errors import PairFileError
from siamese_tf.files import open_regular

COLUMNS = ("img1", "img2", "similarity", "split")
BLOCK_CHARACTERS = 2**18
MAX_LINE_CHARACTERS = 2**20
SEPARATORS = {";": "semicolons", "\t": "tabs"}


def text_lines(path: str | Path) -> Iterator[str]:
    """Yields the lines of a UTF-8 file with their ends: `\\n`, `\\r\\n` or `\\r`.

    Raises:
        PairFileError: it cannot be read, is not UTF-8, or has a line of more than `MAX_LINE_CHARACTERS`.
    """
    return chain.from_iterable(_blocks_of_lines(path))


def _blocks_of_lines(path: str | Path) -> Iterator[list[str]]:
    try:
        with open_regular(path) as file, io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
            rest = ""
            while block := text.read(BLOCK_CHARACTERS):
                lines = io.StringIO(rest + block, newline="").readlines()
                rest = lines.pop()  # it may go on in the next block, and so may its end
                if len(rest) > MAX_LINE_CHARACTERS:
                    raise PairFileError(
                        f"{path} has a line of more than {MAX_LINE_CHARACTERS:,} characters; expected a list of pairs."
                        " Check the path"
                    )
                yield lines
            yield [rest] if rest else []
    except OSError as error:
        raise PairFileError(f"cannot read the pairs {path}: {error.strerror}. Check the path") from error
    except UnicodeDecodeError as error:
        raise PairFileError(f"{path} is not a UTF-8 text: {error}. Save it as one") from error


def csv_rows(lines: Iterable[str], name: str, required: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yields the number and the fields of each line that is not empty; the columns, from the first line, come first.

    A field may be in double quotes, and must be where it holds a comma, a double quote (written twice) or the end of a
    line. Names of columns are compared as they are: in lower case and without spaces. Those in `COLUMNS` may stand
    there once; there may be others.

    Args:
        lines: with their ends.
        name: what the messages call the file.
        required: the columns that must be there, of `COLUMNS`.

    Raises:
        PairFileError: the columns are not those, or the text is not CSV.
    """
    reader = csv.reader(lines, strict=True)
    try:
        columns = next(reader, [])
        _check_columns(columns, name, required)
        yield 1, columns
        for fields in filter(None, reader):
            yield reader.line_num, fields
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


def wrong_count(fields: list[str], columns: list[str]) -> str:
    """Says that a line has another number of fields than there are columns; empty where it has as many."""
    if len(fields) == len(columns):
        return ""
    found = f"the line has {len(fields)} fields and the header {len(columns)}"
    return f"{found}; put paths that hold commas in double quotes" if len(fields) > len(columns) else found
