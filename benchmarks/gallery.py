"""A large gallery: loading it, finding one picture among all people, and enrolling one more.

    python benchmarks/gallery.py

prints its own table; `make bench` shows the same rows.
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from processes import in_a_process, peak, seconds, serve
from rows import Row, duration, memory, times

PEOPLE, DIMENSIONS = 100_000, 512
QUERIES, TOP, RUNS = 30, 5, 5
SHA256 = "0" * 64
MOST_SECONDS = 0.05  # for one query, after loading


def rows(files: list[Path]) -> list[Row]:
    """Without files of pairs: one picture a person, the hardest case, by each match."""
    answer = in_a_process(search).answer
    ema_model = memory(4 * PEOPLE * DIMENSIONS)
    found = [
        Row(
            f"identify, 1 of {PEOPLE:,} people, {DIMENSIONS} numbers each, {match}",
            duration(answer[match]),
            f"{duration(answer['plain'])}, top_k",
            times(answer["plain"] / answer[match]),
            f"at most {MOST_SECONDS * 1e3:.0f} ms",
            answer[match] <= MOST_SECONDS,
        )
        for match in ("mean", "best")
    ]
    return [
        *found,
        Row("the same: loading the gallery, once", duration(answer["load"])),
        Row("the same: memory while it is loaded", memory(answer["bytes"]), f"{ema_model}, the embeddings alone"),
        Row("the same: the file", memory(answer["file"]), f"{ema_model}, the embeddings alone"),
        Row("enroll, one picture, on the disk", duration(answer["enroll"])),
    ]


def search() -> dict[str, Any]:
    """Median seconds of one query by each match and by `top_k`, of loading, and of enrolling; bytes."""
    from siamese_tf.inference.gallery import Gallery

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.gallery"
        wanted = in_a_process(fill, str(path)).answer
        model, queries = _model(), np.load(path.with_suffix(".npy"))
        before = peak()
        with Gallery.open(path, model) as gallery:
            cost = {"load": seconds(lambda: gallery.identify(queries[0], TOP)), "bytes": peak() - before}
            cost |= {match: _median_query(gallery, queries, wanted, match) for match in ("mean", "best")}
            cost["file"] = path.stat().st_size
            cost["enroll"] = statistics.median(seconds(lambda: gallery.enroll("me", queries[0])) for _ in range(RUNS))
    embeddings = _people()
    cost["plain"] = statistics.median(
        seconds(lambda: model.all_pairs.top_k(queries[:1], embeddings, TOP)) for _ in range(1 + RUNS)
    )
    return cost


def fill(path: str) -> list[int]:
    """Everybody into a new gallery, at once; other pictures of some into a file beside it; and who those are."""
    from siamese_tf.inference.gallery_file import GalleryFile

    embeddings, rng = _people(), np.random.default_rng(1)
    with GalleryFile(path, (SHA256, DIMENSIONS)) as file:
        file.add([f"person {number}" for number in range(PEOPLE)], embeddings)
    wanted = rng.integers(0, PEOPLE, QUERIES)
    changed = 0.5 * rng.standard_normal((QUERIES, DIMENSIONS), np.float32)
    np.save(Path(path).with_suffix(".npy"), (embeddings[wanted] + changed).astype(np.float32))
    return wanted.tolist()


def _people() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((PEOPLE, DIMENSIONS), np.float32)


def _model() -> Any:
    from siamese_tf.models.siamese_model import SiameseModel

    model = SiameseModel((8, 8, 1), "reference", DIMENSIONS)
    model.file_sha256 = SHA256
    return model


def _median_query(gallery: Any, queries: np.ndarray, wanted: list[int], match: str) -> float:
    def once(query: np.ndarray, person: int) -> None:
        if gallery.identify(query, TOP, match)[0][0].name != f"person {person}":
            raise SystemExit("identify does not find the person it was shown")

    return statistics.median(seconds(lambda q=q, p=p: once(q, p)) for q, p in zip(queries, wanted, strict=True))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve()
    else:
        from bench import show

        show(rows([]))
