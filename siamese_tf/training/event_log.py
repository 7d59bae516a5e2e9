"""The measurements of each epoch as event files, for TensorBoard."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras


class EventLog(keras.callbacks.Callback):
    """Writes the logs of each epoch and its learning rate into a file that TensorBoard reads.

    As `keras.callbacks.TensorBoard` does, with the same tags, but in a file whose name does not tell the host.
    """

    def __init__(self, folder: str | Path):
        """Sets up the callback.

        Args:
            folder: of the run's logs; the file stands in `train` in it.
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
