import json
import os
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from siamese_tf.config.recipes import config_from
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION
from siamese_tf.errors import ConfigError, DatasetError, SiameseError
from siamese_tf.experiments import folds
from siamese_tf.experiments.folds import fold_lines, train_folds
from siamese_tf.locks import locked_workdir
from siamese_tf.models.model_file import load_model

pytestmark = pytest.mark.train

ATT_FACES = Path(os.environ.get("SIAMESE_TF_DATA", "nowhere"), "att-faces")
TUTORIAL = (Path(__file__).resolve().parents[2] / "docs/faces.md").read_text(encoding="utf-8")
RATES = ("eer", "accuracy", "auc", "fmr", "fnmr")


def draw(folder, people=7, pictures=4):
    """Draws a pattern for each person, 12 high and 10 wide, with different noise in each picture."""
    rng = np.random.default_rng(0)
    for person in range(people):
        pattern = rng.integers(0, 200, (12, 10))
        (folder / f"p{person}").mkdir(parents=True)
        for k in range(pictures):
            picture = (pattern + rng.integers(0, 40, (12, 10))).astype(np.uint8)
            Image.fromarray(picture).save(folder / f"p{person}" / f"{k}.png")
    return folder


@pytest.fixture
def people(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return draw(tmp_path / "people")


@pytest.fixture
def trained(monkeypatch):
    """Records the runs and verifications instead of executing them; the EERs are 0.1, 0.2, ..."""
    runs = []

    def train(config, folder, **more):
        runs.append(SimpleNamespace(config=config, folder=folder, **more))
        return SimpleNamespace(record={"training": {"seconds": 2.0 * len(runs)}})

    def verify(model, original, *, folder):
        runs[-1].verified, runs[-1].verified_in = original, folder
        return dict.fromkeys(RATES, 0.5) | {"eer": 0.1 * len(runs), "threshold": 0.75}

    monkeypatch.setattr(folds, "train_and_evaluate", train)
    monkeypatch.setattr(folds, "verify_model", verify)
    return runs


def config_of(folder, **more):
    return TrainConfig(dataset=str(folder), objective="bce", tower="reference", embedding_dim=4, epochs=1, **more)


def owners(folder):
    """Returns the person by the bytes of each picture."""
    return {np.asarray(Image.open(path)).tobytes(): path.parent.name for path in folder.glob("*/*.png")}


def parts(run):
    """Returns the bytes of the images of each split of a fold; for training, also those of class batches."""
    train, test = run.pairs.original.train, run.pairs.original.test
    used = {
        "train": train.images[np.union1d(train.images_of(TRAIN), run.pairs.train_images)],
        "validation": train.images[train.images_of(VALIDATION)],
        "test": np.concatenate([test.images[test.images_of(TEST)], run.verified.test.images]),
    }
    return {name: {image.tobytes() for image in images} for name, images in used.items()}


def test_nobody_is_in_two_parts_of_any_fold(people, trained):
    train_folds(config_of(people), 3, log=print)
    owner = owners(people)
    assert len(trained) == 3
    for run in trained:
        found = [{owner[image] for image in images} for images in parts(run).values()]
        assert [len(people) for people in found] in ([2, 2, 3], [2, 3, 2], [3, 2, 2])
        assert set.union(*found) == set(owner.values())
        assert run.pairs.task is run.pairs.original
        assert run.pairs.original.leaks == 0
        assert set(run.pairs.original.train.split.tolist()) == {TRAIN, VALIDATION}


def test_every_picture_of_every_person_is_tested_exactly_once(people, trained):
    report = train_folds(config_of(people), 3)
    owner = owners(people)
    tested = [image for run in trained for image in parts(run)["test"]]
    assert len(tested) == 7 * 4
    assert set(tested) == set(owner)
    for run, row in zip(trained, report["folds"], strict=True):
        assert row["people"] == sorted({owner[image] for image in parts(run)["test"]})


def test_all_pairs_of_the_test_images_are_verified_where_they_can_be_listed(people, trained, monkeypatch):
    train_folds(config_of(people), 3)
    for run in trained:
        pairs, images = run.verified.test, len(parts(run)["test"])
        assert len(pairs.rows(TEST)) == images * (images - 1) // 2
        assert pairs.similarity.sum() == images * 3 // 2  # three others of each of the four pictures
        assert run.verified.train is run.pairs.original.train
        assert run.verified_in == run.folder / "verification"
    monkeypatch.setattr(
        "siamese_tf.experiments.fold_data.MAX_PAIRS", 40
    )  # of 8 images there are 28 pairs, of 12 there are 66
    train_folds(config_of(people), 3)
    for run in trained[3:]:
        some = run.verified.test is run.pairs.original.test
        assert some == (len(parts(run)["test"]) == 12)


def test_the_report_by_hand(people, trained, tmp_path):
    report = train_folds(config_of(people), 3, tmp_path / "run", command="typed")
    assert json.loads((tmp_path / "run" / "folds.json").read_text()) == report
    assert list(report) == ["dataset", "command", "people", "folds", *RATES]
    assert (report["dataset"], report["command"], report["people"]) == ("people", "typed", 7)
    assert [list(row) for row in report["folds"]] == [["fold", "people", "seconds", *RATES]] * 3
    assert [(row["fold"], row["seconds"]) for row in report["folds"]] == [(0, 2.0), (1, 4.0), (2, 6.0)]
    # 0.1, 0.2 and 0.3: the mean is 0.2, the standard deviation 0.1, over the root of 3.
    assert report["eer"] == pytest.approx({"mean": 0.2, "standard_error": 0.1 / 3**0.5})
    assert report["auc"] == {"mean": 0.5, "standard_error": 0.0}
    assert fold_lines(report) == [
        "3 folds of 7 people, each tested by a model not trained on them:",
        "EER (lower is better)     0.2000 +- 0.0577",
        "accuracy                  0.5000 +- 0.0000",
        "AUC                       0.5000 +- 0.0000",
        "FMR                       0.5000 +- 0.0000",
        "FNMR                      0.5000 +- 0.0000",
        "training time per fold: 4 s (median)",
    ]


def start_run(folder):
    """Leaves the files of a run that is stopped in its first epoch."""
    folder.mkdir(parents=True)
    (folder / "config.json").touch()


@pytest.mark.parametrize("workdir", ["mistyped", None])
def test_without_any_fold_there_is_nothing_to_resume(people, trained, workdir):
    with pytest.raises(
        ConfigError, match=f"nothing to resume in {workdir or 'runs/people/bce-folds'}: it contains no run"
    ):
        train_folds(config_of(people), 3, workdir, resume=True)
    assert not trained
    if workdir:  # before the data set is looked at
        with pytest.raises(ConfigError, match="nothing to resume in mistyped"):
            train_folds(replace(config_of(people), dataset="nowhere"), 3, workdir, resume=True)


def test_the_lines_and_the_folders(people, trained, tmp_path):
    lines, owner = [], owners(people)
    (people / "p0" / "4.png").write_text("text")
    start_run(tmp_path / "runs" / "people" / "bce-folds" / "fold-0")
    train_folds(config_of(people), 3, resume=True, quiet=True, command="typed", log=lines.append)
    assert lines[0].startswith(f"using people from {people}, 28 gray images of 12x10 in 7 classes; 1 could not")
    assert lines[0].endswith("; 3 folds of 7 people")
    assert lines[1].startswith("could not be read: p0/4.png: ")
    for number, (run, line) in enumerate(zip(trained, lines[2:], strict=True)):
        whom = ", ".join(sorted({owner[image] for image in parts(run)["test"]}))
        assert line == f"[{number + 1}/3] EER 0.{number + 1}000 on {whom} ({2 * number + 2} s)"
        assert str(run.folder) == f"runs/people/bce-folds/fold-{number}"
        assert (run.resume, run.quiet, run.pictures, run.command) == (
            number == 0,
            True,
            True,
            "typed",
        )  # the others have no run yet
    assert (tmp_path / "runs" / "people" / "bce-folds" / "folds.json").is_file()


def test_the_report_names_no_folder_and_one_folder_is_of_one_run(people, trained, tmp_path):
    with locked_workdir(tmp_path), pytest.raises(SiameseError, match="is in use by another run"):
        train_folds(config_of(people), 3, tmp_path, quiet=True)
    report = train_folds(config_of(people), 3, tmp_path, quiet=True, command="train --dataset /home/ann/people")
    assert report["command"] == "train --dataset people"


def test_the_seed_decides_who_is_where_and_nothing_else_does(people, trained):
    tested = [
        [row["people"] for row in train_folds(config_of(people, seed=seed, image_size=size), 3)["folds"]]
        for seed, size in ((0, None), (0, "6x8"), (1, None))
    ]
    assert tested[0] == tested[1] != tested[2]
    first, sized = trained[0].pairs.original, trained[3].pairs.original
    assert (first.train.images.shape[1:], sized.train.images.shape[1:]) == ((12, 10, 1), (6, 8, 1))
    assert first.train.sha256 != sized.train.sha256


@pytest.mark.parametrize("quiet", [True, False])
def test_warnings_go_to_standard_error_quiet_or_not(trained, tmp_path, capsys, quiet):
    people = draw(tmp_path / "people", people=6, pictures=2)
    Image.new("L", (10, 12)).save(people / "top.png")
    lines = []
    train_folds(config_of(people), 3, tmp_path / "run", quiet=quiet, log=lines.append)
    first, *of_folds = capsys.readouterr().err.splitlines()
    assert first == "warning: image files that are not directly in a class folder are ignored: 1 (top.png)"
    assert [line.split(" has ")[0] for line in of_folds] == [f"warning: fold-{k}: validation" for k in range(3)]
    assert not any("not used" in line or "validation has" in line for line in lines)
    for run in trained:
        (warning,) = run.pairs.task.warnings
        assert warning.startswith("validation has ")


def test_equal_pictures_are_never_in_two_parts(people, trained):
    """An image under two names is dropped, since its person is unknown; a copy under the same name counts once."""
    one, other = (people / f"p{person}" / "0.png" for person in (0, 1))
    doubtful, copied = (np.asarray(Image.open(path)).tobytes() for path in (one, people / "p2" / "0.png"))
    other.write_bytes(one.read_bytes())
    (people / "p2" / "copy.png").write_bytes((people / "p2" / "0.png").read_bytes())
    owner = owners(people)
    train_folds(config_of(people), 3)
    for run in trained:
        images = list(parts(run).values())
        assert sum(len({owner[image] for image in part}) for part in images) == 7
        assert not any(doubtful in part for part in images)
        assert sum(copied in part for part in images) == 1
        assert sum(map(len, images)) == len(set.union(*images)) == 7 * 4 - 2
        file = run.pairs.original.train
        assert file.manifest["duplicates"] == {"test_twins": 0, "copies": 1, "contradicting": 2}


def test_who_has_no_picture_of_their_own_is_not_counted(trained, tmp_path):
    people = draw(tmp_path / "people", people=8)
    for path in sorted((people / "p0").iterdir()):
        (people / "p1" / path.name).write_bytes(path.read_bytes())
    report = train_folds(config_of(people), 3)
    assert sorted(name for row in report["folds"] for name in row["people"]) == [f"p{k}" for k in range(2, 8)]
    assert report["people"] == 6


@pytest.mark.parametrize(
    ("settings", "count", "error", "message"),
    [
        ({"pairs": "a.npz"}, 3, ConfigError, "with a dataset only, .*got pairs. Leave out that, or folds"),
        ({"test_pairs": "a.npz", "images": "b"}, 3, ConfigError, "got test_pairs, images. Leave out those, or folds"),
        ({"one_vs_rest": "p0"}, 3, ConfigError, "got one_vs_rest"),
        ({"image_size": "big"}, 3, ConfigError, "image size must be HEIGHTxWIDTH"),
        ({}, 2, ConfigError, "folds must be a whole number of 3 or more; got 2"),
        ({}, 4, DatasetError, "4 folds must have at least 2 people each; got 7 people. Use fewer folds"),
    ],
)
def test_what_has_no_folds_is_refused_and_an_earlier_report_stays(people, trained, settings, count, error, message):
    (people.parent / "run").mkdir()
    (people.parent / "run" / "folds.json").write_text("earlier")
    with pytest.raises(error, match=message):
        train_folds(config_of(people, **settings), count, "run")
    assert not trained
    assert (people.parent / "run" / "folds.json").read_text() == "earlier"


def test_a_part_without_two_pictures_of_anybody_is_found_before_anything_is_trained(trained, tmp_path):
    people = draw(tmp_path / "people", people=12)
    for person in range(3, 12):
        for k in range(1, 4):
            (people / f"p{person}" / f"{k}.png").unlink()
    with pytest.raises(
        DatasetError, match="split of fold [0-5] of people must have two images of one person.*fewer folds"
    ):
        train_folds(config_of(people), 6)
    assert not trained


def test_an_earlier_report_goes_with_the_runs_it_was_of(people, trained, monkeypatch):
    start_run(people.parent / "run" / "fold-0")
    for resume, stays in ((True, True), (False, False)):
        train_folds(config_of(people), 3, "run")
        with monkeypatch.context() as patch:
            patch.setattr(folds, "train_and_evaluate", stopped)
            with pytest.raises(KeyboardInterrupt):
                train_folds(config_of(people), 3, "run", resume=resume)
        assert (people.parent / "run" / "folds.json").exists() == stays


def stopped(*args, **more):
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """Folds of eight people, stopped after the first and resumed; only the DET plots are written."""
    folder = tmp_path_factory.mktemp("folds")
    config, train = config_of(draw(folder / "people", people=8)), folds.train_and_evaluate
    first = folder / "run" / "fold-0" / "checkpoint.npz"
    silent = {"quiet": True, "pictures": False, "log": lambda line: None}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("siamese_tf.evaluation.verify_model.save_pictures", lambda *_, **__: None)
        with patch.context() as stop:
            stop.setattr(
                folds, "train_and_evaluate", lambda *args, **more: stopped() if first.exists() else train(*args, **more)
            )
            with pytest.raises(KeyboardInterrupt):
                train_folds(config, 3, folder / "run", **silent)
        before = first.stat().st_mtime_ns
        report = train_folds(config, 3, folder / "run", resume=True, **silent)
    return SimpleNamespace(folder=folder, config=config, report=report, before=before, now=first.stat().st_mtime_ns)


def test_a_finished_fold_is_not_trained_again(resumed):
    assert resumed.now == resumed.before
    histories = [(resumed.folder / "run" / f"fold-{k}" / "history.csv").read_text().splitlines() for k in range(3)]
    assert [len(history) for history in histories] == [2, 2, 2]  # the columns, and one epoch
    assert json.loads((resumed.folder / "run" / "folds.json").read_text()) == resumed.report


def test_the_rates_are_those_of_the_model_on_the_pictures_of_its_people(resumed):
    """Slow reference: every two pictures of the people of a fold, from their files."""
    for row in resumed.report["folds"]:
        folder = resumed.folder / "run" / f"fold-{row['fold']}"
        model = load_model(folder / "siamese.keras")
        files = [path for name in row["people"] for path in sorted((resumed.folder / "people" / name).iterdir())]
        assert len(files) in (8, 12)
        pairs = list(combinations(files, 2))
        same = np.array([one.parent == other.parent for one, other in pairs])
        same_predicted = model.score([one for one, _ in pairs], [other for _, other in pairs]) >= model.threshold
        assert row["accuracy"] == pytest.approx(np.mean(same_predicted == same))
        assert row["fmr"] == pytest.approx(np.mean(same_predicted[~same]))
        assert row["fnmr"] == pytest.approx(np.mean(~same_predicted[same]))
        assert (folder / "verification" / "det.png").stat().st_size > 0
        report = json.loads((folder / "verification" / "report.json").read_text())
        assert {name: report[name] for name in RATES} == {name: row[name] for name in RATES}
        assert report["pairs"] == len(pairs)
        assert row["seconds"] == model.record["training"]["seconds"]


def test_runs_of_other_folds_are_not_resumed(resumed):
    """Their test people may be those that this fold was trained on."""
    with pytest.raises(ConfigError, match=r"fold-0.checkpoint\.npz belongs to another run: its pairs differ"):
        train_folds(resumed.config, 4, resumed.folder / "run", resume=True, quiet=True, log=lambda line: None)


@pytest.mark.slow
@pytest.mark.skipif(not ATT_FACES.is_dir(), reason="needs att-faces/ in $SIAMESE_TF_DATA")
def test_the_error_rate_on_unseen_people_is_that_of_the_tutorial(tmp_path):
    """A published Siamese network has an EER of 3.33% on people of this data set that it was not trained on."""
    report = train_folds(config_from("faces", {"dataset": str(ATT_FACES)}), 8, tmp_path, quiet=True)
    tested = [person for row in report["folds"] for person in row["people"]]
    assert len(tested) == len(set(tested)) == 40
    assert report["eer"]["mean"] <= 0.0333
    assert report["eer"]["mean"] == pytest.approx(float(re.search(r"the mean EER is (0\.\d+)", TUTORIAL)[1]), abs=2e-3)
