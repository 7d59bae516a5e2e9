"""Detection of embeddings that have collapsed to one point, from which a triplet loss rarely recovers."""

import math
import sys
from typing import Any

from tensorflow import keras

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.training.trainer import Trainer

STEPS = 30  # consecutive steps, so that a loss that only crosses the margin causes no warning
MAX_LOSS_GAP = 1e-3  # or a tenth of the margin, so that a loss near 0 does not count as close to a tiny margin
MIN_SPREAD = 1e-2  # mean distance of images of different classes; embeddings have length 1


class CollapseMonitor(keras.callbacks.Callback):
    """Callback that prints one line to standard error when the embeddings have collapsed.

    The criterion, for 30 consecutive steps: the loss is within 0.001 (or a tenth of the margin, if smaller) of its
    value at d(a, p) = d(a, n), which is the margin (log 2 if it is soft), or the mean distance between images of
    different classes is below 0.01.
    """

    def __init__(self, trainer: Trainer, config: TrainConfig):
        super().__init__()
        self.last_metrics, self.config = trainer.last_metrics, config
        self.collapsed_loss = math.log(2) if config.soft else config.numeric_margin
        self.max_gap = min(MAX_LOSS_GAP, self.collapsed_loss / 10)
        self.steps = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any]) -> None:
        loss, spread = (float(self.last_metrics[name].numpy()) for name in ("loss", "negative_distance"))
        collapsed = abs(loss - self.collapsed_loss) < self.max_gap or spread < MIN_SPREAD
        self.steps = self.steps + 1 if collapsed else 0
        if self.steps == STEPS:
            print(self._message(loss, spread), file=sys.stderr, flush=True)

    def _message(self, loss: float, spread: float) -> str:
        mining = f"--mining {TrainConfig.mining}, " if self.config.mining != TrainConfig.mining else ""
        return (
            f"warning: the embeddings have collapsed: the loss stays at {loss:.4f}, its value when all embeddings are"
            f" equal (mean distance of images of different classes {spread:.3f}). Stop the run and try {mining}a lower"
            f" --learning-rate than {self.config.learning_rate:g}, or another --margin."
        )
