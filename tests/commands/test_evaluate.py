"""Evaluation of a saved model, compared with the report of its run and with its scores."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siamese_tf import cli
from siamese_tf.commands.gallery import NO_DETECTION
from siamese_tf.data.images.decode import load_image
from siamese_tf.data.pairs.pair_file import PairDataset, load_pair_file, save_pair_file
from siamese_tf.data.sources.load import load_source
from siamese_tf.models.model_file import load_model, save_model

pytestmark = pytest.mark.train


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


def test_evaluate_warns_of_pairs_that_were_drawn_anew_since_the_training(run, tmp_path, monkeypatch):
    model = Path("run/siamese.keras").resolve()
    assert "warning" not in run(f"evaluate {model} --dataset digits").err
    monkeypatch.chdir(tmp_path)
    run("pairs generate --dataset digits --seed 1 --train-pairs 50 --validation-pairs 50 --test-pairs 50")
    done = run(f"evaluate {model} --dataset digits --json")
    assert (
        done.err.count("warning: the model was trained on other pairs of this data set, and the test images may be")
        == 1
    )
    assert json.loads(done.out)["test"]["pairs"] == 50


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
def one_vs_rest_run(call, trained, tmp_path_factory):
    """Returns the folder of a run that recognized sevens against the rest."""
    folder = tmp_path_factory.mktemp("one_vs_rest")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(trained.folder)
        assert call(f"{trained.settings} --epochs 1 --one-vs-rest 7 --seed 5 --quiet --workdir {folder}") == 0
    return folder


def test_evaluate_reports_one_vs_rest_as_the_run_did(run, one_vs_rest_run):
    record = json.loads((one_vs_rest_run / "record.json").read_text())
    line = f"evaluate {one_vs_rest_run / 'siamese.keras'} --dataset digits --one-vs-rest 7 --seed 5"
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


@pytest.mark.parametrize("how", ["", " --json"])
def test_that_pairs_leak_is_printed_on_standard_error(run, trained, tmp_path, how):
    images = trained.digits[:8]
    one, other = np.tile([0, 2], 3).astype(np.int32), np.tile([1, 3], 3).astype(np.int32)
    split = np.repeat([0, 1, 2], 2).astype(np.uint8)
    pairs = PairDataset(images, None, one, other, np.tile([1, 0], 3).astype(np.uint8), split)
    save_pair_file(tmp_path / "leaking.npz", pairs)
    done = run(f"evaluate run/siamese.keras --pairs {tmp_path / 'leaking.npz'}{how}")
    assert done.code == 0
    assert done.err.splitlines()[-1].startswith("warning: These pairs leak (")
    assert "These pairs leak" not in done.out


def test_the_rest_can_be_a_class_and_the_seed_another(run, one_vs_rest_run):
    line = f"evaluate {one_vs_rest_run / 'siamese.keras'} --dataset digits --one-vs-rest 7 --json"
    plain, other, classed = (json.loads(run(line + more).out) for more in ("", " --seed 1", " --rest-is-a-class"))
    assert [report["one_vs_rest"]["rest_is_a_class"] for report in (plain, classed)] == [False, True]
    assert plain["test"]["confusion"] != other["test"]["confusion"]
    assert plain["test"]["confusion"] != classed["test"]["confusion"]
    assert plain["one_vs_rest"]["test"] == classed["one_vs_rest"]["test"]  # images are asked for, not pairs


def test_a_model_of_all_classes_can_be_evaluated_on_one(run, tmp_path):
    """The threshold for pairs is that of the model; the report in the folder has both metrics."""
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
    assert "the train split must have images of class 3 and others; got 0 images of class 3 and 0 others" in done.err
    assert "a pair file whose train split has both" in done.err
    assert not (tmp_path / "out").exists()


def test_two_images_are_compared(run, trained):
    done = run("evaluate run/siamese.keras --image1 0.png --image2 1.png --json")
    report = json.loads(done.out)
    assert (done.code, list(report)) == (0, ["cosine", "distance", "probability", "threshold", "same"])
    assert report["probability"] == pytest.approx(trained.model.score("0.png", "1.png"))
    assert report["same"] == (report["probability"] >= report["threshold"] == trained.model.threshold)
    assert done.err == f"{NO_DETECTION}\n"
    lines = run("evaluate run/siamese.keras --image1 0.png --image2 1.png").out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["cosine", f"{report['cosine']:.4f}"],
        ["distance", f"{report['distance']:.4f}"],
        ["probability", f"{report['probability']:.4f}"],
        ["verdict", "same" if report["same"] else "different"],
    ]


@pytest.fixture
def people(trained, tmp_path, monkeypatch):
    """Writes a folder of digits as people, and lists of pairs of them: two folds with four people each."""
    monkeypatch.setenv("SIAMESE_TF_CACHE", str(tmp_path / "cache"))
    labels = load_source("digits").labels
    lines, rows = ["2\t4"], ["img1,img2,similarity,split"]
    for fold in ([0, 1, 2, 3], [4, 5, 6, 7]):
        for digit in fold:
            (tmp_path / f"p{digit}").mkdir()
            for number, position in enumerate(np.flatnonzero(labels == digit)[:3], start=1):
                Image.fromarray(trained.digits[position, ..., 0]).save(tmp_path / f"p{digit}/p{digit}_{number:04d}.png")
        lines += [f"p{digit}\t1\t2" for digit in fold]
        lines += [f"p{one}\t3\tp{two}\t3" for one, two in zip(fold, [*fold[1:], fold[0]], strict=True)]
        part = "validation" if fold[0] == 0 else "test"
        rows += [f"p{digit}/p{digit}_0001.png,p{digit}/p{digit}_0002.png,1,{part}" for digit in fold]
        rows += [f"p{fold[0]}/p{fold[0]}_0003.png,p{other}/p{other}_0003.png,0,{part}" for other in fold[1:]]
    (tmp_path / "pairs.txt").write_text("\n".join(lines))
    (tmp_path / "pairs.csv").write_text("\n".join(rows))
    return tmp_path


def test_a_pairs_txt_is_evaluated_fold_by_fold(run, people):
    done = run(f"evaluate run/siamese.keras --pairs {people / 'pairs.txt'} --json --out {people / 'out'}")
    report = json.loads(done.out)
    assert done.code == 0
    assert done.err.startswith(f"using 16 pairs of 24 images in {people / 'pairs.txt'}, 2 folds")
    assert (report["pairs"], report["people"]) == (16, 8)
    assert [fold["pairs"] for fold in report["folds"]["folds"]] == [8, 8]
    assert report["folds"]["people_in_several_folds"] == 0
    assert json.loads((people / "out" / "report.json").read_text()) == report
    pictures = {path.name for path in (people / "out").glob("*.png")}
    assert pictures == {f"{name}.png" for name in ("det", "mistakes", "roc", "sample", "scores", "thresholds")}
    table = run(f"evaluate run/siamese.keras --pairs {people / 'pairs.txt'} --images {people} --threshold-at eer").out
    assert "for each fold on all others, at the EER" in table
    assert "2 folds, mean and standard error:" in table


def test_a_csv_list_is_evaluated_by_the_models_threshold_or_by_a_rule(run, people, trained):
    line = f"evaluate run/siamese.keras --pairs {people / 'pairs.csv'} --json"
    own = json.loads(run(line).out)
    assert (own["part"], own["chosen"], own["threshold"]) == ("test", "the model's own", trained.model.threshold)
    assert (own["pairs"], own["people"], own["folds"]) == (7, 8, None)  # 4 joined pairs, and 4 images in no same pair
    ruled = json.loads(run(f"{line} --threshold-at f1").out)
    assert ruled["chosen"] == "on validation pairs, at the best F1"
    assert ruled["auc"] == own["auc"]


def test_pair_files_are_verified_with_a_threshold_rule(run):
    line = "evaluate run/siamese.keras --pairs dataset/digits/train_pairs.npz"
    report = json.loads(run(f"{line} --threshold-at 0.05 --json").out)
    assert (report["part"], report["people"]) == ("test", 10)
    assert report["chosen"] == "on validation pairs, at an FMR of 0.05 (an average, not a limit)"
    assert report["ci95_over"] == "images"  # the digits of the test are those of the training
    assert report["fmr"] < 0.1
    done = run(f"{line} --threshold-at 0.0001")
    assert (done.code, done.out) == (2, "")
    assert "needs 30,000 different pairs" in done.err


def test_the_false_match_rate_can_be_a_limit(trained, monkeypatch, capsys):
    monkeypatch.chdir(trained.folder)
    line = "siamese-tf evaluate run/siamese.keras --pairs dataset/digits/train_pairs.npz --json --threshold-at"
    thresholds = []
    for rule, code in (("0.05", 0), ("0.05 at 95%", 0), ("0.05 at 99%", 0), ("0.0001 at 95%", 2)):
        monkeypatch.setattr(sys, "argv", [*line.split(), rule])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        assert end.value.code == code
        if code == 0:
            report = json.loads(out)
            thresholds.append(report["threshold"])
    assert report["chosen"] == "on validation pairs, at an FMR of at most 0.05 with 99% confidence"
    assert thresholds[0] < thresholds[1] < thresholds[2]
    assert "at most 0.0001 at 95% needs 29,956 independent different pairs" in err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--image1 0.png", ["--image1 and --image2 must be given together", "one of the two"]),
        ("--image1 0.png --image2 1.png --dataset digits", ["without pairs or a data set", "--dataset, too"]),
        ("--image1 0.png --image2 1.png --rest-is-a-class", ["without pairs or a data set", "--rest-is-a-class, too"]),
        ("--image1 0.png --image2 1.png --data-dir run", ["without pairs or a data set", "--data-dir, too"]),
        ("--dataset digits --threshold-at 1e-310", ["at least 1e-300", "'1e-310'"]),
        ("--image1 0.png --image2 none.png", ["none.png", "a path that does not exist"]),
        ("", ["--image1 FILE and --image2 FILE", "got neither"]),
        ("--dataset digits --threshold-at best", ["accuracy, f1, eer", "such as 0.01", "'0.01 at 95%'", "'best'"]),
        ("--dataset digits --threshold-at f1 --one-vs-rest 3", ["--one-vs-rest", "Omit one"]),
        ("--dataset digits --images run", ["images must be omitted unless a list in the format of LFW's", "Omit it"]),
        ("--pairs none.npz --images run", ["images must be omitted unless a list in the format of LFW's", "Omit it"]),
        ("--pairs none.csv --one-vs-rest 3", ["--one-vs-rest", "Omit one"]),
        ("--pairs none.csv --test-pairs x.npz", ["--test-pairs must be omitted with a list", "got x.npz"]),
        ("--pairs none.csv", ["cannot read the pairs none.csv", "No such file"]),
    ],
)
def test_options_that_exclude_each_other_are_refused(run, line, words):
    done = run(f"evaluate run/siamese.keras {line}")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert all(word in done.err for word in words), done.err


# The model of a folder of people

IN_A_NEW_PROCESS = """
import sys
from siamese_tf.cli import main
from siamese_tf.models.model_file import load_model
print(load_model("run/siamese.keras").score("people/p0/p0_0001.png", "people/p1/p1_0002.png"))
sys.argv = ["siamese-tf", "evaluate", "run/siamese.keras", "--dataset", "people", "--json"]
main()
"""


@pytest.mark.slow
def test_a_new_process_finds_what_the_run_on_a_folder_reported(of_people):
    """The model file has the image format."""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_NEW_PROCESS], cwd=of_people.folder, capture_output=True, text=True, check=True
    )
    score, _, reports = done.stdout.partition("\n")
    pictures = [
        load_image(of_people.folder / "people" / name, 8, 8, 1, "crop") for name in ("p0/p0_0001.png", "p1/p1_0002.png")
    ]
    assert float(score) == pytest.approx(of_people.model.score(*pictures), abs=1e-6)
    record = json.loads((of_people.folder / "run" / "record.json").read_text())
    reports = json.loads(reports)
    assert list(reports) == ["train", "validation", "test"]
    for part, report in reports.items():
        assert report["accuracy"] == record["accuracy"][part]
        assert report["confusion"] == record["metrics"][part]["confusion"]
        assert report["auc"] == pytest.approx(record["metrics"][part]["auc"])
    assert reports["test"]["ci95"] == record["accuracy"]["test_ci95"]
    over = {"class": "classes", "image": "images"}[record["pairs"]["split"]]
    assert [report["ci95_over"] for report in reports.values()] == [over] * 3
    assert "pairs in dataset/people (found there)" in done.stderr


def test_pairs_of_a_folder_in_another_form_are_not_measured_on(of_people, run, monkeypatch, tmp_path):
    """The model crops images to 8x8, and these pairs are of padded ones: new pairs are made."""
    (tmp_path / "people").symlink_to(of_people.folder / "people")
    monkeypatch.chdir(tmp_path)
    assert run("pairs generate --dataset people --image-size 8 --resize pad").code == 0
    model = of_people.folder / "run" / "siamese.keras"
    for how in ("made now", "found there"):
        done = run(f"evaluate {model} --dataset people")
        assert (done.code, done.err) == (0, "")
        assert re.search(
            rf"pairs in dataset/people-[0-9a-f]{{6}} \({how}; dataset/people holds pairs of other", done.out
        )


def test_a_list_in_the_form_of_lfw_may_be_the_test_of_other_pairs(of_people, run, monkeypatch, tmp_path):
    monkeypatch.chdir(of_people.folder)
    (tmp_path / "test.txt").write_text("1 2\np0 1 2\np1 1 2\np0 1 p1 1\np0 2 p1 3")
    line = f"evaluate run/siamese.keras --dataset people --test-pairs {tmp_path / 'test.txt'} --images people --json"
    report = json.loads(run(line).out)["test"]
    one, two = ("p0_0001", "p1_0001", "p0_0001", "p0_0002"), ("p0_0002", "p1_0002", "p1_0001", "p1_0003")
    files = [[f"people/{name[:2]}/{name}.png" for name in side] for side in (one, two)]
    said = of_people.model.score(*files) >= of_people.model.threshold
    assert (report["pairs"], report["accuracy"]) == (4, np.mean(said == [True, True, False, False]))
