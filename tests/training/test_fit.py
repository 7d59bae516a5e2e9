"""Fitting to the last epoch or to the first loss that is not finite; `test_train.py` has whole runs."""

from dataclasses import replace

import numpy as np
import pytest

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import SiameseError
from siamese_tf.training.build import build_trainer
from siamese_tf.training.checkpoint import CHECKPOINT, RunState
from siamese_tf.training.fit import fit_trainer
from siamese_tf.training.resolve import resolve_config

CONFIG = TrainConfig(batch_pairs=40, embedding_dim=4, epochs=2, tower="reference", learning_rate=0.01)


@pytest.fixture
def run(quarters, run_of):
    return run_of(quarters)


def trainer_of(run, config=CONFIG):
    return build_trainer(resolve_config(config, run, None), run, None)


def test_the_remaining_epochs_are_run_and_the_model_has_the_weights_of_the_best_one(run, tmp_path, capsys):
    trainer = trainer_of(run)
    row = {"epoch": 1, "loss": 1.0, "validation_accuracy": 0.0, "learning_rate": 0.01, "seconds": 1.0}
    state = RunState({}, history=[row], best_epoch=1, best=[])
    fit_trainer(trainer, run, state, tmp_path, quiet=False)
    assert [row["epoch"] for row in state.history] == [1, 2]
    assert state.best_epoch == 2
    for weight, best in zip(trainer.ema_model.get_weights(), state.best, strict=True):
        np.testing.assert_array_equal(weight, best)
    assert {path.name for path in tmp_path.iterdir()} == {CHECKPOINT, "history.csv", "logs"}
    assert capsys.readouterr().out.startswith("epoch 2/2  loss ")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, set()),
        ({"schedule": "plateau"}, {"HalveLROnPlateau"}),
        ({"objective": "triplet"}, {"CollapseMonitor"}),
    ],
)
def test_the_callbacks_of_a_config(run, tmp_path, monkeypatch, settings, expected):
    trainer, used = trainer_of(run, replace(CONFIG, **settings)), []
    monkeypatch.setattr(trainer, "fit", lambda batches, *, callbacks, **more: used.extend(callbacks))
    state = RunState({}, history=[{}] * 2, best=trainer.ema_model.get_weights())
    fit_trainer(trainer, run, state, tmp_path, quiet=True)
    always = {"TerminateOnNaN", "ValidationCheckpoint", "EventLog"}
    assert {type(callback).__name__ for callback in used} == always | expected


def test_a_run_that_ends_early_is_an_error_in_its_first_epoch_and_a_warning_later(run, tmp_path, monkeypatch, capsys):
    trainer = trainer_of(run)
    monkeypatch.setattr(trainer, "fit", lambda *args, **more: None)
    with pytest.raises(SiameseError) as caught:
        fit_trainer(trainer, run, RunState({}), tmp_path, quiet=True)
    assert str(caught.value) == "the loss became NaN or infinite in epoch 1. Use a --learning-rate below 0.01"
    best = [np.ones_like(weight) for weight in trainer.ema_model.get_weights()]
    fit_trainer(trainer, run, RunState({}, history=[{}], best_epoch=1, best=best), tmp_path, quiet=True)
    assert capsys.readouterr().err == (
        "warning: the loss became NaN or infinite in epoch 2 of 2; the model is that of epoch 1, the best one before."
        " To continue after epoch 1, use --resume with a --learning-rate below 0.01\n"
    )
    assert all((weight == 1).all() for weight in trainer.ema_model.get_weights())
