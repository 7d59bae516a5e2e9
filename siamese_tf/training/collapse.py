"""Notices when all embeddings have fallen onto one point, where triplet losses leave a network without a way out."""

import math
import sys
from typing import Any

from tensorflow import keras

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.training.trainer import Trainer

STEPS = 30  # in a row, so that a loss that passes by the margin is no alarm
NEAR_MARGIN = 1e-3  # or a tenth of the margin, so that a loss near 0 is not near a tiny margin
NO_SPREAD = 1e-2  # mean distance between images of two classes; embeddings have length 1


class CollapseMonitor(keras.callbacks.Callback):
    """Says once, in one sentence on standard error, that the embeddings have collapsed, and what to try.

    They have when, for 30 steps in a row, the loss was within 0.001 (a tenth of the margin at most) of what it is at
    d(a, p) = d(a, n), which is the margin, or images of different classes were less than 0.01 apart.
    """

    def __init__(self, trainer: Trainer, config: TrainConfig):
        super().__init__()
        self.last_metrics, self.config = trainer.last_metrics, config
        self.at_collapse = math.log(2) if config.soft else config.numeric_margin
        self.near = min(NEAR_MARGIN, self.at_collapse / 10)
        self.steps = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any]) -> None:
        loss, apart = (float(self.last_metrics[name].numpy()) for name in ("loss", "negative_distance"))
        collapsed = abs(loss - self.at_collapse) < self.near or apart < NO_SPREAD
        self.steps = self.steps + 1 if collapsed else 0
        if self.steps == STEPS:
            print(self._sentence(loss, apart), file=sys.stderr, flush=True)

    def _sentence(self, loss: float, apart: float) -> str:
        mining = "--mining semi-hard, " if self.config.mining != "semi-hard" else ""
        return (
            f"The embeddings have collapsed: the loss stays at {loss:.4f}, where it is when all images lie at one point"
            f" (images of different classes are {apart:.3f} apart); stop the run and try {mining}a lower"
            f" --learning-rate than {self.config.learning_rate:g}, or another --margin."
        )
