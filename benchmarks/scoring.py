"""Scoring: pairs against Keras' `predict`, all pairs of two sets, and the best of a gallery without all pairs."""

import statistics
from pathlib import Path
from typing import Any

import numpy as np
from processes import in_a_process, peak, seconds, serve
from rows import Row, duration, memory, rate, times

from siamese_tf.data.sampling.draw_pairs import make_pairs
from siamese_tf.data.sources.load import load_source

RUNS = 3
IMAGES, PAIRS = 60_000, 100_000  # to score; as many as there are
QUICKER = 2.5  # than predict, at least
SIDE, GALLERY, K = 10_000, 60_000, 10
PAIRS_PER_SECOND = 50e6
CHECKED = 20  # rows of the answers
INPUT_SIZE, DIMENSIONS = (28, 28, 1), 128


def rows(files: list[Path]) -> list[Row]:
    return [_pairs_row(files[0].parent.name), *_all_pairs_rows()]


def _pairs_row(dataset: str) -> Row:
    answer = in_a_process(score_pairs, dataset).answer
    ours, plain = (statistics.median(column) for column in zip(*answer["turns"], strict=True))
    ratio = statistics.median(theirs / own for own, theirs in answer["turns"])
    return Row(
        f"scoring {answer['pairs']:,} pairs of {answer['images']:,} images",
        f"{duration(ours)}, {rate(answer['pairs'], ours, 'pairs')}",
        f"{duration(plain)}, keras predict",
        times(ratio),
        f"at least {QUICKER}x",
        ratio >= QUICKER,
    )


def _all_pairs_rows() -> list[Row]:
    nothing, matrix, best = (in_a_process(function).answer for function in (no_pairs, score_matrix, top_k))
    of_matrix, of_best = SIDE * SIDE, SIDE * GALLERY
    return [
        Row(
            f"score_matrix, {SIDE:,} x {SIDE:,} embeddings",
            f"{duration(matrix['seconds'])}, {rate(of_matrix / 1e6, matrix['seconds'], 'million pairs')}",
            bar=f"at least {PAIRS_PER_SECOND / 1e6:.0f} million pairs/s",
            met=of_matrix / matrix["seconds"] >= PAIRS_PER_SECOND,
        ),
        Row(
            "the same: memory, with the answer",
            memory(matrix["bytes"] - nothing["bytes"]),
            f"{memory(4 * of_matrix)}, the answer alone",
        ),
        Row(
            f"top_k, the best {K} of {GALLERY:,} for {SIDE:,}",
            f"{duration(best['seconds'])}, {rate(of_best / 1e6, best['seconds'], 'million pairs')}",
        ),
        Row(
            "the same: memory, with the answer",
            memory(best["bytes"] - nothing["bytes"]),
            f"{memory(4 * of_best)}, the matrix of scores",
        ),
    ]


def score_pairs(dataset: str) -> dict[str, Any]:
    """Each image embedded once, and `predict` on the two stacked image arrays, by turns: seconds of either."""
    from siamese_tf.models.siamese_model import SiameseModel

    source = load_source(dataset)
    images, labels = source.images[:IMAGES], source.labels[:IMAGES]
    count = min(PAIRS, 50 * len(images))
    img1, img2, _ = make_pairs(labels, count, seed=0)
    height, width, channels = images.shape[1:]
    model = SiameseModel((height, width, channels))

    def once(pairs: int = count) -> np.ndarray:
        return model.score_pairs(images, img1[:pairs], img2[:pairs])

    def predict(pairs: int = count) -> np.ndarray:
        return model.predict([images[img1[:pairs]], images[img2[:pairs]]], batch_size=512, verbose=0)

    if not np.allclose(once(1024), predict(1024), atol=1e-4):  # the first call of each is the warm-up
        raise SystemExit("the two ways of scoring disagree")
    return {"turns": [(seconds(once), seconds(predict)) for _ in range(RUNS)], "pairs": count, "images": len(images)}


def no_pairs() -> dict[str, float]:
    """The memory that the next two begin with."""
    model, queries, gallery = _model(), _embeddings(SIDE, 0), _embeddings(GALLERY, 1)
    model.all_pairs.top_k(queries[:CHECKED], gallery[:CHECKED], K)
    return {"bytes": peak()}


def score_matrix() -> dict[str, float]:
    """Median seconds, and the memory of the process."""
    model, a, b = _model(), _embeddings(SIDE, 0), _embeddings(SIDE, 1)
    model.all_pairs.score_matrix(a[:CHECKED], b)
    cost = {
        "seconds": statistics.median(seconds(lambda: model.all_pairs.score_matrix(a, b)) for _ in range(RUNS)),
        "bytes": peak(),
    }
    if not np.allclose(model.all_pairs.score_matrix(a[:CHECKED], b), _listed_scores(model, a[:CHECKED], b), atol=1e-4):
        raise SystemExit("score_matrix and the scores of listed pairs disagree")
    return cost


def top_k() -> dict[str, float]:
    """Seconds, and the memory of the process."""
    model, queries, gallery = _model(), _embeddings(SIDE, 0), _embeddings(GALLERY, 1)
    model.all_pairs.top_k(queries[:CHECKED], gallery, K)
    cost = {"seconds": seconds(lambda: model.all_pairs.top_k(queries, gallery, K)), "bytes": peak()}
    _, found = model.all_pairs.top_k(queries[:CHECKED], gallery, K)
    best = np.sort(_listed_scores(model, queries[:CHECKED], gallery))[:, : -K - 1 : -1]
    if not np.allclose(found, best, atol=1e-4):
        raise SystemExit("top_k does not find the best scores")
    return cost


def _model() -> Any:
    from siamese_tf.models.siamese_model import SiameseModel

    return SiameseModel(INPUT_SIZE, embedding_dim=DIMENSIONS)


def _embeddings(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, DIMENSIONS), np.float32)


def _listed_scores(model: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, m) scores, by way of listed pairs."""
    from siamese_tf.models.pair_logits import probability

    rows, columns = np.divmod(np.arange(len(a) * len(b)), len(b))
    return probability(model.pair_logits(np.concatenate([a, b]), rows, len(a) + columns)).reshape(len(a), len(b))


if __name__ == "__main__":
    serve()
