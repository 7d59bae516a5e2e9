"""What happens after each step and each epoch of `fit`."""

import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import VALIDATION, PairDataset
from siamese_tf.evaluation.thresholds import max_accuracy_threshold
from siamese_tf.files import atomic_write
from siamese_tf.training.checkpoint import RunState, save_checkpoint
from siamese_tf.training.optimizer import plateau_rate

HISTORY = "history.csv"


class ValidationCheckpoint(keras.callbacks.Callback):
    """After each epoch: the accuracy on the validation pairs, the best weights so far, the history and the checkpoint.

    The weights are the averages of the Trainer that `fit` drives. The accuracy is the highest any threshold reaches,
    with each validation image embedded once.
    """

    def __init__(
        self,
        pairs: PairDataset,
        state: RunState,
        workdir: Path,
        metrics: Sequence[str] = ("loss",),
    ):
        """Sets up the callback.

        Args:
            pairs: with validation rows.
            state: of the run; grows with every epoch.
            workdir: of the run.
            metrics: what else of an epoch's logs goes into the history, the loss first.
        """
        super().__init__()
        self.metrics = metrics
        self.state = state
        self.workdir = workdir
        rows = pairs.rows(VALIDATION)
        self.images = pairs.images
        self.img1, self.img2, self.similarity = pairs.img1[rows], pairs.img2[rows], pairs.similarity[rows]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any]) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        with self.model.ema_weights() as ema_model:
            scores = ema_model.score_pairs(self.images, self.img1, self.img2, check=False)
            weights = ema_model.get_weights()
        if not (np.isfinite(logs["loss"]) and np.isfinite(scores).all()):
            self.model.stop_training = True
            return  # the checkpoint of the last good epoch stays
        accuracy = float(np.mean((scores >= max_accuracy_threshold(self.similarity, scores)) == self.similarity))
        logs["validation_accuracy"] = accuracy
        state, optimizer = self.state, self.model.optimizer
        if accuracy > max((row["validation_accuracy"] for row in state.history), default=-1.0):
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


def _storable(variable: tf.Variable | np.ndarray) -> np.ndarray:
    """An array of a dtype that NumPy's own format knows: bfloat16 as float32, which holds it exactly."""
    array = np.asarray(variable)
    return array.astype(np.float32) if array.dtype == tf.bfloat16.as_numpy_dtype else array


class ReseedEachEpoch(keras.callbacks.Callback):
    """Makes what a tower draws at random a function of the step in the epoch, so that it is the same after a resume.

    On Keras 2, dropout counts its draws inside TensorFlow, where no checkpoint reaches; setting the seed sets the count
    to 0. Keras 3 counts in a variable, which the checkpoint holds.
    """

    def __init__(self, seed: int):
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any]) -> None:
        tf.random.set_seed(self.seed)


class HalveLROnPlateau(keras.callbacks.Callback):
    """Before each epoch, sets the learning rate by what has been reached, see `plateau_rate`; so a resume is exact."""

    def __init__(self, config: TrainConfig, state: RunState):
        super().__init__()
        self.config, self.state = config, state

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any]) -> None:
        accuracies = [row["validation_accuracy"] for row in self.state.history]
        self.model.optimizer.learning_rate = plateau_rate(self.config, accuracies)


def write_history(history: list[dict[str, float]], path: Path) -> None:
    """Writes the rows of a run as CSV, with a header."""
    with atomic_write(path, "w") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows(history)
