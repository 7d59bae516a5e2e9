"""Loading a large gallery, identifying one image in it, and enrolling one more.

    python benchmarks/gallery.py

prints these rows alone; `make bench` includes them.
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from processes import peak, run_in_process, seconds, worker
from rows import Row, duration, memory, show, times

PEOPLE, DIMENSIONS = 100_000, 512
QUERIES, TOP, RUNS = 30, 5, 5
SHA256 = "0" * 64
MAX_SECONDS = 0.05  # per query, after loading


def rows(files: list[Path]) -> list[Row]:
    """Measures both `match` modes with one image per person, the slowest case; ignores the pair files."""
    result = run_in_process(search).result
    embeddings_size = memory(4 * PEOPLE * DIMENSIONS)
    found = [
        Row(
            f"identify, 1 of {PEOPLE:,} people, {DIMENSIONS}-d embeddings, {match}",
            duration(result[match]),
            f"{duration(result['plain'])}, top_k",
            times(result["plain"] / result[match]),
            f"at most {MAX_SECONDS * 1e3:.0f} ms",
            result[match] <= MAX_SECONDS,
        )
        for match in ("mean", "best")
    ]
    return [
        *found,
        Row("same: loading the gallery once", duration(result["load"])),
        Row("same: memory of the loaded gallery", memory(result["bytes"]), f"{embeddings_size}, the embeddings alone"),
        Row("same: size of the file", memory(result["file"]), f"{embeddings_size}, the embeddings alone"),
        Row("enroll one image, written to disk", duration(result["enroll"])),
    ]


def search() -> dict[str, Any]:
    """Returns median seconds per query (by match, and of `top_k`), of loading and of enrolling; sizes in bytes."""
    from siamese_tf.inference.gallery import Gallery

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.gallery"
        persons = run_in_process(fill, str(path)).result
        model, queries = _model(), np.load(path.with_suffix(".npy"))
        before = peak()
        with Gallery.open(path, model) as gallery:
            cost = {"load": seconds(lambda: gallery.identify(queries[0], TOP)), "bytes": peak() - before}
            cost |= {match: _median_query(gallery, queries, persons, match) for match in ("mean", "best")}
            cost["file"] = path.stat().st_size
            cost["enroll"] = statistics.median(seconds(lambda: gallery.enroll("me", queries[0])) for _ in range(RUNS))
    embeddings = _people()
    cost["plain"] = statistics.median(
        seconds(lambda: model.all_pairs.top_k(queries[:1], embeddings, TOP)) for _ in range(1 + RUNS)
    )
    return cost


def fill(path: str) -> list[int]:
    """Enrolls everybody in a new gallery and saves queries beside it; returns the person of each query."""
    from siamese_tf.inference.gallery_file import GalleryFile

    embeddings, rng = _people(), np.random.default_rng(1)
    with GalleryFile(path, (SHA256, DIMENSIONS)) as file:
        file.add([f"person {number}" for number in range(PEOPLE)], embeddings)
    persons = rng.integers(0, PEOPLE, QUERIES)
    changed = 0.5 * rng.standard_normal((QUERIES, DIMENSIONS), np.float32)
    np.save(Path(path).with_suffix(".npy"), (embeddings[persons] + changed).astype(np.float32))
    return persons.tolist()


def _people() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((PEOPLE, DIMENSIONS), np.float32)


def _model() -> Any:
    from siamese_tf.models.siamese_model import SiameseModel

    model = SiameseModel((8, 8, 1), "reference", DIMENSIONS)
    model.file_sha256 = SHA256
    return model


def _median_query(gallery: Any, queries: np.ndarray, persons: list[int], match: str) -> float:
    def identify(query: np.ndarray, person: int) -> None:
        if gallery.identify(query, TOP, match)[0][0].name != f"person {person}":
            raise SystemExit("bench: identify does not find the person of the query")

    return statistics.median(seconds(lambda q=q, p=p: identify(q, p)) for q, p in zip(queries, persons, strict=True))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        worker()
    else:
        show(rows([]))
