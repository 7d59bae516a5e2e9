"""Scores the pairs of a CSV file: every distinct image is decoded and embedded once, and a bad one stops nothing."""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from siamese_tf.data.images import load_image
from siamese_tf.errors import ImageError, PairFileError
from siamese_tf.models.siamese_model import EMBED_BATCH, PAIR_BLOCK, SiameseModel, probability

COLUMNS = ("img1", "img2", "similarity")
ADDED = ("probability", "same", "error")


@dataclass(frozen=True)
class CsvSummary:
    """What became of the rows: how many pairs, how many could be scored, which images could not be read."""

    pairs: int
    scored: int
    unreadable: dict[str, str]
    accuracy: float | None

    def lines(self) -> list[str]:
        """The summary, for people."""
        lines = [f"{self.scored:,} of {self.pairs:,} pairs scored"]
        if self.accuracy is not None:
            lines[0] += f", accuracy {self.accuracy:.4f}"
        return lines + [f"unreadable: {error}" for error in self.unreadable.values()]


def score_csv(
    model: SiameseModel, path: str | Path, out: IO[str], track: Callable[[Iterable, str], Iterable] = lambda it, _: it
) -> CsvSummary:
    """Scores every row of a CSV file and writes one row for each, in the same order.

    Args:
        model: scores the pairs.
        path: a UTF-8 CSV file with the columns `img1`, `img2` and perhaps `similarity` (1 = same, 0 = different, or
            empty); the image paths are relative to its folder.
        out: gets the same columns and `probability` (higher is more similar), `same` (1 where probability >= the
            model's threshold, else 0) and `error`; the first two are empty where the third says what cannot be read.
        track: wraps an iterable for a progress bar, with a word for what it goes through.

    Returns:
        The summary; its accuracy is over the scored rows that carry a similarity, None where there are none.

    Raises:
        PairFileError: the CSV file is missing, empty, or lacks the columns.
    """
    rows = _read_rows(Path(path))
    names = list(dict.fromkeys(row[side] for row in rows for side in ("img1", "img2")))
    number = {name: position for position, name in enumerate(names)}
    embeddings, errors = _embed_files(model, Path(path).parent, names, track)
    writer = csv.DictWriter(
        out, fieldnames=[name for name in COLUMNS if name in rows[0]] + list(ADDED), lineterminator="\n"
    )
    writer.writeheader()
    scored = labelled = right = 0
    for start in track(range(0, len(rows), PAIR_BLOCK), "pairs"):
        block = rows[start : start + PAIR_BLOCK]
        sides = [np.array([number[row[side]] for row in block]) for side in ("img1", "img2")]
        for row, score in zip(block, probability(model.pair_logits(embeddings, *sides)), strict=True):
            error = errors.get(row["img1"]) or errors.get(row["img2"])
            if error:
                writer.writerow({**row, "probability": "", "same": "", "error": error})
                continue
            same = int(score >= model.threshold)
            writer.writerow({**row, "probability": f"{score:.6f}", "same": same, "error": ""})
            scored += 1
            if row.get("similarity"):
                labelled += 1
                right += same == int(row["similarity"])
    return CsvSummary(len(rows), scored, errors, right / labelled if labelled else None)


def _read_rows(path: Path) -> list[dict[str, str]]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            columns = reader.fieldnames or []
            if not {"img1", "img2"} <= set(columns):
                raise PairFileError(
                    f"the first line of {path} must name the columns img1,img2 or img1,img2,similarity, with commas and"
                    f" without spaces; it is {','.join(columns)!r:.100}. Correct it"
                )
            rows = [{name: row[name] or "" for name in COLUMNS if name in columns} for row in reader]
    except OSError as error:
        raise PairFileError(f"cannot read the pairs {path}: {error.strerror}. Check the path") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise PairFileError(f"{path} is not a UTF-8 CSV file: {error}. Save it as one") from error
    if not rows:
        raise PairFileError(f"{path} holds no pairs below its first line. Write one on each line, as img1,img2")
    for pair, row in enumerate(rows, start=1):
        if row.get("similarity", "") not in ("", "0", "1"):
            raise PairFileError(
                f"{path}, pair {pair}: similarity must be 1 (same), 0 (different) or empty; got {row['similarity']!r}."
                " Correct it"
            )
    return rows


def _embed_files(
    model: SiameseModel, folder: Path, names: list[str], track: Callable[[Iterable, str], Iterable]
) -> tuple[np.ndarray, dict[str, str]]:
    """The embeddings of image files, (n, d), zeros where one cannot be read; and why, by name."""
    embeddings = np.zeros((len(names), model.embedding_dim), np.float32)
    errors: dict[str, str] = {}
    images, positions = [], []
    for position, name in enumerate(track(names, "images")):
        try:
            if not name:
                raise ImageError("a line lacks the path of an image; expected two, in img1 and img2; add it")
            images.append(load_image(folder / name, *model.input_size))
            positions.append(position)
        except ImageError as error:
            errors[name] = str(error)
        if images and (len(images) == EMBED_BATCH or position == len(names) - 1):
            embeddings[positions] = model.embed(np.stack(images))
            images, positions = [], []
    return embeddings, errors
