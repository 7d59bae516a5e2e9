"""Training: the files and the report of a run, the flags, and resuming a run."""

import inspect
import json
import re
import shutil
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from siamese_tf import cli
from siamese_tf.commands.train import train
from siamese_tf.config.recipes import RECIPES
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_lists import csv_pairs
from siamese_tf.models.model_file import load_model

pytestmark = pytest.mark.train

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


def test_the_record_has_the_command_line(trained):
    record = json.loads((trained.folder / "run" / "record.json").read_text())
    assert record["command"] == f"siamese-tf {trained.settings} --epochs 2 --workdir run"
    assert trained.model.record == record
    assert trained.model.threshold == record["threshold"]["value"]


# A value other than the default for every setting, in two lines: no objective has all settings.
OF_TRIPLETS = {
    "dataset": "digits",
    "data_dir": "data",
    "pairs": "a.npz",
    "test_pairs": "b.npz",
    "images": "people",
    "image_size": "112x92",
    "color": "rgb",
    "resize": "crop",
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
    "optimizer": "sgd",
    "learning_rate": 0.25,
    "schedule": "constant",
    "weight_decay": 0.125,
    "l2": 0.0625,
    "start_from": "a.keras",
    "train_last": 2,
    "layer_decay": 0.5,
    "whiten": True,
    "average": 0.75,
    "augment": "erase-flip",
    "views": "turn",
    "precision": "bfloat16",
    "seed": 11,
    "invert": True,
    "center": "strokes",
    "batch_within": "group",
    "groups_per_batch": 4,
    "classes_from": "rotations",
    "validate_every": 5,
    "steps_per_epoch": 4,
}
OF_PAIRS = {"objective": "mse", "tower": "tnn", "head": "concat", "pairs_per_step": "listed"}


@pytest.fixture
def parsed(run, monkeypatch):
    """Types a line; returns the config, workdir and options of the training."""
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
def test_every_flag_reaches_the_config(parsed, values):
    words = [f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}") for name, value in values.items()]
    flags = " ".join(words)
    config, workdir, options = parsed(f"train {flags} --workdir run --resume --quiet")
    assert config == TrainConfig(**values)
    assert workdir == Path("run")
    assert options == {"resume": True, "quiet": True, "command": f"siamese-tf train {flags} --workdir run --quiet"}


def test_the_two_lines_have_every_setting():
    assert OF_TRIPLETS.keys() | OF_PAIRS.keys() == TrainConfig().to_dict().keys()


def test_settings_that_are_not_typed_keep_their_defaults(parsed):
    config, workdir, options = parsed("train")
    assert (config, workdir) == (TrainConfig(), None)
    assert options == {"resume": False, "quiet": False, "command": "siamese-tf train"}


def test_the_defaults_of_the_flags_are_those_of_the_config():
    parameters = inspect.signature(train).parameters
    assert {name: parameters[name].default for name in TrainConfig().to_dict()} == TrainConfig().to_dict()


def test_a_margin_can_be_soft(parsed):
    assert parsed("train --objective triplet --margin soft")[0].margin == "soft"


def test_a_recipe_sets_what_is_not_typed(parsed):
    settings = RECIPES["tnn"].settings
    assert parsed("train --recipe tnn")[0] == TrainConfig(**settings)
    config, _, options = parsed("train --recipe tnn --epochs 2 --margin soft --one-vs-rest 7")
    assert config == TrainConfig(**{**settings, "epochs": 2, "margin": "soft", "one_vs_rest": "7"})
    assert options["command"] == "siamese-tf train --recipe tnn --epochs 2 --margin soft --one-vs-rest 7"


def test_typed_settings_override_the_recipe_even_with_the_default(parsed):
    typed = {"batch_pairs": 128, "tower": "small_cnn_v2", "schedule": "cosine", "augment": "auto", "weight_decay": 0.0}
    line = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in typed.items())
    assert parsed(f"train --recipe tnn {line}")[0] == TrainConfig(**{**RECIPES["tnn"].settings, **typed})


@pytest.mark.parametrize("objective", ["bce", "mse", "contrastive"])
def test_a_script_has_its_own_default_objective(call, monkeypatch, objective):
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


def test_resume_needs_the_settings_of_the_run(run, trained, tmp_path):
    copy = shutil.copytree("run", tmp_path / "run")
    done = run(f"{trained.settings} --epochs 2 --workdir {copy} --resume")
    assert done.code == 0
    assert "Resuming after epoch 2 of 2." in done.out
    assert np.array_equal(load_model(copy / "siamese.keras").embed("0.png"), trained.model.embed("0.png"))
    other = run(f"{trained.settings} --epochs 2 --workdir {copy} --resume --seed 3")
    assert other.code == 2
    assert other.err.startswith(f"error: {copy / 'checkpoint.npz'} belongs to another run: seed was 0 and is now 3.")
    assert "Resume with the original settings" in other.err


