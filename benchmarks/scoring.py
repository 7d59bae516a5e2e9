"""Scoring of listed pairs against Keras `predict`, `score_matrix`, and `top_k` in a large gallery."""

import statistics
from pathlib import Path
from typing import Any

import numpy as np
from processes import peak, run_in_process, seconds, worker
from rows import Row, duration, memory, rate, times

from siamese_tf.data.sampling.draw_pairs import make_pairs
from siamese_tf.data.sources.load import load_source

RUNS = 3
IMAGES, PAIRS = 60_000, 100_000  # at most; fewer if the data set is smaller
MIN_SPEEDUP = 2.5  # over Keras `predict`
SIDE, GALLERY, K = 10_000, 60_000, 10
PAIRS_PER_SECOND = 50e6
CHECKED_ROWS = 20  # rows compared with listed scores
INPUT_SIZE, DIMENSIONS = (28, 28, 1), 128


def rows(files: list[Path]) -> list[Row]:
    return [_pairs_row(files[0].parent.name), *_all_pairs_rows()]


def _pairs_row(dataset: str) -> Row:
    result = run_in_process(score_pairs, dataset).result
    ours, plain = (statistics.median(column) for column in zip(*result["seconds"], strict=True))
    ratio = statistics.median(baseline / ours for ours, baseline in result["seconds"])
    return Row(
        f"scoring {result['pairs']:,} pairs of {result['images']:,} images",
        f"{duration(ours)}, {rate(result['pairs'], ours, 'pairs')}",
        f"{duration(plain)}, keras predict",
        times(ratio),
        f"at least {MIN_SPEEDUP}x",
        ratio >= MIN_SPEEDUP,
    )


def _all_pairs_rows() -> list[Row]:
    setup, matrix, best = (run_in_process(function).result for function in (setup_only, score_matrix, top_k))
    matrix_pairs, gallery_pairs = SIDE * SIDE, SIDE * GALLERY
    return [
        Row(
            f"score_matrix, {SIDE:,} x {SIDE:,} embeddings",
            f"{duration(matrix['seconds'])}, {rate(matrix_pairs / 1e6, matrix['seconds'], 'million pairs')}",
            target=f"at least {PAIRS_PER_SECOND / 1e6:.0f} million pairs/s",
            met=matrix_pairs / matrix["seconds"] >= PAIRS_PER_SECOND,
        ),
        Row(
            "same: memory, including the result",
            memory(matrix["bytes"] - setup["bytes"]),
            f"{memory(4 * matrix_pairs)}, the result alone",
        ),
        Row(
            f"top_k, best {K} of {GALLERY:,} for {SIDE:,} queries",
            f"{duration(best['seconds'])}, {rate(gallery_pairs / 1e6, best['seconds'], 'million pairs')}",
        ),
        Row(
            "same: memory, including the result",
            memory(best["bytes"] - setup["bytes"]),
            f"{memory(4 * gallery_pairs)}, the score matrix",
        ),
    ]


def score_pairs(dataset: str) -> dict[str, Any]:
    """Returns the seconds of `score_pairs` and of Keras `predict` on two stacked image arrays, measured alternately."""
    from siamese_tf.models.siamese_model import SiameseModel

    source = load_source(dataset)
    images, labels = source.images[:IMAGES], source.labels[:IMAGES]
    count = min(PAIRS, 50 * len(images))
    img1, img2, _ = make_pairs(labels, count, seed=0)
    height, width, channels = images.shape[1:]
    model = SiameseModel((height, width, channels))

    def score(pairs: int = count) -> np.ndarray:
        return model.score_pairs(images, img1[:pairs], img2[:pairs])

    def predict(pairs: int = count) -> np.ndarray:
        return model.predict([images[img1[:pairs]], images[img2[:pairs]]], batch_size=512, verbose=0)

    if not np.allclose(score(1024), predict(1024), atol=1e-4):  # also the warm-up call
        raise SystemExit("bench: score_pairs and Keras predict give different scores")
    return {"seconds": [(seconds(score), seconds(predict)) for _ in range(RUNS)], "pairs": count, "images": len(images)}


def setup_only() -> dict[str, float]:
    """Returns the peak memory before the actual work of `score_matrix` and `top_k`."""
    model, queries, gallery = _model(), _embeddings(SIDE, 0), _embeddings(GALLERY, 1)
    model.all_pairs.top_k(queries[:CHECKED_ROWS], gallery[:CHECKED_ROWS], K)
    return {"bytes": peak()}


def score_matrix() -> dict[str, float]:
    """Returns the median seconds and the peak memory of the process."""
    model, a, b = _model(), _embeddings(SIDE, 0), _embeddings(SIDE, 1)
    model.all_pairs.score_matrix(a[:CHECKED_ROWS], b)
    cost = {
        "seconds": statistics.median(seconds(lambda: model.all_pairs.score_matrix(a, b)) for _ in range(RUNS)),
        "bytes": peak(),
    }
    if not np.allclose(
        model.all_pairs.score_matrix(a[:CHECKED_ROWS], b), _listed_scores(model, a[:CHECKED_ROWS], b), atol=1e-4
    ):
        raise SystemExit("bench: score_matrix and the scores of listed pairs differ")
    return cost


def top_k() -> dict[str, float]:
    """Returns the seconds and the peak memory of the process."""
    model, queries, gallery = _model(), _embeddings(SIDE, 0), _embeddings(GALLERY, 1)
    model.all_pairs.top_k(queries[:CHECKED_ROWS], gallery, K)
    cost = {"seconds": seconds(lambda: model.all_pairs.top_k(queries, gallery, K)), "bytes": peak()}
    _, found = model.all_pairs.top_k(queries[:CHECKED_ROWS], gallery, K)
    best = np.sort(_listed_scores(model, queries[:CHECKED_ROWS], gallery))[:, : -K - 1 : -1]
    if not np.allclose(found, best, atol=1e-4):
        raise SystemExit("bench: top_k does not return the highest scores")
    return cost


def _model() -> Any:
    from siamese_tf.models.siamese_model import SiameseModel

    return SiameseModel(INPUT_SIZE, embedding_dim=DIMENSIONS)


def _embeddings(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, DIMENSIONS), np.float32)


def _listed_scores(model: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the score matrix (n, m), computed as listed pairs."""
    from siamese_tf.models.probability import probability

    rows, columns = np.divmod(np.arange(len(a) * len(b)), len(b))
    return probability(model.pair_logits(np.concatenate([a, b]), rows, len(a) + columns)).reshape(len(a), len(b))


if __name__ == "__main__":
    worker()
