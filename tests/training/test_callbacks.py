import csv
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import VALIDATION
from siamese_tf.training.callbacks import HalveLROnPlateau, ReseedEachEpoch, ValidationCheckpoint, write_history
from siamese_tf.training.checkpoint import RunState, load_checkpoint

RUN = {"seed": 0}


class FakeModel:
    """Returns the scores it was given; its one weight is the number of the epoch."""

    def __init__(self, right):
        self.right = right
        self.weight = np.zeros(1, np.float32)

    def get_weights(self):
        return [self.weight.copy()]

    def score_pairs(self, images, img1, img2, *, check):
        return self.scores


class Run:
    """Calls the callback as `fit` does, for epochs with a chosen validation accuracy."""

    def __init__(self, pairs, workdir, *metrics, every=1, epochs=1000):
        self.similarity = pairs.similarity[pairs.rows(VALIDATION)]
        self.model = FakeModel(self.similarity)
        self.state, self.workdir = RunState(RUN), workdir
        self.callback = ValidationCheckpoint(pairs, self.state, workdir, *metrics, every=every)
        self.callback.set_params({"epochs": epochs})
        optimizer = SimpleNamespace(learning_rate=tf.constant(0.5), variables=[tf.constant(3, tf.int64)])
        ema_weights = partial(nullcontext, self.model)
        self.fit = SimpleNamespace(optimizer=optimizer, stop_training=False, state=[], ema_weights=ema_weights)
        self.callback.set_model(self.fit)

    def epoch(self, mistakes, loss=0.25, **metrics):
        """Runs an epoch after which the best threshold misclassifies `mistakes` of the dissimilar pairs."""
        number = self.state.epochs_done
        scores = np.where(self.similarity == 1, 0.9, 0.1)
        scores[np.flatnonzero(self.similarity == 0)[:mistakes]] = 0.95
        self.model.scores, self.model.weight = scores, np.array([number + 1], np.float32)
        self.fit.state = [
            tf.constant([10.0 * (number + 1)]),
            tf.constant(self.model.weight),
            tf.constant([7], tf.int64),
        ]
        self.callback.on_epoch_begin(number, {})
        logs = {"loss": loss, **metrics}
        self.callback.on_epoch_end(number, logs)
        return logs


@pytest.fixture
def run(toy_pairs, tmp_path):
    return Run(toy_pairs, tmp_path / "workdir")


def test_the_validation_accuracy_is_the_best_any_threshold_reaches(run):
    assert len(run.similarity) == 30
    assert run.epoch(mistakes=0)["validation_accuracy"] == 1.0
    assert run.epoch(mistakes=3)["validation_accuracy"] == 27 / 30


def test_some_epochs_are_not_validated_but_the_last_one_is(toy_pairs, tmp_path):
    run = Run(toy_pairs, tmp_path, every=3, epochs=7)
    validated = ["validation_accuracy" in run.epoch(mistakes) for mistakes in (0, 0, 6, 0, 0, 3, 0)]
    assert validated == [False, False, True, False, False, True, True]
    assert run.state.best_epoch == 7
    assert [row["validation_accuracy"] for row in run.state.history] == [None, None, 0.8, None, None, 0.9, 1.0]
    rows = [*csv.DictReader((tmp_path / "history.csv").read_text().splitlines())]
    assert [row["validation_accuracy"] for row in rows] == ["", "", "0.8", "", "", "0.9", "1.0"]


def test_until_an_epoch_is_validated_the_last_one_is_the_best(toy_pairs, tmp_path):
    run = Run(toy_pairs, tmp_path, every=3)
    best = []
    for mistakes in (0, 0, 6, 0, 0):
        run.epoch(mistakes)
        best.append(run.state.best_epoch)
    assert best == [1, 2, 3, 3, 3]


def test_without_validation_pairs_the_last_epoch_is_the_best(toy_pairs, tmp_path):
    train_only = replace(toy_pairs, split=np.zeros_like(toy_pairs.split))
    run = Run(train_only, tmp_path, epochs=2)
    assert "validation_accuracy" not in run.epoch(0)
    run.epoch(0)
    assert (run.state.best_epoch, run.state.best[0].tolist()) == (2, [2.0])
    run.epoch(0, loss=np.nan)
    assert run.fit.stop_training
    assert run.state.epochs_done == 2


def test_the_best_epoch_is_the_first_of_ties(run):
    for mistakes in (4, 2, 3, 2):
        run.epoch(mistakes)
    assert run.state.best_epoch == 2
    np.testing.assert_array_equal(run.state.best, [[2.0]])
    assert [array.tolist() for array in run.state.variables[:2]] == [[40.0], [4.0]]  # all that a step changes
    run.epoch(1)
    assert run.state.best_epoch == 5


def test_every_epoch_writes_a_checkpoint(run):
    for done, mistakes in enumerate((4, 5), 1):
        run.epoch(mistakes)
        loaded = load_checkpoint(run.workdir, RUN)
        assert loaded is not None
        assert loaded.epochs_done == done
        assert loaded.best_epoch == 1
        assert [array.tolist() for array in loaded.variables] == [[10.0 * done], [float(done)], [7]]
        assert [array.tolist() for array in loaded.optimizer] == [3]
        assert [array.tolist() for array in loaded.best] == [[1.0]]
        assert loaded.history == run.state.history


def test_the_history_has_a_row_for_each_epoch(run):
    for mistakes, loss in ((3, 0.5), (0, 0.25)):
        run.epoch(mistakes, loss)
    rows = list(csv.DictReader((run.workdir / "history.csv").read_text().splitlines()))
    assert list(rows[0]) == ["epoch", "loss", "validation_accuracy", "learning_rate", "seconds"]
    assert [[float(row[name]) for name in list(row)[:4]] for row in rows] == [[1, 0.5, 0.9, 0.5], [2, 0.25, 1.0, 0.5]]
    assert all(0 <= float(row["seconds"]) < 60 for row in rows)