@pytest.mark.parametrize("folds", ["", "--folds 3"])
def test_resuming_in_a_mistyped_folder_is_refused_before_anything_is_done(run, tmp_path, monkeypatch, folds):
    """TensorFlow is not loaded, either."""
    monkeypatch.setattr("siamese_tf.commands.train.start_tensorflow", lambda: pytest.fail("too late"))
    done = run(f"train --dataset nowhere --workdir {tmp_path / 'mistyped'} --resume {folds}")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: nothing to resume in {tmp_path / 'mistyped'}: it contains no run.")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("folds", "name"), [("", "mse"), ("--folds 3", "mse-folds")])
def test_resuming_looks_in_the_default_folder_of_the_run(run, tmp_path, monkeypatch, folds, name):
    monkeypatch.chdir(tmp_path)
    done = run(f"train --dataset digits --objective mse --resume {folds}")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: nothing to resume in runs/digits/{name}: it contains no run.")


def test_a_log_file_gets_a_line_an_epoch_and_no_control_characters(trained):
    epochs = [line for line in trained.printed.splitlines() if line.startswith("epoch ")]
    assert len(epochs) == 2
    for number, line in enumerate(epochs, 1):
        assert re.fullmatch(rf"epoch {number}/2  loss \d\.\d{{4}}  val [01]\.\d{{4}}  \d+\.\d s", line)
    assert "\x1b" not in trained.printed
    assert "\r" not in trained.printed


# Folders and lists of image files


def test_a_folder_of_people_is_trained_on(of_people):
    """No person is in two splits, and the report says how the images were resized."""
    assert of_people.code == 0
    first = of_people.printed.splitlines()[0]
    assert first.startswith("using people from people, 28 gray images of 8x8 in 7 classes; 28 had another size (crop);")
    assert "pairs in dataset/people (made now), split by class, seed 0, tested with test_pairs.npz" in first
    record = json.loads((of_people.folder / "run" / "record.json").read_text())
    assert (record["dataset"], record["pairs"]["split"], record["pairs"]["leaks"]) == ("people", "class", 0)
    assert of_people.model.record == record
    assert (of_people.model.input_size, of_people.model.resize) == ((8, 8, 1), "crop")
    config = TrainConfig.load(of_people.folder / "run" / "config.json")
    assert (config.dataset, config.image_size, config.color, config.resize) == ("people", "8", None, "crop")
    listed = (of_people.folder / "dataset" / "people" / "pairs.csv").read_text().splitlines()[1:]
    parts = {}
    for one, two, _, part in (line.split(",") for line in listed):
        parts.setdefault(part, set()).update(path.split("/")[-2] for path in (one, two))
    assert {part: len(people) for part, people in parts.items()} == {"train": 3, "validation": 2, "test": 2}
    assert set.union(*parts.values()) == {f"p{number}" for number in range(7)}


PARTS_OF_PEOPLE = {"train": (0, 1, 2), "validation": (3, 4), "test": (5, 6)}


def own_csv(folder):
    """Writes all pairs of the images of each split's people."""
    lines = ["img1,img2,similarity,split"]
    for part, people in PARTS_OF_PEOPLE.items():
        pictures = [f"people/p{person}/p{person}_{k:04d}.png" for person in people for k in range(1, 5)]
        same = {(one, two): int(one.split("/")[1] == two.split("/")[1]) for one, two in combinations(pictures, 2)}
        lines += [f"{one},{two},{similarity},{part}" for (one, two), similarity in same.items()]
    (folder / "own.csv").write_text("\n".join(lines))


def own_folds(folder):
    """Writes three folds of two people each, with four same and four different pairs."""
    lines = ["3\t4"]
    for one, two in ((0, 1), (2, 3), (4, 5)):
        lines += [f"p{person}\t{k}\t{k + 1}" for person in (one, two) for k in (1, 3)]
        lines += [f"p{one}\t{k}\tp{two}\t{k}" for k in (1, 2, 3, 4)]
    (folder / "folds.txt").write_text("\n".join(lines))


def test_a_list_of_ones_own_is_trained_on(of_people, run, monkeypatch, tmp_path):
    monkeypatch.chdir(of_people.folder)
    own_csv(of_people.folder)
    line = f"train --pairs own.csv {of_people.settings} --quiet --workdir {tmp_path}"
    refused = run(line)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.endswith("must have labels for pairs_per_step 'all'; it has none. Use --pairs-per-step listed\n")
    done = run(f"{line} --pairs-per-step listed")
    assert (done.code, done.out, done.err) == (0, "", "")
    record = json.loads((tmp_path / "record.json").read_text())
    assert {part: record["pairs"][part] for part in PARTS_OF_PEOPLE} == {"train": 66, "validation": 28, "test": 28}
    sha256 = csv_pairs("own.csv", load_model(tmp_path / "siamese.keras").image_format).sha256
    assert record["pairs"]["sha256"] == {"train": sha256, "test": sha256}
    assert (record["dataset"], record["pairs"]["leaks"]) == ("own", 0)
    again = json.loads(run(f"evaluate {tmp_path / 'siamese.keras'} --pairs own.csv --json").out)
    assert (again["accuracy"], again["confusion"]) == (
        record["accuracy"]["test"],
        record["metrics"]["test"]["confusion"],
    )


