import json
from dataclasses import replace

import numpy as np
import pytest

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError
from siamese_tf.training.build import build_trainer
from siamese_tf.training.checkpoint import RunState, save_checkpoint
from siamese_tf.training.environment import environment
from siamese_tf.training.resolve import resolve_config
from siamese_tf.training.resume import restore, resumed_state, run_identity, with_settings_of

RUN = {"epochs": 3, "learning_rate": 0.01, "seed": 0}
ROW = {"epoch": 1, "loss": 0.5, "validation_accuracy": 0.5, "learning_rate": 0.01, "seconds": 1.0}


@pytest.fixture
def one_epoch_done(tmp_path):
    """A run after its first epoch of three; call it to save the checkpoint again, in another environment."""

    def save(**changes):
        save_checkpoint(RunState(RUN, [ROW], 1, environment() | changes), tmp_path)

    save()
    return save


def test_without_a_run_there_is_nothing_to_resume(tmp_path):
    with pytest.raises(ConfigError, match="nothing to resume in .*: it contains no run. Check --workdir"):
        resumed_state(tmp_path, RUN, (), pytest.fail)


def test_a_run_stopped_in_its_first_epoch_starts_again_and_logs_it(tmp_path):
    (tmp_path / "config.json").write_text('{"epochs": 3, "learning_rate": 0.01}')
    lines = []
    state = resumed_state(tmp_path, RUN, (), lines.append)
    assert (state.run, state.epochs_done) == (RUN, 0)
    assert lines == [f"No checkpoint of the run in {tmp_path} yet: starting from the first epoch."]


def test_a_run_without_a_checkpoint_is_not_resumed_with_other_settings(tmp_path):
    (tmp_path / "config.json").write_text('{"epochs": 3, "learning_rate": 0.02, "seed": 1}')
    with pytest.raises(ConfigError, match=r"config.json belongs to another run: learning_rate was 0.02 .*, seed was 1"):
        resumed_state(tmp_path, RUN, (), pytest.fail)
    with pytest.raises(ConfigError, match=r"belongs to another run: seed was 1 and is now 0\."):
        resumed_state(tmp_path, RUN, ("learning_rate",), pytest.fail)


def test_an_automatic_precision_is_that_of_the_run(tmp_path):
    assert with_settings_of(TrainConfig(), tmp_path) == TrainConfig()
    (tmp_path / "config.json").write_text(json.dumps(TrainConfig(precision="bfloat16", images_shown=9).to_dict()))
    assert with_settings_of(TrainConfig(), tmp_path) == TrainConfig(precision="bfloat16")
    assert with_settings_of(TrainConfig(precision="float32"), tmp_path) == TrainConfig(precision="float32")


def test_the_epochs_for_as_many_images_are_those_of_the_run(tmp_path):
    """An earlier release trained for whole passes over the data."""
    asked = TrainConfig(images_shown=1000)
    (tmp_path / "config.json").write_text(json.dumps(replace(asked, epochs=3, steps_per_epoch=7).to_dict()))
    resumed = with_settings_of(asked, tmp_path)
    assert (resumed.epochs, resumed.steps_per_epoch) == (3, 7)
    for other in ({"epochs": 4}, {"images_shown": 1001}):
        assert with_settings_of(replace(asked, **other), tmp_path).steps_per_epoch is None
    assert with_settings_of(replace(asked, steps_per_epoch=5), tmp_path).steps_per_epoch == 5  # refused later
    (tmp_path / "config.json").write_text('{"images_shown": 1000, "epochs": 3}')
    assert with_settings_of(asked, tmp_path) == replace(asked, epochs=3, precision="auto")


def test_a_run_with_the_defaults_of_an_earlier_release_keeps_them(tmp_path):
    (tmp_path / "config.json").write_text('{"tower": "small_cnn", "images_shown": 256000, "epochs": 2}')
    resumed = with_settings_of(TrainConfig(), tmp_path)
    assert (resumed.tower, resumed.images_shown, resumed.epochs) == ("small_cnn", 256_000, 2)
    given = with_settings_of(TrainConfig(epochs=2), tmp_path)  # which overrides the images to show
    assert (given.tower, given.images_shown, given.epochs) == ("small_cnn", 256_000, 2)
    other = TrainConfig(tower="resnet", images_shown=1000)
    assert with_settings_of(other, tmp_path) == replace(other, precision="auto")
    (tmp_path / "config.json").write_text('{"tower": "resnet", "images_shown": 1000, "epochs": 2}')
    assert with_settings_of(TrainConfig(), tmp_path) == TrainConfig()


