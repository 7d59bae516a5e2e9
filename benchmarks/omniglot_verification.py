"""The verification experiment of Koch et al. 2015 on Omniglot: published accuracies beside those of this project.

    python benchmarks/omniglot_verification.py                            all cells with the tower `omniglot`
    python benchmarks/omniglot_verification.py --cells 30k 30k+8 --models koch omniglot --images-shown 500000
    python benchmarks/omniglot_verification.py --set objective=contrastive --set learning_rate=0.001

A cell is a number of training pairs, listed once or with eight affine distortions. `omniglot_pairs.py` describes how
they are drawn; there are 10,000 validation and 10,000 test pairs. Only listed pairs count in training, and threshold
and best epoch are chosen on the validation pairs. If `--images-shown` is below one pass over the listed pairs, the run
uses fewer of them; the JSON file, which is written after every cell, says how many.

The published accuracies are from table 1 of the paper. Its learning rates, momentums and penalties are ranges only, see
the recipe `koch`, which takes days on two cores.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from omniglot_pairs import DISTORTIONS, Pairs, distorted, divide, draw_pairs, pair_dataset, with_distortions
from rich import box
from rich.console import Console
from rich.table import Table

HELD_OUT = 10_000  # validation pairs, and test pairs
SEEDS = ("division", "train", "validation", "test", "distortions")  # of one random generator each


class Contender(NamedTuple):
    """A model of the table.

    Attributes:
        recipe: name of the recipe.
        image_format: arguments of `ImageFormat`.
        settings: fields of TrainConfig that override those of the recipe.
    """

    recipe: str
    image_format: dict[str, Any]
    settings: dict[str, Any]


CONTENDERS = {
    "omniglot": Contender(
        "quick",
        {"size": (64, 64), "invert": True, "center": "strokes"},
        {"tower": "omniglot", "objective": "bce", "pairs_per_step": "listed"},
    ),
    "koch": Contender("koch", {"invert": True}, {}),
}


class Cell(NamedTuple):
    """A cell of the published table: training pairs, distortions of each, and published test accuracy in percent."""

    pairs: int
    distortions: int
    published: float


CELLS = {
    "30k": Cell(30_000, 0, 90.61),
    "30k+8": Cell(30_000, DISTORTIONS, 91.90),
    "90k": Cell(90_000, 0, 91.54),
    "90k+8": Cell(90_000, DISTORTIONS, 93.15),
    "150k": Cell(150_000, 0, 91.63),
    "150k+8": Cell(150_000, DISTORTIONS, 93.42),
}


def main(arguments: list[str] | None = None) -> None:
    options = _options(arguments)
    from siamese_tf.console import start_tensorflow

    start_tensorflow()
    from siamese_tf.data.images.format import ImageFormat
    from siamese_tf.data.sources.load import load_source
    from siamese_tf.files import atomic_write

    results = []
    for model in options.models:
        source = load_source("omniglot", image_format=ImageFormat(**CONTENDERS[model].image_format))
        print(source.note, flush=True)
        for cell in options.cells:
            with tempfile.TemporaryDirectory() as scratch:
                settings = {"seed": options.seed, "images_shown": options.images_shown, **dict(options.set)}
                folder = (options.runs or Path(scratch)) / model / cell
                result = train(model, source, cell, options.seed, settings, folder)
            results.append(result)
            print(f"{model} {cell}: test accuracy {result['test']:.4f}, {result['seconds']:.0f} s", flush=True)
            with atomic_write(options.out, "w") as file:
                json.dump({"seed": options.seed, "cells": results}, file, indent=2)
    Console(width=100).print(table(results))


def train(model: str, source, cell: str, seed: int, settings: dict, folder: Path, held_out: int = HELD_OUT) -> dict:
    """Trains and evaluates a model on one cell; returns the entry of the JSON file, with accuracies in [0, 1]."""
    from siamese_tf.config.recipes import config_from
    from siamese_tf.config.train_config import TrainConfig
    from siamese_tf.training.epochs import images_per_epoch
    from siamese_tf.training.train import train_and_evaluate

    recipe, _, own = CONTENDERS[model]
    config = config_from(recipe, {"dataset": source.name, "augment": "none", **own, **settings})
    listed = CELLS[cell].pairs * (1 + CELLS[cell].distortions)
    used = min(listed, -(-config.images_shown // (2 * config.batch_pairs)) * config.batch_pairs)
    run = run_data(source, CELLS[cell], used, held_out, seed)
    record = train_and_evaluate(config, folder, pairs=run, quiet=True, pictures=False).record
    resolved = TrainConfig.load(folder / "config.json")
    return {
        "model": model,
        "cell": cell,
        **CELLS[cell]._asdict(),
        "listed_pairs": listed,
        "used_pairs": used,
        **{part: record["accuracy"][part] for part in ("train", "validation", "test", "test_ci95")},
        "threshold": record["threshold"]["value"],
        **{name: record["training"][name] for name in ("epochs", "best_epoch", "seconds")},
        "images_shown": record["training"]["epochs"] * images_per_epoch(run, resolved),
        "image_format": source.image_format.as_dict(),
        "config": resolved.to_dict(),
    }


def run_data(source, cell: Cell, used: int, held_out: int, seed: int):
    """Builds the data of a run: the first `used` listed training pairs, and as many validation as test pairs.

    Models with the same seed get the same pairs.
    """
    from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION
    from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs
    from siamese_tf.training.run_data import RunData

    rngs = dict(zip(SEEDS, map(np.random.default_rng, np.random.SeedSequence(seed).spawn(len(SEEDS))), strict=True))
    train, validation, test = divide(source, rngs["division"])
    images, labels = source.images[train], source.labels[train]
    pairs = draw_pairs(labels, source.groups[train], cell.pairs, rngs["train"])
    if cell.distortions:
        pairs = with_distortions(pairs, len(images), rngs["distortions"])
        images = np.concatenate([images, *(distorted(images, rngs["distortions"]) for _ in range(cell.distortions))])
    parts = {TRAIN: (images, np.resize(labels, len(images)), Pairs(*(column[:used] for column in pairs)))}
    for split, positions, name in ((VALIDATION, validation, "validation"), (TEST, test, "test")):
        drawn = draw_pairs(source.labels[positions], source.groups[positions], held_out, rngs[name])
        parts[split] = source.images[positions], source.labels[positions], drawn
    files = [pair_dataset(source, parts, splits, seed) for splits in ((TRAIN, VALIDATION), (TEST,))]
    original = TrainTestPairs(*files, source.name, source.note)
    return RunData(original, original, files[0].images_of(TRAIN))


def table(results: list[dict[str, Any]]) -> Table:
    """Returns the published test accuracies beside those of each model, in percent."""
    models = list(dict.fromkeys(result["model"] for result in results))
    found = {(result["model"], result["cell"]): result for result in results}
    made = Table("training pairs", "distortions", "published", *models, box=box.MARKDOWN)
    for name, cell in CELLS.items():
        ours = [f"{100 * found[model, name]['test']:.2f}" if (model, name) in found else "" for model in models]
        made.add_row(f"{cell.pairs:,}", str(cell.distortions or "none"), f"{cell.published:.2f}", *ours)
    return made


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Verification on Omniglot as in Koch et al. 2015.")
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=list(CELLS), help="Training pairs.")
    parser.add_argument("--models", nargs="+", choices=CONTENDERS, default=["omniglot"], help="Models.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of the pairs and of the training.")
    parser.add_argument("--images-shown", type=int, default=1_000_000, help="Training images of each cell.")
    parser.add_argument(
        "--out", type=Path, default=Path("omniglot_verification.json"), help="JSON file of the results."
    )
    parser.add_argument("--runs", type=Path, help="Folder that keeps the runs, as MODEL/CELL; temporary by default.")
    parser.add_argument("--set", type=_setting, action="append", default=[], metavar="NAME=VALUE", help="Setting.")
    return parser.parse_args(arguments)


def _setting(text: str) -> tuple[str, Any]:
    """Parses NAME=VALUE; the value is JSON, or else text."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


if __name__ == "__main__":
    main()