def test_the_history_has_a_column_for_each_metric_in_their_order(toy_pairs, tmp_path):
    run = Run(toy_pairs, tmp_path, ("loss", "near", "active"))
    run.epoch(0, 0.5, active=np.float32(0.25), other=1.0, near=tf.constant(2.0))
    header, row = (tmp_path / "history.csv").read_text().splitlines()
    assert header == "epoch,loss,near,active,validation_accuracy,learning_rate,seconds"
    assert row.startswith("1,0.5,2.0,0.25,1.0,0.5,")
    loaded = load_checkpoint(tmp_path, RUN)
    assert loaded is not None
    assert loaded.history == run.state.history


def test_a_resumed_run_remembers_the_best_epoch(toy_pairs, tmp_path):
    first = Run(toy_pairs, tmp_path)
    first.epoch(1)
    second = Run(toy_pairs, tmp_path)
    second.state = second.callback.state = load_checkpoint(tmp_path, RUN)
    second.epoch(2)
    assert (second.state.best_epoch, second.state.epochs_done) == (1, 2)
    np.testing.assert_array_equal(second.state.best, [[1.0]])
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_run_after_the_epoch_before(run, loss):
    run.epoch(1)
    logs = run.epoch(0, loss)
    assert "validation_accuracy" not in logs
    assert_stopped_after_the_first_epoch(run)


def test_scores_that_are_not_finite_stop_the_run_although_the_loss_was(run):
    """The last step of an epoch can ruin the weights after the last loss was computed."""
    run.epoch(1)
    run.model.score_pairs = lambda *_, check: np.full(30, np.nan)
    run.epoch(0)
    assert_stopped_after_the_first_epoch(run)


def assert_stopped_after_the_first_epoch(run):
    assert run.fit.stop_training
    assert (run.state.epochs_done, run.state.best_epoch) == (1, 1)
    loaded = load_checkpoint(run.workdir, RUN)
    assert loaded is not None
    assert loaded.epochs_done == 1
    assert len((run.workdir / "history.csv").read_text().splitlines()) == 2


def test_a_full_disk_is_not_passed_over_in_silence(run, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    run.epoch(1)
    monkeypatch.setattr("siamese_tf.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        run.epoch(0)
    loaded = load_checkpoint(run.workdir, RUN)
    assert loaded is not None
    assert loaded.epochs_done == 1


def test_random_layers_draw_the_same_in_every_epoch():
    """On Keras 2; Keras 3 counts the draws in a variable, which is not reset."""
    keras.utils.set_random_seed(0)
    image = keras.Input((50,))
    tower = keras.Model(image, keras.layers.Dropout(0.5)(image))
    step = tf.function(lambda x: tower(x, training=True))
    restart = ReseedEachEpoch(seed=4)
    epochs = []
    for epoch in range(2):
        restart.on_epoch_begin(epoch, {})
        epochs.append([step(tf.ones((4, 50))).numpy() for _ in range(3)])
        state = [np.asarray(variable) for variable in tower.variables]
        if state:
            break
    assert not np.array_equal(epochs[0][0], epochs[0][1])
    assert state or np.array_equal(epochs[0], epochs[1])


def rates_of_epochs(accuracies, state):
    """The learning rate in each epoch of a run with these accuracies."""
    optimizer = keras.optimizers.SGD(0.01)
    callback = HalveLROnPlateau(TrainConfig(learning_rate=0.01, schedule="plateau"), state)
    callback.set_model(SimpleNamespace(optimizer=optimizer))
    rates = []
    for accuracy in accuracies:
        callback.on_epoch_begin(len(state.history), {})
        rates.append(float(np.asarray(optimizer.learning_rate)))
        state.history.append({"validation_accuracy": accuracy})
    return rates


def test_the_learning_rate_halves_when_the_accuracy_stays():
    accuracies = [0.6, 0.8, *[0.7] * 10, 0.9, 0.9]
    assert rates_of_epochs(accuracies, RunState(RUN)) == pytest.approx([0.01] * 7 + [0.005] * 5 + [0.0025] * 2)


@pytest.mark.parametrize("stopped", [1, 6, 7, 8, 12])
def test_a_resumed_run_continues_with_the_same_learning_rate(stopped):
    """Whatever the rate of a newly built optimizer is."""
    accuracies = [0.6, 0.8, *[0.7] * 10, 0.9, 0.9]
    unbroken, state = rates_of_epochs(accuracies, RunState(RUN)), RunState(RUN)
    assert rates_of_epochs(accuracies[:stopped], state) + rates_of_epochs(accuracies[stopped:], state) == unbroken


def test_the_history_is_replaced_whole(tmp_path):
    path = tmp_path / "new" / "history.csv"
    write_history([{"epoch": 1, "loss": 0.5}], path)
    write_history([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}], path)
    assert path.read_bytes() == b"epoch,loss\r\n1,0.5\r\n2,0.25\r\n"


def test_weights_of_bfloat16_are_stored_as_float32_and_nothing_is_lost(run):
    run.fit.optimizer.variables = [tf.constant([1.5, -3.0], tf.bfloat16)]
    run.epoch(1)
    loaded = load_checkpoint(run.workdir, RUN)
    assert loaded is not None
    assert loaded.optimizer[0].dtype == np.float32
    assert loaded.optimizer[0].tolist() == [1.5, -3.0]