def test_an_automatic_precision_needs_a_readable_config(tmp_path):
    (tmp_path / "config.json").write_text('{"precision": 7}')
    with pytest.raises(ConfigError, match="precision must be one of"):
        with_settings_of(TrainConfig(), tmp_path)


def test_the_learning_rate_of_a_finished_run_is_what_it_was(tmp_path):
    save_checkpoint(RunState(RUN, [ROW] * 3, 1, environment()), tmp_path)
    with pytest.raises(ConfigError, match="The run is finished, so learning_rate can no longer change"):
        resumed_state(tmp_path, {**RUN, "learning_rate": 0.001}, ("learning_rate",), pytest.fail)


def test_other_pairs_are_described(tmp_path):
    save_checkpoint(RunState({**RUN, "train_sha256": "ab"}, [ROW], 1, environment()), tmp_path)
    with pytest.raises(ConfigError, match="its pairs differ .other images, folds"):
        resumed_state(tmp_path, {**RUN, "train_sha256": "cd"}, (), pytest.fail)


def test_a_run_is_resumed_after_its_last_epoch(tmp_path, one_epoch_done, capsys):
    lines = []
    assert resumed_state(tmp_path, RUN, (), lines.append).history == [ROW]
    assert lines == ["Resuming after epoch 1 of 3."]
    assert capsys.readouterr() == ("", "")


def test_another_learning_rate_is_logged_and_recorded(tmp_path, one_epoch_done):
    lines, run = [], {**RUN, "learning_rate": 0.001}
    state = resumed_state(tmp_path, run, ("learning_rate",), lines.append)
    assert state.run == run
    assert state.learning_rates == [[1, 0.01], [2, 0.001]]
    save_checkpoint(state, tmp_path)
    assert resumed_state(tmp_path, run, (), lambda line: None).learning_rates == [[1, 0.01], [2, 0.001]]
    one_epoch_done()
    assert lines[1:] == ["The learning rate is 0.001 from epoch 2 on; it was 0.01."]
    with pytest.raises(ConfigError, match="learning_rate was 0.01 and is now 0.001"):
        resumed_state(tmp_path, run, (), lines.append)


def test_another_machine_is_warned_of_and_not_refused(tmp_path, one_epoch_done, capsys):
    one_epoch_done(processors=99, tensorflow="2.0")
    resumed_state(tmp_path, RUN, (), lambda line: None)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("warning: number of processors was 99 and is now ")
    assert "TensorFlow version was 2.0 and is now" in err
    assert err.endswith("; the weights will differ slightly from those of an uninterrupted run\n")


@pytest.mark.parametrize("schedule", ["constant", "plateau", "cosine"])
def test_the_new_learning_rate_is_not_overwritten_by_the_optimizer_s_variables(quarters, run_of, tmp_path, schedule):
    config = TrainConfig(batch_pairs=16, embedding_dim=4, epochs=4, tower="reference", schedule=schedule)
    run = run_of(quarters)

    def trainer(rate):
        return build_trainer(resolve_config(replace(config, learning_rate=rate), run, None), run, None)

    before, after = trainer(0.5), trainer(0.125)
    before.optimizer.iterations.assign(20)  # of 40
    state = RunState({}, variables=[np.asarray(one) for one in before.state])
    state.optimizer = [np.asarray(one) for one in before.optimizer.variables]
    restore(after, state, tmp_path)
    assert int(np.asarray(after.optimizer.iterations)) == 20
    if schedule != "cosine":
        assert float(np.asarray(after.optimizer.learning_rate)) == 0.125
    for one, other in zip(after.state, before.state, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ConfigError, match="must have weights with the shapes of this tower"):
        restore(after, replace(state, variables=state.variables[1:]), tmp_path)


def test_a_run_is_identified_by_its_settings_but_paths_and_by_its_pairs(quarters, run_of):
    run = run_of(replace(quarters, sha256="ab"))
    config = TrainConfig(pairs="here/pairs.npz", images="here", seed=3)
    identity = run_identity(config, run)
    assert identity == run_identity(replace(config, pairs="there/pairs.npz", images="there"), run)
    assert (identity["seed"], identity["train_sha256"], identity["test_sha256"]) == (3, "ab", "ab")
    assert not {"data_dir", "pairs", "test_pairs", "images"} & set(identity)
    alone = replace(run, original=replace(run.original, test=None))
    assert run_identity(config, alone)["test_sha256"] is None
    assert run_identity(replace(config, seed=4), run) != identity
