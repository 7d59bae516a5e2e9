"""Comparisons with a substitute for `train_and_evaluate`: runs, resumption, errors and files.

The real thing runs in `tests/commands/test_compare.py`.
"""

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.image import imread

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import load_pair_file, save_pair_file
from siamese_tf.errors import ConfigError, PairFileError, SiameseError
from siamese_tf.evaluation.comparison import compare_records
from siamese_tf.experiments import compare
from siamese_tf.experiments.compare import compare_objectives
from siamese_tf.locks import locked_workdir

pytestmark = pytest.mark.train

compare_quickly = partial(compare_objectives, pictures=False, log=lambda line: None)
SKILL = {"bce": 0.95, "mse": 0.9, "contrastive": 0.85, "triplet": 0.8}


@pytest.fixture
def configs(digit_pairs):
    base = TrainConfig(pairs=str(digit_pairs), tower="reference", embedding_dim=4, epochs=2, batch_pairs=100)
    return [replace(base, objective=name) for name in ("bce", "triplet")]


@pytest.fixture
def trainings(monkeypatch, digit_pairs):
    """Stands in for `train_and_evaluate`; records the runs with their folders and options."""
    runs = []
    files = {"train": digit_pairs, "test": digit_pairs.with_name("test_pairs.npz")}

    def train(config, folder, **options):
        runs.append(SimpleNamespace(config=config, folder=folder, options=options, pairs=options.get("pairs")))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config.to_dict()))
        record = {
            "pairs": {"test": 200, "sha256": {name: load_pair_file(path).sha256 for name, path in files.items()}},
            "training": {"seconds": 1.0},
            "accuracy": {"validation": 0.9, "test": SKILL[config.objective] + 0.01 * config.seed},
            "metrics": {"test": {"auc": 0.9, "eer": 0.1}},
        }
        (folder / "record.json").write_text(json.dumps(record))
        return SimpleNamespace(record=record)

    monkeypatch.setattr(compare, "train_and_evaluate", train)
    monkeypatch.setattr(compare.keras.backend, "clear_session", lambda: runs[-1].options.update(cleared=True))
    return runs


def names(trainings):
    return [(one.config.objective, one.config.seed) for one in trainings]


def test_an_unfinished_run_is_resumed_and_a_run_that_ended_early_is_reported(trainings, configs, tmp_path):
    compare_quickly(configs, 1, tmp_path)
    (tmp_path / "bce" / "0" / "record.json").unlink()
    path = tmp_path / "triplet" / "0" / "record.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"training": {"seconds": 1.0, "stopped_at_nan": 4}}))
    lines = []
    compare_quickly(configs, 1, tmp_path, log=lines.append)
    assert [one.options["resume"] for one in trainings] == [False, False, True]
    assert lines[-1].endswith("(stopped at NaN in epoch 4; already finished)")


EVERY_RUN = [(name, seed) for seed in range(3) for name in ("bce", "triplet")]


def test_every_objective_is_trained_with_every_seed(trainings, configs, tmp_path):
    lines = []
    comparison = compare_objectives(configs, 3, tmp_path, command="type this", log=lines.append)
    assert names(trainings) == EVERY_RUN
    for one in trainings:
        assert one.folder == tmp_path / one.config.objective / str(one.config.seed)
        assert one.options.pop("pairs") is trainings[0].pairs is not None  # loaded once: TensorFlow never frees them
        assert one.options == {
            "resume": False,
            "quiet": True,
            "pictures": True,
            "command": "type this",
            "cleared": True,
        }
    assert len({replace(one.config, seed=0) for one in trainings}) == 2  # but for the seed, one config an objective
    assert lines[1].startswith("same pairs and tower for all objectives (reference, ")
    assert [line.split(": ")[0] for line in lines[-6:]] == [
        f"[{number}/6] {name}, seed {seed}" for number, (name, seed) in enumerate(EVERY_RUN, 1)
    ]
    assert re.search(r"test 0\.8200 \(\d:\d\d:\d\d elapsed, 0:00:00 left\)$", lines[-1])
    assert comparison["objectives"]["bce"]["test_accuracy"]["values"] == pytest.approx([0.95, 0.96, 0.97])


