"""The commands on the digits, in this process; what a user can do wrong is in `test_user_errors.py`."""

import csv
import io
import json
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from siamese_tf import cli
from siamese_tf.data.images import load_image
from siamese_tf.data.pair_file import TEST, TRAIN, VALIDATION, PairFile, load_pair_file, save_pair_file
from siamese_tf.data.sources import load_source
from siamese_tf.models.model_file import load_model, save_model
from siamese_tf.version import __version__

TRAINING = "train --dataset digits --objective bce --tower reference --embedding-dim 8 --batch-pairs 256"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
LEFT_BY_A_RUN = (
    "siamese.keras record.json config.json history.csv accuracy.png roc.png scores.png sample.png mistakes.png"
)


def call(line: str) -> int:
    """Types a command; the exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["siamese-tf", *line.split()])
        patch.setenv("COLUMNS", "200")
        try:
            cli.main()
        except SystemExit as end:
            return end.code or 0
    return 0


@pytest.fixture
def run(capfd, monkeypatch, trained):
    """Types a command in the folder of the trained run; exit code, stdout and stderr."""
    monkeypatch.chdir(trained.folder)

    def type_in(line: str) -> SimpleNamespace:
        capfd.readouterr()
        code = call(line)
        out, err = capfd.readouterr()
        return SimpleNamespace(code=code, out=ANSI.sub("", out), err=ANSI.sub("", err))

    return type_in


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two epochs, what it printed, its model, and a few digits as files."""
    folder = tmp_path_factory.mktemp("cli")
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "stdout", printed)
        code = call(f"{TRAINING} --epochs 2 --workdir run")
    digits = load_source("digits").images
    for number in range(8):
        Image.fromarray(digits[number, ..., 0]).save(folder / f"{number}.png")
    model = load_model(folder / "run" / "siamese.keras")
    return SimpleNamespace(folder=folder, code=code, printed=printed.getvalue(), model=model, digits=digits)


# --- train ----------------------------------------------------------------------------------------------------------


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
    assert record["command"] == f"siamese-tf {TRAINING} --epochs 2 --workdir run"
    assert trained.model.record == record
    assert trained.model.threshold == record["threshold"]["value"]


def test_every_flag_reaches_the_config(run, monkeypatch):
    from siamese_tf.training import train

    seen = {}

    def spy(config, workdir, **options):
        seen.update(config.to_dict(), workdir=workdir, **options)

    monkeypatch.setattr(train, "train_and_evaluate", spy)
    values = {
        "dataset": "digits",
        "data_dir": "data",
        "pairs": "a.npz",
        "test_pairs": "b.npz",
        "objective": "mse",
        "tower": "reference",
        "head": "concat",
        "embedding_dim": 7,
        "margin": 0.5,
        "epochs": 3,
        "batch_pairs": 9,
        "learning_rate": 0.25,
        "pairs_per_step": "listed",
        "augment": "shift-flip",
        "seed": 11,
        "workdir": Path("there"),
    }
    flags = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in values.items())
    assert run(f"train {flags} --resume --quiet").code == 0
    command = seen.pop("command")
    assert seen == {**values, "resume": True, "quiet": True}
    assert command == f"siamese-tf train {flags} --quiet"


