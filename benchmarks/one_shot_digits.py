"""One-shot accuracy on MNIST and Fashion-MNIST, on classes that a model knows and on classes that it does not.

    python benchmarks/one_shot_digits.py [--episodes 2000] [--out results.json]

The known classes are those of the shipped models, `model/<dataset>/v4`. For the others, a model is trained with the
defaults on classes 0 to 4, for two epochs and without validation, and tested on the test
images of classes 5 to 9. Prints one table; takes three minutes on two cores.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

DATASETS = ("mnist", "fashion-mnist")
TRAINED = 5  # the first classes
SHOTS = (1, 5)
EPOCHS = 2


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", nargs="+", default=DATASETS, choices=DATASETS)
    parser.add_argument("--episodes", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    options = parser.parse_args(arguments)
    table = Table("data set", "classes", "ways", "shots", "accuracy", "95% interval over classes", box=box.MARKDOWN)
    found = []
    for dataset in options.datasets:
        for report in reports_of(dataset, options.episodes, options.epochs):
            found.append(report)
            interval = "{:.4f} to {:.4f}".format(*report["ci95"])
            accuracy = f"{report['accuracy']:.4f}"
            table.add_row(dataset, report["classes"], f"{report['ways']}", f"{report['shots']}", accuracy, interval)
    Console(width=120).print(table)
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def reports_of(dataset: str, episodes: int, epochs: int) -> Iterator[dict[str, Any]]:
    """Yields the one-shot report of each test, with the names of the data set and of the classes."""
    from siamese_tf.data.sources.load import load_source
    from siamese_tf.models.model_file import load_model

    source = load_source(dataset)
    shipped = load_model(Path(__file__).parents[1] / "model" / dataset / "v4" / "siamese.keras")
    others = source.is_test & (source.labels >= TRAINED)
    tests = [("known", shipped, source.is_test, (5, 10)), ("not known", train_on_first(source, epochs), others, (5,))]
    for classes, model, rows, ways in tests:
        embeddings = model.embed(source.images[rows])
        for count in ways:
            for shots in SHOTS:
                report = test(model, embeddings, source.labels[rows], count, shots, episodes)
                yield {"dataset": dataset, "classes": classes, **report}


def train_on_first(source: Any, epochs: int) -> Any:
    """Returns a model trained on the training images of the first classes only."""
    from siamese_tf.config.train_config import TrainConfig
    from siamese_tf.data.pairs.generate import generate_pair_files
    from siamese_tf.training.train import train_and_evaluate

    known = source.labels < TRAINED
    rows = np.flatnonzero(source.is_test ^ known)  # training images of the first classes, test images of the others
    apart = replace(source, images=source.images[rows], labels=source.labels[rows], is_test=source.is_test[rows])
    with tempfile.TemporaryDirectory() as folder:
        made = generate_pair_files(apart, out=folder, split="class", train_share=1.0)
        config = TrainConfig(pairs=str(made.train_path), epochs=epochs)
        return train_and_evaluate(config, Path(folder, "run"), quiet=True, pictures=False)


def test(
    model: Any, embeddings: np.ndarray, labels: np.ndarray, ways: int, shots: int, episodes: int
) -> dict[str, Any]:
    """Returns the report of an n-way k-shot test."""
    from siamese_tf.evaluation.classify_episodes import classify_episodes
    from siamese_tf.evaluation.episodes import draw_episodes
    from siamese_tf.evaluation.one_shot import one_shot_report

    drawn = draw_episodes(labels, ways, shots, episodes)
    return one_shot_report(labels, drawn, classify_episodes(model.all_pairs, embeddings, drawn))


if __name__ == "__main__":
    main()