def test_that_pairs_leak_is_printed_once_on_standard_error(trainings, configs, digit_pairs, tmp_path, capsys):
    pairs = load_pair_file(digit_pairs)
    columns = {name: getattr(pairs, name) for name in ("img1", "img2", "similarity", "split")}
    twice = {name: np.append(column, column[0]) for name, column in columns.items()}
    save_pair_file(tmp_path / "train_pairs.npz", replace(pairs, **twice))
    test_pairs = str(digit_pairs.with_name("test_pairs.npz"))
    configs = [replace(one, pairs=str(tmp_path / "train_pairs.npz"), test_pairs=test_pairs) for one in configs]
    lines = []
    compare_quickly(configs, 1, tmp_path / "run", log=lines.append)
    assert capsys.readouterr().err.count("warning: These pairs leak (1 findings") == 1
    assert not any("These pairs leak" in line for line in lines)


def test_it_leaves_every_number_and_a_picture(trainings, configs, tmp_path):
    comparison = compare_objectives(configs, 2, tmp_path, command="type this", log=lambda line: None)
    assert json.loads((tmp_path / "comparison.json").read_text()) == comparison
    records = {
        name: [json.loads((tmp_path / name / seed / "record.json").read_text()) for seed in "01"]
        for name in ("bce", "triplet")
    }
    for key, value in compare_records(records).items():
        assert comparison[key] == value
    assert (comparison["dataset"], comparison["command"], comparison["seeds"]) == ("digits", "type this", [0, 1])
    assert comparison["pairs"] == records["bce"][0]["pairs"]
    assert {name: one["epochs"] for name, one in comparison["budgets"].items()} == {
        name: one["epochs"] for name, one in comparison["configs"].items()
    }
    config = trainings[1].config
    named = replace(config, seed=0, pairs=Path(config.pairs).name)
    assert comparison["configs"]["triplet"] == named.to_dict()  # a report is passed on: paths go by their last part
    assert comparison["tower_parameters"] > 1000
    assert imread(tmp_path / "comparison.png").shape[1] == 1012


def test_the_report_names_no_folder_and_one_folder_is_of_one_comparison(trainings, configs, tmp_path):
    with locked_workdir(tmp_path / "run"), pytest.raises(SiameseError, match="run is in use by another run"):
        compare_quickly(configs[:1], 1, tmp_path / "run")
    assert not trainings
    command = "siamese-tf compare --pairs /home/ann/acme/train_pairs.npz"
    report = compare_quickly(configs[:1], 1, tmp_path / "run", command=command)
    assert report["command"] == "siamese-tf compare --pairs train_pairs.npz"
    assert "/" not in json.dumps([report["configs"], report["command"]])


