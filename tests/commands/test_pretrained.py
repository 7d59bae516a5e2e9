"""The command `pretrained`; tests/models/pretrained/test_packages.py covers the weights."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siamese_tf.models.model_file import load_model

pytestmark = pytest.mark.train


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of six people, each a pattern of large squares, in the working directory."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for person in range(6):
        (tmp_path / "people" / f"p{person}").mkdir(parents=True)
        pattern = np.kron(rng.integers(40, 216, (6, 6)), np.ones((25, 25)))
        for number in range(6):
            pixels = pattern + rng.normal(0, 8, pattern.shape)
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(f"people/p{person}/{number}.png")
    return tmp_path


def test_a_model_that_is_not_calibrated(call, tmp_path, capfd):
    assert call(["pretrained", "faces", "--out", str(tmp_path / "new" / "faces.keras")]) == 0
    out, err = capfd.readouterr()
    assert out.endswith("faces.keras: aligned faces of 150x150x3 to embeddings of 128 values, threshold 0.5000\n")
    assert "The model is not calibrated: its threshold was not validated on your data." in err
    assert load_model(tmp_path / "new" / "faces.keras").record["calibration"] == {"source": "published distance"}


def test_a_model_that_is_calibrated_on_a_folder_or_its_pair_file(call, people, capfd):
    assert call("pretrained faces --dataset people --out a.keras") == 0
    assert "not calibrated" not in capfd.readouterr().err
    pairs = next(Path("dataset").glob("people*/train_pairs.npz"))
    assert call(f"pretrained faces --pairs {pairs} --out b.keras") == 0
    first, second = load_model("a.keras"), load_model("b.keras")
    assert first.record["calibration"] == second.record["calibration"]
    assert first.record["calibration"]["source"] == "validation pairs"
    assert first.threshold == second.threshold != 0.5
    capfd.readouterr()
    assert call("evaluate a.keras --dataset people --json") == 0
    assert json.loads(capfd.readouterr().out)["test"]["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("words", "finding"),
    [
        ("cats --out a.keras", "a pretrained model must be one of faces, photos; got 'cats'"),
        ("faces --out a.h5", "a model file must be named *.keras; got 'a.h5'"),
        ("faces --out a.keras --dataset x --pairs y", "at most one of --pairs FILE and --dataset"),
        ("faces --out a.keras --dataset gone", "gone"),
    ],
)
def test_a_mistake_is_one_message_and_writes_nothing(call, tmp_path, monkeypatch, capfd, words, finding):
    monkeypatch.chdir(tmp_path)
    assert call(f"pretrained {words}") == 2
    err = capfd.readouterr().err
    assert "error: " in err
    assert finding in err
    assert list(tmp_path.iterdir()) == []
