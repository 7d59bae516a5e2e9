"""A trained run of digits, and what the tests of `train_and_evaluate` compare and interrupt."""

import csv
import functools
import json
import sys
from pathlib import Path

import pytest

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.training import callbacks
from siamese_tf.training.checkpoint import CHECKPOINT
from siamese_tf.training.train import train_and_evaluate

ROOT = Path(__file__).resolve().parents[1]
PICTURES = {"accuracy.png", "roc.png", "scores.png", "sample.png", "mistakes.png"}
PROMISED = {"siamese.keras", "record.json", "config.json", "history.csv", CHECKPOINT, "logs"} | PICTURES
train = functools.partial(train_and_evaluate, quiet=True, pictures=False)


@pytest.fixture(scope="session")
def config(digit_pairs):
    return TrainConfig(pairs=str(digit_pairs), epochs=3, batch_pairs=64, embedding_dim=16)


@pytest.fixture(scope="session")
def whole(config, tmp_path_factory):
    """An unbroken run: its model and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    return train_and_evaluate(config, folder, quiet=True, command="make it"), folder


def assert_same_bits(model, other):
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        assert (one.dtype, one.shape, one.tobytes()) == (two.dtype, two.shape, two.tobytes())
    assert model.threshold == other.threshold


def history(folder):
    """Returns the rows of `history.csv` without the seconds, which differ between runs."""
    with open(folder / "history.csv", encoding="utf-8", newline="") as file:
        return [{name: float(row[name]) for name in row if name != "seconds"} for row in csv.DictReader(file)]


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.iterdir()}


def without(record, *names):
    """Returns a copy of a record without the training times, the command and the named parts."""
    copy = json.loads(json.dumps(record))
    for name in ("training", "command", *names):
        part = copy
        *way, last = name.split(".")
        for key in way:
            part = part[key]
        part.pop(last, None)
    return copy


def python(script, *arguments):
    """Returns the command line that runs a script, given as text, in another process."""
    return [sys.executable, "-c", script, *map(str, arguments)]


def stop_in_step(monkeypatch, count):
    """Raises KeyboardInterrupt after `count` steps."""
    steps = iter(range(1, count + 1))

    def interrupt(self, batch, logs=None):
        if next(steps) == count:
            raise KeyboardInterrupt

    monkeypatch.setattr(callbacks.ValidationCheckpoint, "on_train_batch_end", interrupt, raising=False)


def stop_after_checkpoint(monkeypatch, count):
    """Raises KeyboardInterrupt after the checkpoint of epoch `count`, before the history is written."""
    epochs = iter(range(1, count + 1))

    def interrupt(rows, path):
        if next(epochs) == count:
            raise KeyboardInterrupt
        write(rows, path)

    write = callbacks.write_history
    monkeypatch.setattr(callbacks, "write_history", interrupt)
