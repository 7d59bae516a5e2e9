"""Lists of pairs in the format of LFW's `pairs.txt`.

The first line gives the number of folds and the number of similar pairs per fold, which is also the number of
dissimilar pairs; a single number means one fold. A similar pair is `name n1 n2`, a dissimilar pair `name1 n1 name2 n2`.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from siamese_tf.data.pairs.csv_rows import (
    BATCH_ROWS,
    TextLines,
)
from siamese_tf.data.pairs.listed_pairs import ListedPairs
from siamese_tf.data.pairs.pair_file import TEST
from siamese_tf.errors import PairFileError

NUMBER = re.compile(r"[0-9]{1,6}")


def parse_lfw(lines: TextLines | Sequence[str], name: str) -> ListedPairs:
    """Parses a list in the format of LFW's `pairs.txt`; the image names are like `name/name_0001`.

    Args:
        lines: lines with or without line ends; iterated twice, since all pairs are checked before any is stored.
        name: name of the list in messages.

    Raises:
        PairFileError: if the list is invalid; the message gives the number of the pair.
    """
    counts = next(iter(lines), "").split()
    if len(counts) not in (1, 2) or not all(NUMBER.fullmatch(count) and int(count) for count in counts):
        raise PairFileError(
            f"the first line of {name} must be the number of folds and of similar pairs per fold, as in '10 300'; got"
            f" {' '.join(counts)!r:.100}. Use a list in the format of LFW's pairs.txt, or a .csv file"
        )
    folds, each = int(counts[0]) if len(counts) == 2 else 1, int(counts[-1])
    _check_lfw(lines, name, folds, each)
    listed = ListedPairs()
    for number, rows in _lfw_batches(lines):
        listed.add(
            [_image(row[0], row[1]) for row in rows],
            [_image(row[2] if len(row) == 4 else row[0], row[-1]) for row in rows],
            [int(len(row) == 3 or row[0] == row[2]) for row in rows],
            [TEST] * len(rows),
            [place // (2 * each) for place in range(number, number + len(rows))],
        )
    return listed


def _lfw_batches(lines: Iterable[str]) -> Iterator[tuple[int, list[list[str]]]]:
    """Yields batches: the number of pairs before the batch, and the words of each of its pairs."""
    number, remaining = 0, islice(lines, 1, None)
    while batch := [*islice(remaining, BATCH_ROWS)]:
        rows = [*filter(None, map(str.split, batch))]
        yield number, rows
        number += len(rows)


def _check_lfw(lines: Iterable[str], name: str, folds: int, each: int) -> None:
    expected, found = 2 * folds * each, 0
    lengths = ([3] * each + [4] * each) * (1 + BATCH_ROWS // each)
    for number, rows in _lfw_batches(lines):
        start = number % (2 * each)
        if [*map(len, rows)] != lengths[start : start + len(rows)] or not _are_pairs(rows):
            for place, row in enumerate(rows[: expected - number], start=number):
                _check_lfw_pair(row, place, each, name)
        found = number + len(rows)
        if found > expected:
            break
    if found != expected:
        number_found = f"more than {expected:,}" if found > expected else f"{found:,}"
        raise PairFileError(
            f"{name} must have {expected:,} pairs, {folds} folds with {each} similar and {each} dissimilar pairs; got"
            f" {number_found}. Download or create it again"
        )


def _are_pairs(rows: list[list[str]]) -> bool:
    """Checks all rows at once, which is faster; rows have three words (similar) or four (dissimilar)."""
    dissimilar = [row for row in rows if len(row) == 4]
    people = {row[0] for row in rows} | {row[2] for row in dissimilar}
    numbers = {row[1] for row in rows} | {row[-1] for row in rows}
    return _are_names(people, numbers) and not any(row[0] == row[2] for row in dissimilar)


def _are_names(people: Iterable[str], numbers: Iterable[str]) -> bool:
    no_folders = all(os.path.basename(person) == person not in (os.curdir, os.pardir) for person in people)
    return no_folders and all(map(NUMBER.fullmatch, numbers))


def _check_lfw_pair(row: list[str], place: int, each: int, name: str) -> None:
    similar = place % (2 * each) < each
    words = [row[0], row[1], row[0], row[2]] if similar and len(row) == 3 else row
    if len(words) != 4 or similar != (words[0] == words[2]) or not _are_names(words[::2], words[1::2]):
        expected = "'name n1 n2'" if similar else "'name1 n1 name2 n2' with two people"
        raise PairFileError(f"{name}, pair {place + 1} must be {expected}; got {' '.join(row)!r:.200}. Correct it")


def _image(person: str, number: str) -> str:
    return f"{person}/{person}_{int(number):04d}"
