"""Scoring two images, and the pairs of a CSV file."""

import csv
import io
import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.images.decode import load_image
from siamese_tf.models.model_file import load_model, save_model
from siamese_tf.models.siamese_model import SiameseModel


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
    assert "gone.png: must be an image file; got a path that does not exist" in rows[1]["error"]
    assert (rows[2]["img1"], rows[2]["same"], rows[2]["error"]) == ("near.png", "1", "")


def test_score_pairs_to_stdout_with_summary_on_stderr(run, trained, pairs_csv):
    done = run(f"score run/siamese.keras --pairs {pairs_csv}")
    assert done.code == 0
    check_scored(done.out, trained)
    assert "2 of 3 pairs scored, accuracy " in done.err
    assert "unreadable: " in done.err
    assert "%" not in done.err  # a bar is for terminals


def test_score_pairs_shows_a_bar_on_a_terminal(run, pairs_csv, monkeypatch):
    from siamese_tf.training import progress

    monkeypatch.setattr(progress, "shows_bar", lambda console: console.stderr)
    done = run(f"score run/siamese.keras --pairs {pairs_csv}")
    assert done.code == 0
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


@pytest.mark.parametrize("nothing", ["0", "nan"])
def test_no_command_gives_a_verdict_from_nothing(run, trained, tmp_path, monkeypatch, nothing):
    """Exit code 2 and no verdict, two images or a CSV file, whose lines say so."""
    monkeypatch.setattr(SiameseModel, "embed", lambda self, images: nothing_of(self, images, float(nothing)))
    for line in ("score run/siamese.keras 0.png 1.png", "evaluate run/siamese.keras --image1 0.png --image2 1.png"):
        done = run(line)
        assert (done.code, done.out) == (2, "")
        assert "embeddings must be finite and not zero" in done.err
    (tmp_path / "pairs.csv").write_text(f"img1,img2\n{trained.folder / '0.png'},{trained.folder / '1.png'}\n")
    done = run(f"score run/siamese.keras --pairs {tmp_path / 'pairs.csv'}")
    (row,) = csv.DictReader(io.StringIO(done.out))
    assert (row["probability"], row["same"]) == ("", "")
    assert "its embedding is 0 or not finite" in row["error"]
    done = run("evaluate run/siamese.keras --dataset digits")
    assert done.code == 2
    assert "embeddings must be finite and not all zero" in done.err


def nothing_of(model, images, value):
    count = () if isinstance(images, Path) else (len(images),)
    return np.full((*count, model.embedding_dim), value, np.float32)


def test_a_fifo_a_folder_and_a_url_are_refused(run, trained, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for name, words in ((tmp_path / "fifo", "a FIFO"), (tmp_path, "a folder"), ("http://x/a.png", "a URL")):
        done = run(f"score run/siamese.keras 0.png {name}")
        assert (done.code, done.out) == (2, "")
        assert words in done.err
        assert "Traceback" not in done.err