def test_quiet_prints_nothing(run, tmp_path):
    done = run(f"{TRAINING} --epochs 1 --workdir {tmp_path} --quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert (tmp_path / "siamese.keras").is_file()


def test_resume_goes_on_with_its_own_settings_only(run, trained, tmp_path):
    copy = shutil.copytree("run", tmp_path / "run")
    done = run(f"{TRAINING} --epochs 2 --workdir {copy} --resume")
    assert done.code == 0
    assert "Resuming after epoch 2 of 2." in done.out
    assert np.array_equal(load_model(copy / "siamese.keras").embed("0.png"), trained.model.embed("0.png"))
    other = run(f"{TRAINING} --epochs 2 --workdir {copy} --resume --seed 3")
    assert other.code == 2
    assert other.err.startswith(f"error: {copy / 'checkpoint.npz'} is of another run: seed was 0 and is now 3.")
    assert "own settings" in other.err


# --- score ----------------------------------------------------------------------------------------------------------


def test_score_prints_probability_threshold_and_verdict(run, trained):
    for one, two in [("0.png", "1.png"), ("2.png", "2.png")]:
        right = trained.model.score(one, two)
        done = run(f"score run/siamese.keras {one} {two}")
        verdict = "same" if right >= trained.model.threshold else "different"
        assert done.out == (f"probability {right:.4f}  threshold {trained.model.threshold:.4f}  verdict {verdict}\n")
        assert (done.code, done.err) == (0, "")
    assert verdict == "same"  # an image with itself


def test_score_for_programs(run, trained):
    done = run("score run/siamese.keras 0.png 1.png --json")
    right = trained.model.score(trained.digits[0], trained.digits[1])
    found = json.loads(done.out)
    assert found == {
        "probability": pytest.approx(right, abs=1e-6),
        "threshold": trained.model.threshold,
        "same": right >= trained.model.threshold,
    }


@pytest.mark.parametrize(("threshold", "same"), [(0.0, True), (1.0, False)])
def test_the_verdict_is_that_of_the_models_own_threshold(run, trained, tmp_path, threshold, same):
    model = load_model("run/siamese.keras")
    model.threshold = threshold
    save_model(model, tmp_path / "siamese.keras")
    line = f"score {tmp_path / 'siamese.keras'} 0.png 1.png"
    assert json.loads(run(f"{line} --json").out)["same"] is same
    assert run(line).out.endswith("verdict same\n" if same else "verdict different\n")


def test_score_brings_images_to_the_models_size(run, trained):
    large = np.kron(trained.digits[3, ..., 0], np.ones((5, 7), np.uint8))
    Image.fromarray(large).convert("RGB").save("large.png")
    found = json.loads(run("score run/siamese.keras large.png 4.png --json").out)
    right = trained.model.score(load_image("large.png", 8, 8, 1), trained.digits[4])
    assert found["probability"] == pytest.approx(right, abs=1e-6)


@pytest.fixture
def pairs_csv(trained, tmp_path):
    """A CSV file in another folder than the one commands run in; one image of it is missing."""
    path = tmp_path / "pairs.csv"
    lines = [f"{trained.folder / '0.png'},{trained.folder / '1.png'},0", "gone.png,gone.png,1"]
    Image.fromarray(trained.digits[5, ..., 0]).save(tmp_path / "near.png")
    path.write_text("\n".join(["img1,img2,similarity", *lines, "near.png,near.png,1"]), encoding="utf-8")
    return path


def check_scored(text: str, trained: SimpleNamespace) -> None:
    rows = list(csv.DictReader(io.StringIO(text), strict=True))
    assert [row["similarity"] for row in rows] == ["0", "1", "1"]
    assert float(rows[0]["probability"]) == pytest.approx(trained.model.score("0.png", "1.png"), abs=2e-6)
    assert (rows[1]["probability"], rows[1]["same"]) == ("", "")
    assert "gone.png: there is no such file" in rows[1]["error"]
    assert (rows[2]["img1"], rows[2]["same"], rows[2]["error"]) == ("near.png", "1", "")


def test_score_pairs_to_stdout_with_progress_and_summary_on_stderr(run, trained, pairs_csv):
    done = run(f"score run/siamese.keras --pairs {pairs_csv}")
    assert done.code == 0
    check_scored(done.out, trained)
    assert "2 of 3 pairs scored, accuracy " in done.err
    assert "unreadable: " in done.err
    assert "images" in done.err
    assert "100%" in done.err


def test_score_pairs_to_a_file(run, trained, pairs_csv, tmp_path):
    out = tmp_path / "new" / "scored.csv"
    done = run(f"score run/siamese.keras --pairs {pairs_csv} --out {out}")
    assert (done.code, done.out) == (0, "")
    check_scored(out.read_text(encoding="utf-8"), trained)
    assert [path.name for path in out.parent.iterdir()] == ["scored.csv"]


def test_score_pairs_quietly(run, trained, pairs_csv):
    done = run(f"score run/siamese.keras --pairs {pairs_csv} --quiet")
    assert (done.code, done.err) == (0, "")
    check_scored(done.out, trained)


def test_a_csv_that_is_refused_leaves_the_old_result(run, tmp_path):
    (tmp_path / "pairs.csv").write_text("img1;img2\n")
    (tmp_path / "scored.csv").write_text("old")
    assert run(f"score run/siamese.keras --pairs {tmp_path / 'pairs.csv'} --out {tmp_path / 'scored.csv'}").code == 2
    assert (tmp_path / "scored.csv").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2


# --- evaluate -------------------------------------------------------------------------------------------------------


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


# --- pairs ----------------------------------------------------------------------------------------------------------


def test_generate_and_check(run, tmp_path):
    made = run(
        f"pairs generate --dataset digits --out {tmp_path} --split class --seed 4"
        " --train-pairs 60 --validation-pairs 40 --test-pairs 20"
    )
    train, test = tmp_path / "digits" / "train_pairs.npz", tmp_path / "digits" / "test_pairs.npz"
    assert made.code == 0
    assert f"wrote {train}\nwrote {test}\n" in made.out
    file = load_pair_file(train)
    assert [len(file.rows(part)) for part in (TRAIN, VALIDATION)] == [60, 40]
    assert len(load_pair_file(test).rows(TEST)) == 20
    assert (file.manifest["split"], file.manifest["seed"]) == ("class", 4)
    checked = run(f"pairs check {train} {test}")
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.endswith("no leaks\n")
    assert "images in two parts: train and validation 0, train and test 0, validation and test 0" in checked.out


def small_pairs(img1, img2, split, same_images=()) -> PairFile:
    images = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 1), np.uint8)
    for one, two in same_images:
        images[two] = images[one]
    img1, img2 = np.array(img1, np.int32), np.array(img2, np.int32)
    return PairFile(images, None, img1, img2, np.zeros(len(img1), np.uint8), np.array(split, np.uint8))


