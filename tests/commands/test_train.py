"""Training: what a run leaves and prints, how every flag arrives, and going on with a run."""

import inspect
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from siamese_tf import cli
from siamese_tf.commands.train import train
from siamese_tf.config import TrainConfig
from siamese_tf.models.model_file import load_model
from siamese_tf.recipes import RECIPES

LEFT_BY_A_RUN = (
    "siamese.keras record.json config.json history.csv accuracy.png roc.png scores.png sample.png mistakes.png"
)


def test_train_leaves_its_files_and_prints_the_report(trained):
    assert trained.code == 0
    run = trained.folder / "run"
    for name in LEFT_BY_A_RUN.split():
        assert (run / name).stat().st_size > 0
    assert any((run / "logs").rglob("events.out.tfevents.*"))
    lines = trained.printed.splitlines()
    assert lines[0].startswith("using digits from scikit-learn")
    (accuracies,) = (line.split()[1:] for line in lines if line.startswith("accuracy "))
    record = json.loads((run / "record.json").read_text())
    assert accuracies == [f"{record['accuracy'][part]:.4f}" for part in ("train", "validation", "test")]
    assert f"threshold {record['threshold']['value']:.4f}, chosen on the validation pairs" in lines
    assert "epoch 2/2" in trained.printed


def test_the_record_says_what_was_typed(trained):
    record = json.loads((trained.folder / "run" / "record.json").read_text())
    assert record["command"] == f"siamese-tf {trained.settings} --epochs 2 --workdir run"
    assert trained.model.record == record
    assert trained.model.threshold == record["threshold"]["value"]


# A value other than the default for every knob, in two lines: no one objective has them all.
OF_TRIPLETS = {
    "dataset": "digits",
    "data_dir": "data",
    "pairs": "a.npz",
    "test_pairs": "b.npz",
    "one_vs_rest": "7",
    "rest_is_a_class": True,
    "objective": "triplet",
    "tower": "reference",
    "head": "cosine",
    "embedding_dim": 7,
    "margin": 0.75,
    "mining": "hard",
    "losses": "native",
    "classes_per_batch": 5,
    "images_per_class": 6,
    "epochs": 3,
    "images_shown": 1000,
    "batch_pairs": 9,
    "learning_rate": 0.25,
    "schedule": "constant",
    "weight_decay": 0.125,
    "average": 0.75,
    "augment": "erase-flip",
    "views": "turn",
    "precision": "bfloat16",
    "seed": 11,
}
OF_PAIRS = {"objective": "mse", "tower": "tnn", "head": "concat", "pairs_per_step": "listed"}


@pytest.fixture
def asked(run, monkeypatch):
    """Types a line; the config, workdir and options that would be trained with."""
    from siamese_tf.training import train

    def type_in(line: str) -> tuple[TrainConfig, Path | None, dict]:
        seen = []
        monkeypatch.setattr(
            train, "train_and_evaluate", lambda config, workdir, **more: seen.append((config, workdir, more))
        )
        assert run(line).code == 0
        (found,) = seen
        return found

    return type_in


@pytest.mark.parametrize("values", [OF_TRIPLETS, OF_PAIRS])
def test_every_flag_reaches_the_config(asked, values):
    words = [f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}") for name, value in values.items()]
    flags = " ".join(words)
    config, workdir, options = asked(f"train {flags} --workdir there --resume --quiet")
    assert config == TrainConfig(**values)
    assert workdir == Path("there")
    assert options == {"resume": True, "quiet": True, "command": f"siamese-tf train {flags} --workdir there --quiet"}


def test_the_two_lines_have_every_knob():
    assert OF_TRIPLETS.keys() | OF_PAIRS.keys() == TrainConfig().to_dict().keys()


def test_what_is_not_typed_is_as_the_config_has_it(asked):
    config, workdir, options = asked("train")
    assert (config, workdir) == (TrainConfig(), None)
    assert options == {"resume": False, "quiet": False, "command": "siamese-tf train"}


def test_the_help_says_the_defaults_of_the_config():
    parameters = inspect.signature(train).parameters
    assert {name: parameters[name].default for name in TrainConfig().to_dict()} == TrainConfig().to_dict()


def test_a_margin_can_be_soft(asked):
    assert asked("train --objective triplet --margin soft")[0].margin == "soft"


def test_a_recipe_sets_what_is_not_typed(asked):
    settings = RECIPES["tnn"].settings
    assert asked("train --recipe tnn")[0] == TrainConfig(**settings)
    config, _, options = asked("train --recipe tnn --epochs 2 --margin soft --one-vs-rest 7")
    assert config == TrainConfig(**{**settings, "epochs": 2, "margin": "soft", "one_vs_rest": "7"})
    assert options["command"] == "siamese-tf train --recipe tnn --epochs 2 --margin soft --one-vs-rest 7"


def test_what_is_typed_goes_before_the_recipe_even_where_it_is_the_default(asked):
    typed = {"batch_pairs": 128, "tower": "small_cnn", "schedule": "cosine", "augment": "auto", "weight_decay": 0.0}
    line = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in typed.items())
    assert asked(f"train --recipe tnn {line}")[0] == TrainConfig(**{**RECIPES["tnn"].settings, **typed})


@pytest.mark.parametrize("objective", ["bce", "mse", "contrastive"])
def test_a_script_has_its_objective_unless_another_is_typed(call, monkeypatch, objective):
    from siamese_tf.training import train

    seen = []
    monkeypatch.setattr(train, "train_and_evaluate", lambda config, workdir, **more: seen.append((config, more)))
    for line in ("", "--epochs 3", "--objective triplet --recipe tnn"):
        monkeypatch.setattr(sys, "argv", ["main9.py", *line.split()])
        with pytest.raises(SystemExit) as end:
            cli.train_script(objective)
        assert not end.value.code
    plain, longer, other = [config for config, _ in seen]
    assert plain == TrainConfig(objective=objective)
    assert longer == TrainConfig(objective=objective, epochs=3)
    assert other == TrainConfig(**RECIPES["tnn"].settings)
    assert seen[1][1]["command"] == "python main9.py --epochs 3"


def test_quiet_prints_nothing(run, trained, tmp_path):
    done = run(f"{trained.settings} --epochs 1 --workdir {tmp_path} --quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert (tmp_path / "siamese.keras").is_file()


def test_resume_goes_on_with_its_own_settings_only(run, trained, tmp_path):
    copy = shutil.copytree("run", tmp_path / "run")
    done = run(f"{trained.settings} --epochs 2 --workdir {copy} --resume")
    assert done.code == 0
    assert "Resuming after epoch 2 of 2." in done.out
    assert np.array_equal(load_model(copy / "siamese.keras").embed("0.png"), trained.model.embed("0.png"))
    other = run(f"{trained.settings} --epochs 2 --workdir {copy} --resume --seed 3")
    assert other.code == 2
    assert other.err.startswith(f"error: {copy / 'checkpoint.npz'} is of another run: seed was 0 and is now 3.")
    assert "own settings" in other.err