def test_folds_in_the_form_of_lfw_are_trained_on(of_people, run, monkeypatch, tmp_path):
    monkeypatch.chdir(of_people.folder)
    own_folds(of_people.folder)
    line = f"train --pairs folds.txt {of_people.settings} --quiet --workdir {tmp_path}"
    refused = run(line)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith(
        "error: folds.txt: 24 of its 24 images cannot be read (p0/p0_0001: must be an image file"
    )
    assert "give another folder with --images" in refused.err
    done = run(f"{line} --images people")
    assert (done.code, done.out, done.err) == (0, "", "")
    record = json.loads((tmp_path / "record.json").read_text())
    assert {part: record["pairs"][part] for part in PARTS_OF_PEOPLE} == {"train": 8, "validation": 8, "test": 8}
    assert (record["dataset"], record["pairs"]["leaks"]) == ("folds", 0)
    model = load_model(tmp_path / "siamese.keras")
    held_out = [line.split("\t") for line in Path("folds.txt").read_text().splitlines()[-8:]]
    rows = [(row[0], row[1], row[0 if len(row) == 3 else 2], row[-1]) for row in held_out]
    files = [[f"people/{name}/{name}_000{k}.png" for name, k in (row[:2], row[2:])] for row in rows]
    said = model.score(*zip(*files, strict=True)) >= model.threshold
    assert record["accuracy"]["test"] == np.mean(said == np.array([len(row) == 3 for row in held_out]))
    copied = shutil.copytree("people", tmp_path / "copied")
    assert run(f"{line} --images {copied} --resume").code == 0
    shutil.copy(copied / "p0" / "p0_0001.png", copied / "p1" / "p1_0001.png")
    refused = run(f"{line} --images {copied} --resume")
    assert (refused.code, refused.out) == (2, "")
    assert "belongs to another run: its pairs differ" in refused.err


@pytest.fixture
def folded(monkeypatch):
    """Collects the arguments of `train_folds`, which returns a made-up report."""
    from siamese_tf.experiments import folds

    seen = []
    rate = {"mean": 0.25, "standard_error": 0.125}
    rows = [{"seconds": 7.0}] * 3
    report = {"people": 7, "folds": rows, **dict.fromkeys(("eer", "accuracy", "auc", "fmr", "fnmr"), rate)}
    monkeypatch.setattr(folds, "train_folds", lambda *args, **more: seen.append((args, more)) or report)
    return seen


def test_folds_are_trained_with_the_settings_of_the_line(run, folded, tmp_path):
    shutil.copytree("run", tmp_path / "fold-1")
    done = run(f"train --dataset people --epochs 3 --folds 3 --workdir {tmp_path} --resume --quiet")
    ((config, folds, workdir), options) = folded[0]
    assert (config, folds, workdir) == (TrainConfig(dataset="people", epochs=3), 3, tmp_path)
    command = f"siamese-tf train --dataset people --epochs 3 --folds 3 --workdir {tmp_path} --quiet"
    assert options == {"resume": True, "quiet": True, "command": command}
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[1:3] == [
        "3 folds of 7 people, each tested by a model not trained on them:",
        "EER (lower is better)     0.2500 +- 0.1250",
    ]
    assert run("train --folds 3").code == 0
    assert folded[1] == (
        (TrainConfig(), 3, None),
        {"resume": False, "quiet": False, "command": "siamese-tf train --folds 3"},
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--dataset people --folds 2", "folds must be a whole number of 3 or more; got 2"),
        ("--dataset people --folds 4", "4 folds must have at least 2 people each; got 7 people"),
        ("--dataset people --folds 3 --one-vs-rest p0", "got one_vs_rest. Leave out that, or folds"),
        ("--pairs own.csv --folds 3", "got pairs. Leave out that, or folds"),
        ("--dataset people --image-size 8x", "image size must be HEIGHTxWIDTH, as in 112x92"),
        ("--dataset people --color sepia", "color must be grey or rgb; got 'sepia'"),
        ("--dataset people --resize fit", "resize must be pad, crop or stretch; got 'fit'"),
        ("--dataset digits --image-size 9", "got digits. Omit these settings"),
        (
            "--images people",
            "images must be omitted unless a list in the format of LFW's pairs.txt is given; got people",
        ),
        ("--pairs people/none.csv", "cannot read the pairs people/none.csv: No such file"),
    ],
)
def test_unusable_data_end_in_an_error_before_anything_is_written(of_people, run, monkeypatch, tmp_path, line, words):
    monkeypatch.chdir(of_people.folder)
    done = run(f"train {line} --tower reference --workdir {tmp_path / 'run'}")
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert words in done.err
    assert not (tmp_path / "run").exists()
