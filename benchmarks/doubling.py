"""Growth of run time and memory as the input size doubles, four times in a row."""

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from processes import ENVIRONMENT, peak, run_in_process, seconds, worker
from rows import Row, duration, memory

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.generate import generate_pair_files
from siamese_tf.data.pairs.pair_file import PairDataset, load_pair_file, save_pair_file
from siamese_tf.data.sampling.draw_pairs import make_pairs
from siamese_tf.data.sources.load import Source

SIZES = 5
REPEATS, MIN_SECONDS = 5, 15.0  # minimum number of repeats, and minimum seconds in total
MIN_RATIO, MAX_RATIO = 1.8, 2.2  # accepted range of the time ratio for twice the input
MAX_BYTES_PER_PAIR = 4.0  # maximum growth of memory per additional pair
SIZE = (28, 28, 1)
IMAGES = 70_000  # to draw pairs from: the size of MNIST
SCORED_IMAGES = 128  # few, so that scoring pairs dominates the time
PAIRS = 262_144  # smallest size
SIDE = 4096  # rows of the score matrix
# Makes glibc keep freed memory: allocating hundreds of MiB anew for each call takes a time that varies between systems.
REUSED_MEMORY = {**ENVIRONMENT, "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}

Action = Callable[[int], Any]


def rows(files: list[Path]) -> list[Row]:
    """Returns the growth of each task in SERIES, and of the memory of scoring."""
    return [*(_row(*series, str(files[0])) for series in SERIES), _memory_row()]


def _row(task: str, unit: str, first: int, prepare: Callable[..., Action], train_file: str) -> Row:
    environment = REUSED_MEMORY if prepare is matrix else ENVIRONMENT
    repeats = run_in_process(measure, prepare.__name__, first, train_file, environment=environment).result
    ratios = [statistics.median(repeat[size + 1] / repeat[size] for repeat in repeats) for size in range(SIZES - 1)]
    smallest, largest = (statistics.median(repeat[size] for repeat in repeats) for size in (0, -1))
    return Row(
        f"{task}: {first:,} to {first * 2 ** (SIZES - 1):,} {unit}",
        f"{duration(smallest)} to {duration(largest)}",
        ratio=" ".join(f"{ratio:.2f}" for ratio in ratios),
        target=f"{MIN_RATIO} to {MAX_RATIO} each",
        met=all(MIN_RATIO <= ratio <= MAX_RATIO for ratio in ratios),
    )


def _memory_row() -> Row:
    peaks = run_in_process(scoring_memory).result
    growth = (peaks[-1] - peaks[0]) / (PAIRS * (2 ** (SIZES - 1) - 1))
    return Row(
        f"memory of scoring: {PAIRS:,} to {PAIRS * 2 ** (SIZES - 1):,} pairs",
        f"{memory(peaks[0])} to {memory(peaks[-1])}",
        ratio=f"{growth:.1f} bytes per pair",
        target=f"at most {MAX_BYTES_PER_PAIR:g} bytes per pair",
        met=growth <= MAX_BYTES_PER_PAIR,
    )


def measure(prepare: str, first: int, train_file: str) -> list[list[float]]:
    """Returns the seconds of every size, for each repeat."""
    sizes = [first * 2**size for size in range(SIZES)]
    with tempfile.TemporaryDirectory() as folder:
        action = globals()[prepare](load_pair_file(train_file), sizes, Path(folder))
        repeats: list[list[float]] = []
        while len(repeats) < REPEATS or sum(map(sum, repeats)) < MIN_SECONDS:
            action(first)  # absorbs the cost of memory returned to the system after the largest size
            repeats.append([seconds(lambda size=size: action(size)) for size in sizes])
        return repeats


def drawing(file: PairDataset, sizes: list[int], folder: Path) -> Action:
    labels = np.resize(file.labels, IMAGES)
    return lambda pairs: make_pairs(labels, pairs, seed=0)


def generating(file: PairDataset, sizes: list[int], folder: Path) -> Action:
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(sizes[-1], *SIZE), dtype=np.uint8)  # all distinct
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
    """Returns the peak memory of scoring at each size, in bytes, without the pairs and their scores."""
    sizes = [PAIRS * 2**size for size in range(SIZES)]
    model, images, (img1, img2) = _model(SIZE), *_drawn_pairs(sizes[-1])
    peaks = []
    for size in sizes:
        scores = model.score_pairs(images, img1[:size], img2[:size])
        peaks.append(peak() - img1.nbytes - img2.nbytes - scores.nbytes)
        del scores  # excludes them from the peak of the next size
    return peaks


def _model(size: tuple[int, int, int]) -> Any:
    from siamese_tf.models.siamese_model import SiameseModel

    return SiameseModel(size)


def _drawn_pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns SCORED_IMAGES noise images, and int32 indices (2, count) of pairs of them."""
    rng = np.random.default_rng(0)
    return rng.integers(256, size=(SCORED_IMAGES, *SIZE), dtype=np.uint8), rng.integers(
        SCORED_IMAGES, size=(2, count), dtype=np.int32
    )


SERIES = (
    ("drawing pairs", f"pairs of {IMAGES:,} images", 125_000, drawing),
    ("generating pair files", "images, ten pairs per image", 5_000, generating),
    ("reading pair files", "images and pairs", 20_000, reading),
    ("embedding", "images", 3_000, embedding),
    ("scoring listed pairs", "pairs", PAIRS, scoring),
    ("score_matrix", "pairs", SIDE * SIDE // 4, matrix),
    ("training", "steps of 64 images", 25, training),
)

if __name__ == "__main__":
    worker()