@pytest.mark.parametrize(
    ("pairs", "finding"),
    [
        (small_pairs([0, 2], [1, 0], [TRAIN, TEST]), "train and test 1"),
        (small_pairs([0, 2], [1, 3], [TRAIN, VALIDATION], [(1, 3)]), "train and validation 1"),
        (small_pairs([0, 2], [1, 2], [TRAIN, TRAIN]), "paired with themselves: 1"),
        (small_pairs([0, 2], [1, 3], [TRAIN, TRAIN], [(2, 3)]), "paired with themselves: 1"),
        (small_pairs([0, 1], [1, 0], [TEST, TEST]), "stand twice: 1"),
    ],
    ids=["an image in train and test", "a twin", "a self-pair", "a pair of twins", "the same pair turned round"],
)
def test_check_ends_with_1_on_a_leak(run, tmp_path, pairs, finding):
    save_pair_file(tmp_path / "leaking.npz", pairs)
    checked = run(f"pairs check {tmp_path / 'leaking.npz'}")
    assert (checked.code, checked.err) == (1, "")
    assert finding in checked.out
    assert checked.out.endswith("LEAKS: 1\n")


def test_a_leak_between_two_files_is_found(run, tmp_path):
    save_pair_file(tmp_path / "train.npz", small_pairs([0], [1], [TRAIN]))
    save_pair_file(tmp_path / "test.npz", small_pairs([2], [1], [TEST]))
    for name in ("train.npz", "test.npz"):
        assert run(f"pairs check {tmp_path / name}").code == 0
    assert run(f"pairs check {tmp_path / 'train.npz'} {tmp_path / 'test.npz'}").code == 1


def test_pair_files_of_others_are_checked_and_evaluated(run, trained, tmp_path):
    """Nothing but the four arrays, the images without a channel axis, other integer types."""
    path = tmp_path / "foreign.npz"
    similarity = np.array([True, False, True, False])
    np.savez_compressed(
        path, images=trained.digits[:8, ..., 0], img1=[0, 1, 2, 3], img2=[4, 5, 6, 7], similarity=similarity
    )
    checked = run(f"pairs check {path}")
    assert (checked.code, checked.out.endswith("no leaks\n")) == (0, True)
    report = json.loads(run(f"evaluate run/siamese.keras --pairs {path} --json").out)
    assert (list(report), report["train"]["pairs"]) == (["train"], 4)


# --- help -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--help", ["train", "evaluate", "score", "pairs"]),
        ("train --help", ["enough for 1,000 steps", "the objective's", "runs/<dataset>/<objective>", "--resume"]),
        ("evaluate --help", ["--pairs", "--dataset", "test_pairs.npz beside it", "$SIAMESE_TF_DATA"]),
        ("score --help", ["img1, img2[, similarity]", "standard output", "--json"]),
        ("pairs --help", ["generate", "check"]),
        ("pairs generate --help", ["70,000, or fewer", "30,000, or fewer", "50,000, or fewer", "--split"]),
        ("pairs check --help", ["exit code 1 where they leak"]),
    ],
)
def test_help_says_what_there_is_and_what_happens_by_default(run, line, words):
    done = run(line)
    assert (done.code, done.err) == (0, "")
    for word in words:
        assert word in done.out


@pytest.mark.parametrize(("line", "words"), [("", ["Usage: ", "evaluate"]), ("pairs", ["Usage: ", "generate"])])
def test_a_command_without_a_word_shows_the_help(run, line, words):
    done = run(line)
    for word in words:
        assert word in done.out + done.err


def test_version(capsys):
    assert call("--version") == 0
    assert capsys.readouterr().out.strip() == __version__