def test_the_folder_of_a_data_set_by_default(trainings, configs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    compare_objectives(configs[:1], 1)
    assert (tmp_path / "runs" / "digits" / "compare" / "bce" / "0" / "record.json").is_file()
    assert (tmp_path / "runs" / "digits" / "compare" / "comparison.json").is_file()


def test_an_interrupted_comparison_is_continued(trainings, configs, tmp_path, monkeypatch):
    train = compare.train_and_evaluate

    def stopped(config, folder, **options):
        if len(trainings) == 3:
            folder.mkdir(parents=True)
            (folder / "config.json").write_text(json.dumps(config.to_dict()))
            raise KeyboardInterrupt
        return train(config, folder, **options)

    with monkeypatch.context() as patch:
        patch.setattr(compare, "train_and_evaluate", stopped)
        with pytest.raises(KeyboardInterrupt):
            compare_quickly(configs, 3, tmp_path)
    assert not (tmp_path / "comparison.json").exists()
    lines = []
    compare_quickly(configs, 3, tmp_path, log=lines.append)
    assert names(trainings) == EVERY_RUN
    assert [line.endswith("(already finished)") for line in lines[-6:]] == [True] * 3 + [False] * 3


def test_more_seeds_and_more_objectives_train_what_is_missing(trainings, configs, tmp_path):
    compare_quickly(configs[:1], 2, tmp_path)
    trainings.clear()
    compare_quickly(configs, 3, tmp_path)
    assert names(trainings) == [("triplet", 0), ("triplet", 1), ("bce", 2), ("triplet", 2)]


def test_the_same_pairs_in_another_place_are_the_same_run(trainings, configs, digit_pairs, tmp_path):
    compare_quickly(configs, 1, tmp_path / "runs")
    elsewhere = tmp_path / "elsewhere.npz"
    elsewhere.write_bytes(digit_pairs.read_bytes())
    test_pairs = str(digit_pairs.with_name("test_pairs.npz"))
    moved = [replace(config, pairs=str(elsewhere), test_pairs=test_pairs) for config in configs]
    trainings.clear()
    compare_quickly(moved, 1, tmp_path / "runs")
    assert trainings == []


def test_a_folder_with_other_settings_is_refused_before_anything_is_trained(trainings, configs, tmp_path):
    compare_quickly(configs, 1, tmp_path)
    trainings.clear()
    longer = [replace(config, epochs=3) for config in configs]
    with pytest.raises(
        ConfigError, match=r"bce.0 contains another run: epochs was 2 and is now 3\. Choose another --workdir"
    ):
        compare_quickly(longer, 2, tmp_path)
    (tmp_path / "bce" / "0" / "record.json").unlink()  # nor may an unfinished one be taken over
    with pytest.raises(ConfigError, match="epochs was 2"):
        compare_quickly(longer, 2, tmp_path)
    assert trainings == []


def test_a_folder_with_other_pairs_is_refused(trainings, configs, digit_pairs, tmp_path):
    compare_quickly(configs, 1, tmp_path / "runs")
    trainings.clear()
    pairs = load_pair_file(digit_pairs)
    save_pair_file(tmp_path / "other.npz", replace(pairs, manifest={**pairs.manifest, "seed": 99}))
    test_pairs = str(digit_pairs.with_name("test_pairs.npz"))
    others = [replace(config, pairs=str(tmp_path / "other.npz"), test_pairs=test_pairs) for config in configs]
    with pytest.raises(ConfigError, match="contains another run: sha256 was"):
        compare_quickly(others, 1, tmp_path / "runs")
    assert trainings == []


@pytest.mark.parametrize(
    ("change", "seeds", "words"),
    [
        (lambda bce, triplet: [], 1, "objectives must be one or more distinct names; got none"),
        (lambda bce, triplet: [bce, bce], 1, "objectives must be one or more distinct names; got bce, bce"),
        (lambda bce, triplet: [bce, triplet], 0, "seeds must be at least 1; got 0"),
        (
            lambda bce, triplet: [bce, replace(triplet, tower="small_cnn")],
            1,
            "tower must be the same for all objectives.*; got .*small_cnn",
        ),
        (
            lambda bce, triplet: [bce, replace(triplet, pairs="b.npz")],
            1,
            "pairs must be the same for all objectives.*; got .*b.npz",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(trainings, configs, tmp_path, change, seeds, words):
    with pytest.raises(ConfigError, match=words):
        compare_quickly(change(*configs), seeds, tmp_path)
    assert trainings == []


def test_without_test_pairs_there_is_nothing_to_compare(trainings, configs, digit_pairs, tmp_path):
    pairs = load_pair_file(digit_pairs)
    save_pair_file(tmp_path / "alone.npz", pairs)
    with pytest.raises(PairFileError, match=r"alone.npz must have test pairs .*; it has none.*--test-pairs"):
        compare_quickly([replace(configs[0], pairs=str(tmp_path / "alone.npz"))], 1, tmp_path / "runs")
    assert trainings == []
