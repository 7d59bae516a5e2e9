"""How the work grows when there is twice as much of it, four times over."""

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from processes import ENVIRONMENT, in_a_process, peak, seconds, serve
from rows import Row, duration, memory

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.generate import generate_pair_files
from siamese_tf.data.pairs.pair_file import PairDataset, load_pair_file, save_pair_file
from siamese_tf.data.sampling.draw_pairs import make_pairs
from siamese_tf.data.sources.source import Source

SIZES = 5
TURNS, LONG_ENOUGH = 5, 15.0  # at least so many turns, and more until so many seconds have passed
MIN_SIZE, MOST = 1.8, 2.2  # times the seconds for twice the work
FLAT = 4.0  # bytes that the memory grows by for each more pair, at most: not one number
SIZE = (28, 28, 1)
IMAGES = 70_000  # to draw pairs of, as many as MNIST has
FEW = 128  # images, so that hardly anything but pairs is scored
PAIRS = 262_144  # the fewest
SIDE = 4096  # rows of the matrix of scores
# glibc: memory once used stays with the process. An answer of hundreds of MiB handed out anew each time costs what the
# system, or the machine under it, happens to do for it.
KEEPING_MEMORY = {**ENVIRONMENT, "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}

Action = Callable[[int], Any]


def rows(files: list[Path]) -> list[Row]:
    """How everything of SERIES grows, each in a process of its own, and the memory of scoring."""
    return [*(_row(*series, str(files[0])) for series in SERIES), _memory_row()]


def _row(what: str, of: str, first: int, prepare: Callable[..., Action], train_file: str) -> Row:
    environment = KEEPING_MEMORY if prepare is matrix else ENVIRONMENT
    turns = in_a_process(measure, prepare.__name__, first, train_file, environment=environment).answer
    ratios = [statistics.median(turn[size + 1] / turn[size] for turn in turns) for size in range(SIZES - 1)]
    least, most = (statistics.median(turn[size] for turn in turns) for size in (0, -1))
    return Row(
        f"{what}: {first:,} to {first * 2 ** (SIZES - 1):,} {of}",
        f"{duration(least)} to {duration(most)}",
        times=" ".join(f"{ratio:.2f}" for ratio in ratios),
        bar=f"{MIN_SIZE} to {MOST} each",
        met=all(MIN_SIZE <= ratio <= MOST for ratio in ratios),
    )


def _memory_row() -> Row:
    peaks = in_a_process(scoring_memory).answer
    growth = (peaks[-1] - peaks[0]) / (PAIRS * (2 ** (SIZES - 1) - 1))
    return Row(
        f"memory of scoring: {PAIRS:,} to {PAIRS * 2 ** (SIZES - 1):,} pairs",
        f"{memory(peaks[0])} to {memory(peaks[-1])}",
        times=f"{growth:.1f} bytes a pair",
        bar=f"at most {FLAT:g} bytes a pair",
        met=growth <= FLAT,
    )


def measure(prepare: str, first: int, train_file: str) -> list[list[float]]:
    """For each turn, the seconds of every size."""
    sizes = [first * 2**size for size in range(SIZES)]
    with tempfile.TemporaryDirectory() as folder:
        action = globals()[prepare](load_pair_file(train_file), sizes, Path(folder))
        turns: list[list[float]] = []
        while len(turns) < TURNS or sum(map(sum, turns)) < LONG_ENOUGH:
            action(first)  # after the largest size memory is given back, and the next to ask for some would pay
            turns.append([seconds(lambda size=size: action(size)) for size in sizes])
        return turns


def drawing(file: PairDataset, sizes: list[int], folder: Path) -> Action:
    labels = np.resize(file.labels, IMAGES)
    return lambda pairs: make_pairs(labels, pairs, seed=0)


def generating(file: PairDataset, sizes: list[int], folder: Path) -> Action:
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(sizes[-1], *SIZE), dtype=np.uint8)  # no two alike
    labels, is_test = np.resize(np.arange(10), sizes[-1]), rng.random(sizes[-1]) < 1 / 7

    def generate(size: int) -> None:
        source = Source("noise", images[:size], labels[:size], is_test[:size], tuple("0123456789"), "", {}, "noise")
        generate_pair_files(
            source, out=folder / str(size), train_pairs=5 * size, validation_pairs=2 * size, test_pairs=3 * size
        )

    return generate


