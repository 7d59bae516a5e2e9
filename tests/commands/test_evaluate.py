"""Evaluating a saved model, against what its own run reported and against its scores."""

import json
from pathlib import Path

import numpy as np
import pytest

from siamese_tf.data.pair_file import load_pair_file
from siamese_tf.models.model_file import load_model, save_model


def test_evaluate_finds_what_the_run_reported(run):
    record = json.loads(Path("run/record.json").read_text())
    done = run("evaluate run/siamese.keras --dataset digits --json")
    reports = json.loads(done.out)
    assert (done.code, list(reports)) == (0, ["train", "validation", "test"])
    for part, report in reports.items():
        assert report["accuracy"] == record["accuracy"][part]
        assert report["confusion"] == record["metrics"][part]["confusion"]
    table = run("evaluate run/siamese.keras --pairs dataset/digits/train_pairs.npz")
    assert table.out.startswith("using the pairs of dataset/digits/train_pairs.npz")
    (accuracies,) = (line.split()[1:] for line in table.out.splitlines() if line.startswith("accuracy "))
    assert accuracies == [f"{report['accuracy']:.4f}" for report in reports.values()]


def test_evaluate_takes_the_threshold_the_model_has(run, tmp_path):
    pairs = load_pair_file("dataset/digits/test_pairs.npz")
    model = load_model("run/siamese.keras")
    scores = model.score_pairs(pairs.images, pairs.img1, pairs.img2)
    model.threshold = float(np.quantile(scores, 0.95))
    save_model(model, tmp_path / "strict.keras")
    done = run(f"evaluate {tmp_path / 'strict.keras'} --pairs dataset/digits/test_pairs.npz --json")
    confusion = json.loads(done.out)["test"]["confusion"]
    said_same = scores >= model.threshold
    assert confusion["tp"] == int((said_same & (pairs.similarity == 1)).sum())
    assert confusion["fp"] == int((said_same & (pairs.similarity == 0)).sum())
    assert sum(confusion.values()) == len(scores)


def test_evaluate_takes_the_test_pairs_it_is_given(run, tmp_path):
    run(f"pairs generate --dataset digits --out {tmp_path} --test-pairs 50")
    given = tmp_path / "digits" / "test_pairs.npz"
    done = run(f"evaluate run/siamese.keras --pairs dataset/digits/train_pairs.npz --test-pairs {given} --json")
    assert json.loads(done.out)["test"]["pairs"] == 50


def test_evaluate_writes_the_report_and_the_pictures(run, tmp_path):
    done = run(f"evaluate run/siamese.keras --pairs dataset/digits/test_pairs.npz --out {tmp_path / 'out'} --json")
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["mistakes.png", "report.json", "roc.png", "sample.png", "scores.png"]
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == json.loads(done.out)


@pytest.fixture(scope="module")
def told(call, trained, tmp_path_factory):
    """The folder of a run that told sevens from the rest."""
    folder = tmp_path_factory.mktemp("told")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(trained.folder)
        assert call(f"{trained.settings} --epochs 1 --one-vs-rest 7 --seed 5 --quiet --workdir {folder}") == 0
    return folder


def test_evaluate_tells_one_class_from_the_rest_as_its_own_run_did(run, told):
    record = json.loads((told / "record.json").read_text())
    line = f"evaluate {told / 'siamese.keras'} --dataset digits --one-vs-rest 7 --seed 5"
    done = run(f"{line} --json")
    reports = json.loads(done.out)
    assert (done.code, list(reports)) == (0, ["train", "validation", "test", "one_vs_rest"])
    assert reports.pop("one_vs_rest") == record["one_vs_rest"]
    for part, report in reports.items():
        assert report["accuracy"] == record["accuracy"][part]
        assert report["confusion"] == record["metrics"][part]["confusion"]
    assert "as 7 against the rest" in done.err
    table = run(line).out
    assert table.splitlines()[0].endswith("as 7 against the rest")
    (accuracies,) = (line.split()[1:] for line in table.splitlines() if line.startswith("accuracy "))
    assert accuracies == [f"{report['accuracy']:.4f}" for report in reports.values()]
    assert "is it 7? from 10 reference images" in table
    assert f"test:       F1 {record['one_vs_rest']['test']['f1']:.4f}" in table
    assert "44 of 449 images are 7" in table


def test_the_rest_can_be_a_class_and_the_seed_another(run, told):
    line = f"evaluate {told / 'siamese.keras'} --dataset digits --one-vs-rest 7 --json"
    plain, other, classed = (json.loads(run(line + more).out) for more in ("", " --seed 1", " --rest-is-a-class"))
    assert [report["one_vs_rest"]["rest_is_a_class"] for report in (plain, classed)] == [False, True]
    assert plain["test"]["confusion"] != other["test"]["confusion"]
    assert plain["test"]["confusion"] != classed["test"]["confusion"]
    assert plain["one_vs_rest"]["test"] == classed["one_vs_rest"]["test"]  # images are asked for, not pairs


def test_a_model_of_all_classes_can_be_asked_for_one(run, tmp_path):
    """Its threshold for pairs stays its own; the report in the folder has both."""
    done = run(f"evaluate run/siamese.keras --dataset digits --one-vs-rest 3 --json --out {tmp_path / 'out'}")
    reports = json.loads(done.out)
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == reports
    assert reports["one_vs_rest"]["class"] == "3"
    assert reports["one_vs_rest"]["test"]["f1"] > 0.2  # calling every image a 3: 2 * 0.1 / (1 + 0.1) = 0.18
    assert reports["test"]["confusion"]["tp"] + reports["test"]["confusion"]["fn"] == reports["test"]["pairs"] / 2


def test_without_training_images_there_is_no_reference_and_nothing_is_written(run, tmp_path):
    line = "evaluate run/siamese.keras --pairs dataset/digits/test_pairs.npz --one-vs-rest 3"
    done = run(f"{line} --out {tmp_path / 'out'}")
    assert (done.code, done.out) == (2, "")
    assert "the train part has 0 images of class 3 and 0 others" in done.err
    assert "a pair file whose train part has both" in done.err
    assert not (tmp_path / "out").exists()
