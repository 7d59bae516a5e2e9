"""Event files for TensorBoard with the metrics of each epoch."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras


class EventLog(keras.callbacks.Callback):
    """Writes the metrics and the learning rate of each epoch to an event file.

    Uses the tags of `keras.callbacks.TensorBoard`, but omits the host name from the name of the file.
    """

    def __init__(self, folder: str | Path):
        """Creates the callback.

        Args:
            folder: log folder of the run; the file is written to its subfolder `train`.
        """
        super().__init__()
        self.folder = Path(folder) / "train"

    def on_train_begin(self, logs: dict[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"events.out.tfevents.{int(time.time()):010d}.{os.getpid()}"
        self.file = tf.io.TFRecordWriter(os.fsencode(path))
        self._write(tf.compat.v1.Event(wall_time=time.time(), file_version="brain.Event:2"))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        values = {**logs, "learning_rate": np.asarray(self.model.optimizer.learning_rate)}
        summary = tf.compat.v1.Summary()
        for name, value in values.items():
            summary.value.add(tag=f"epoch_{name}", simple_value=float(value))
        self._write(tf.compat.v1.Event(wall_time=time.time(), step=epoch, summary=summary))

    def on_train_end(self, logs: dict[str, Any]) -> None:
        self.file.close()

    def _write(self, event: Any) -> None:
        self.file.write(event.SerializeToString())
        self.file.flush()