def reading(file: PairDataset, sizes: list[int], folder: Path) -> Action:
    for size in sizes:
        images, labels = np.resize(file.images, (size, *file.images.shape[1:])), np.resize(file.labels, size)
        img1, img2, similarity = make_pairs(labels, size, seed=0)
        save_pair_file(
            folder / f"{size}.npz", PairDataset(images, labels, img1, img2, similarity, np.zeros_like(similarity))
        )
    return lambda size: load_pair_file(folder / f"{size}.npz")


def embedding(file: PairDataset, sizes: list[int], folder: Path) -> Action:
    size = file.images.shape[1:]
    model, images = _model(size), np.resize(file.images, (sizes[-1], *size))
    return lambda count: model.embed(images[:count])


def scoring(file: PairDataset, sizes: list[int], folder: Path) -> Action:
    model, images, (img1, img2) = _model(SIZE), *_drawn_pairs(sizes[-1])
    return lambda pairs: model.score_pairs(images, img1[:pairs], img2[:pairs])


def matrix(file: PairDataset, sizes: list[int], folder: Path) -> Action:
    model = _model(SIZE)
    embeddings = np.random.default_rng(0).standard_normal((sizes[-1] // SIDE, model.embedding_dim), np.float32)
    return lambda pairs: model.all_pairs.score_matrix(embeddings[:SIDE], embeddings[: pairs // SIDE])


def training(file: PairDataset, sizes: list[int], folder: Path) -> Action:
    from siamese_tf.training.build import build_trainer
    from siamese_tf.training.pipeline import training_batches
    from siamese_tf.training.resolve import resolve_config
    from siamese_tf.training.run_data import load_run_data

    config = TrainConfig(pairs=str(file.path), batch_pairs=32, epochs=100)
    pairs = load_run_data(config)
    config = resolve_config(config, pairs, None)
    trainer = build_trainer(config, pairs, None)
    return lambda steps: trainer.fit(
        training_batches(pairs, config, range(100)), steps_per_epoch=steps, epochs=1, shuffle=False, verbose=0
    )


def scoring_memory() -> list[float]:
    """The most bytes the process held up to each size, less what all pairs and the scores of this size take."""
    sizes = [PAIRS * 2**size for size in range(SIZES)]
    model, images, (img1, img2) = _model(SIZE), *_drawn_pairs(sizes[-1])
    peaks = []
    for size in sizes:
        scores = model.score_pairs(images, img1[:size], img2[:size])
        peaks.append(peak() - img1.nbytes - img2.nbytes - scores.nbytes)
        del scores  # or the next size would count it, too
    return peaks


def _model(size: tuple[int, int, int]) -> Any:
    from siamese_tf.models.siamese_model import SiameseModel

    return SiameseModel(size)


def _drawn_pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """FEW images of noise, and (2, count) int32 positions among them."""
    rng = np.random.default_rng(0)
    return rng.integers(256, size=(FEW, *SIZE), dtype=np.uint8), rng.integers(FEW, size=(2, count), dtype=np.int32)


SERIES = (
    ("drawing pairs", f"pairs of {IMAGES:,} images", 125_000, drawing),
    ("generating pair files", "images, ten pairs an image", 5_000, generating),
    ("reading pair files", "images and pairs", 20_000, reading),
    ("embedding", "images", 3_000, embedding),
    ("scoring listed pairs", "pairs", PAIRS, scoring),
    ("score_matrix", "pairs", SIDE * SIDE // 4, matrix),
    ("training", "steps of 64 images", 25, training),
)

if __name__ == "__main__":
    serve()
