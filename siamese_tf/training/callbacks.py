"""Callbacks of `fit`: validation and checkpoint, learning rate on a plateau, reproducible dropout."""

import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.resolved_config import ResolvedConfig
from siamese_tf.data.pairs.pair_file import VALIDATION, PairDataset
from siamese_tf.evaluation.thresholds import max_accuracy_threshold
from siamese_tf.files import atomic_write
from siamese_tf.training.checkpoint import RunState, save_checkpoint
from siamese_tf.training.optimizer import plateau_rate
from siamese_tf.training.workdir import HISTORY


class ValidationCheckpoint(keras.callbacks.Callback):
    """Callback that validates the averaged weights after an epoch and saves the history and the checkpoint.

    The validation accuracy is the maximum over all thresholds; each validation image is embedded once. Training stops
    without a new checkpoint if the loss or a score is not finite. Without validation pairs, the best epoch is the last.
    """

    def __init__(
        self,
        pairs: PairDataset,
        state: RunState,
        workdir: Path,
        metrics: Sequence[str] = ("loss",),
        every: int = 1,
    ):
        """Creates the callback.

        Args:
            pairs: pairs, usually with a validation split.
            state: state of the run; updated after every epoch, including the best weights.
            workdir: folder of the run.
            metrics: names of the training metrics in the history, the loss first.
            every: number of epochs between validations; the last epoch is always validated.
        """
        super().__init__()
        self.metrics, self.every = metrics, every
        self.state = state
        self.workdir = workdir
        rows = pairs.rows(VALIDATION)
        self.images = pairs.images
        self.img1, self.img2, self.similarity = pairs.img1[rows], pairs.img2[rows], pairs.similarity[rows]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any]) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        validates = len(self.img1) > 0 and ((epoch + 1) % self.every == 0 or epoch + 1 == self.params["epochs"])
        scores = np.empty(0)
        with self.model.ema_weights() as ema_model:
            if validates:
                scores = ema_model.score_pairs(self.images, self.img1, self.img2, check=False)
            weights = ema_model.get_weights()
        if not (np.isfinite(logs["loss"]) and np.isfinite(scores).all()):
            self.model.stop_training = True
            return  # so that the checkpoint of the last finite epoch remains
        accuracy = None
        if validates:
            accuracy = float(np.mean((scores >= max_accuracy_threshold(self.similarity, scores)) == self.similarity))
            logs["validation_accuracy"] = accuracy
        state, optimizer = self.state, self.model.optimizer
        if is_best(accuracy, state.history):
            state.best_epoch, state.best = epoch + 1, [_storable(weight) for weight in weights]
        state.history.append(
            {
                "epoch": epoch + 1,
                **{name: float(logs[name]) for name in self.metrics},
                "validation_accuracy": accuracy,
                "learning_rate": float(np.asarray(optimizer.learning_rate)),
                "seconds": round(time.perf_counter() - self.started, 3),
            }
        )
        state.variables = [_storable(variable) for variable in self.model.state]
        state.optimizer = [_storable(variable) for variable in optimizer.variables]
        save_checkpoint(state, self.workdir)
        write_history(state.history, self.workdir / HISTORY)


def validation_accuracies(history: Sequence[Mapping[str, Any]]) -> list[float]:
    """Returns the validation accuracy of each validated epoch of a history."""
    return [row["validation_accuracy"] for row in history if row["validation_accuracy"] is not None]


def is_best(accuracy: float | None, history: Sequence[Mapping[str, Any]]) -> bool:
    """Returns True if an epoch is better than all earlier ones; before the first validation, every epoch is.

    Args:
        accuracy: validation accuracy of the epoch; None if it was not validated.
        history: rows of the earlier epochs.
    """
    earlier = validation_accuracies(history)
    return not earlier if accuracy is None else accuracy > max(earlier, default=-1.0)


def _storable(variable: tf.Variable | np.ndarray) -> np.ndarray:
    """Returns an array with a dtype that the NPY format supports: bfloat16 is converted to float32 without loss."""
    array = np.asarray(variable)
    return array.astype(np.float32) if array.dtype == tf.bfloat16.as_numpy_dtype else array


class ReseedEachEpoch(keras.callbacks.Callback):
    """Callback that resets the random generator of TensorFlow before each epoch, so that resumed runs are reproducible.

    In Keras 2, the counter of dropout is internal to TensorFlow and cannot be saved in a checkpoint; setting the seed
    resets it. In Keras 3, the counter is a variable, which the checkpoint includes.
    """

    def __init__(self, seed: int):
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any]) -> None:
        tf.random.set_seed(self.seed)


class HalveLROnPlateau(keras.callbacks.Callback):
    """Callback that sets the learning rate before each epoch with `plateau_rate`.

    The rate depends only on the history, so a resumed run continues with the same rate.
    """

    def __init__(self, config: ResolvedConfig, state: RunState):
        super().__init__()
        self.config, self.state = config, state

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any]) -> None:
        self.model.optimizer.learning_rate = plateau_rate(self.config, validation_accuracies(self.state.history))


def write_history(history: list[dict[str, Any]], path: Path) -> None:
    """Writes the history as CSV: a header and one row per epoch; the accuracy is empty without validation."""
    with atomic_write(path, "w") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows(history)
