import importlib.util
import io
import sys

import pytest
from rich.console import Console

from siamese_tf.training.progress import EpochLines, ProgressBar, shows_bar, training_progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def on_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", Terminal())


def test_a_bar_is_for_terminals(monkeypatch):
    on_terminal(monkeypatch)
    assert shows_bar(Console())
    assert not shows_bar(Console(file=io.StringIO()))
    monkeypatch.setenv("FORCE_COLOR", "1")  # wants colors, not control characters in a log file
    assert not shows_bar(Console(file=io.StringIO()))
    monkeypatch.setenv("TERM", "dumb")
    assert not shows_bar(Console())
    monkeypatch.setattr(sys, "stdout", None)  # closed before the start
    assert not shows_bar(Console())


@pytest.mark.parametrize("installed", [True, False])
def test_a_notebook_shows_a_bar_if_it_has_ipywidgets(monkeypatch, installed):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if installed else None)
    assert shows_bar(Console(force_jupyter=True)) is installed


def ran(callback):
    for epoch, logs in (
        (2, {"loss": 0.01234, "other": 1.0, "validation_accuracy": 0.98114}),
        (3, {"loss": float("nan")}),
    ):
        callback.on_epoch_begin(epoch, {})
        callback.on_epoch_end(epoch, logs)


def test_a_log_file_gets_a_line_an_epoch(capsys, monkeypatch):
    monkeypatch.setattr("time.perf_counter", iter([0.0, 12.34, 20.0, 21.0]).__next__)
    with training_progress(steps=3, epochs=10, first_epoch=2) as progress:
        assert isinstance(progress, EpochLines)
        ran(progress)
    assert capsys.readouterr().out.splitlines() == [
        "epoch 3/10  loss 0.0123  val 0.9811  12.3 s",
        "epoch 4/10  loss nan  val -  1.0 s",
    ]


def test_each_line_is_there_as_soon_as_its_epoch_is_over(tmp_path, monkeypatch):
    with open(tmp_path / "log", "w") as file:  # buffered, as standard output into a file is
        monkeypatch.setattr(sys, "stdout", file)
        callback = EpochLines(1)
        callback.on_epoch_begin(0, {})
        callback.on_epoch_end(0, {"loss": 1.0})
        assert (tmp_path / "log").read_text().startswith("epoch 1/1  loss 1.0000")


def test_a_terminal_gets_the_bar(monkeypatch):
    on_terminal(monkeypatch)
    with training_progress(steps=3, epochs=2, first_epoch=0) as progress:
        assert isinstance(progress, ProgressBar)
        assert progress.bar.live.is_started
    assert not progress.bar.live.is_started


TRIPLET_LOGS = {"active_fraction": 0.1234, "positive_distance": 0.456, "negative_distance": 1.3, "anything": 1.0}


@pytest.mark.parametrize(
    ("more", "words"), [({}, ()), (TRIPLET_LOGS, ("active 12.3%", "near 0.46", "far 1.30"))], ids=["pairs", "triplets"]
)
def test_the_progress_bar_shows_the_state_of_the_run(capsys, monkeypatch, more, words):
    """It fits into 80 columns, also in epoch 1,000 of 1,000."""
    monkeypatch.setenv("COLUMNS", "80")
    for epochs in (2, 1000):
        progress = ProgressBar(steps=3, epochs=epochs, first_epoch=epochs - 2)
        with progress.bar:
            progress.on_train_begin({})
            for epoch, accuracy in enumerate((0.5, 0.975), start=epochs - 2):
                progress.on_epoch_begin(epoch, {})
                for step in range(3):
                    progress.on_train_batch_end(step, {"loss": 0.25, **more})
                progress.on_epoch_end(epoch, {"loss": 0.1, "validation_accuracy": accuracy})
        (shown,) = capsys.readouterr().out.splitlines()
        assert len(shown) <= 80
        for text in (f"epoch {epochs}/{epochs}", "100%", "loss 0.2500", "val 0.9750", *words):
            assert text in shown


def test_the_progress_bar_of_a_resumed_run_starts_where_it_stopped(capsys):
    progress = ProgressBar(steps=3, epochs=4, first_epoch=2)
    with progress.bar:
        progress.on_train_begin({})
        progress.on_epoch_begin(2, {})
        progress.on_train_batch_end(0, {"loss": 1.0})
        progress.on_epoch_end(2, {"loss": float("nan")})
    shown = capsys.readouterr().out
    assert all(words in shown for words in ("epoch 3/4", "58%", "val -"))  # 7 of 12 steps


def test_the_terminal_is_given_back_when_training_is_interrupted(capsys):
    def interrupted():
        with progress.bar:
            progress.on_train_begin({})
            raise KeyboardInterrupt

    progress = ProgressBar(steps=3, epochs=4, first_epoch=0)
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert progress.bar.live.is_started is False
