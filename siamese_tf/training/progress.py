"""Progress of `fit`: a bar on a terminal, otherwise one line per epoch."""

import importlib.util
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from tensorflow import keras

FORMATS = {  # near and far: mean distance between images of the same class and of different classes
    "loss": "loss {:.4f}",
    "active_fraction": "active {:.1%}",
    "positive_distance": "near {:.2f}",
    "negative_distance": "far {:.2f}",
}


def shows_bar(console: Console) -> bool:
    """Returns True if a progress bar can be drawn: on a terminal with cursor control, or in Jupyter with ipywidgets."""
    if console.is_jupyter:
        return importlib.util.find_spec("ipywidgets") is not None
    return console.file.isatty() and not console.is_dumb_terminal


@contextmanager
def training_progress(steps: int, epochs: int, first_epoch: int) -> Iterator[keras.callbacks.Callback]:
    """Yields a callback that reports the progress of `fit` on standard output, as a bar or as lines."""
    if not shows_bar(Console()):
        yield EpochLines(epochs)
        return
    progress = ProgressBar(steps, epochs, first_epoch)
    with progress.bar:
        yield progress


class EpochLines(keras.callbacks.Callback):
    """Callback that prints a line after each epoch: its number, training metrics, validation accuracy and seconds."""

    def __init__(self, epochs: int):
        super().__init__()
        self.epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any]) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        accuracy = f"{logs['validation_accuracy']:.4f}" if "validation_accuracy" in logs else "-"
        seconds = f"{time.perf_counter() - self.started:.1f} s"
        parts = [f"epoch {epoch + 1}/{self.epochs}", *_metrics(logs), f"val {accuracy}", seconds]
        print("  ".join(parts), flush=True)


class ProgressBar(keras.callbacks.Callback):
    """Callback that shows a single line of 80 columns: metrics of the epoch, last validation accuracy, time left.

    Call `fit` inside `with progress.bar:`, which restores the terminal even if `fit` fails.
    """

    def __init__(self, steps: int, epochs: int, first_epoch: int):
        super().__init__()
        self.steps, self.epochs, self.first_epoch = steps, epochs, first_epoch
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[metrics]} val {task.fields[accuracy]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=Console(),  # the shared console of Rich does not follow changes of the terminal width
        )

    def on_train_begin(self, logs: dict[str, Any]) -> None:
        self.task = self.bar.add_task(
            "",
            total=self.epochs * self.steps,
            completed=self.first_epoch * self.steps,
            epoch="",
            metrics="",
            accuracy="-",
        )

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any]) -> None:
        self.bar.update(self.task, epoch=f"{epoch + 1}/{self.epochs}")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any]) -> None:
        self.bar.update(self.task, advance=1, metrics=" ".join(_metrics(logs)))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        if "validation_accuracy" in logs:
            self.bar.update(self.task, accuracy=f"{logs['validation_accuracy']:.4f}")


def _metrics(logs: dict[str, Any]) -> list[str]:
    return [text.format(float(logs[name])) for name, text in FORMATS.items() if name in logs]
