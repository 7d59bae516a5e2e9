import numpy as np
import pytest
from PIL import Image

from siamese_tf.models.model_file import save_model
from siamese_tf.models.siamese_model import SiameseModel


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in [*(f"reference/{n}.png" for n in range(8)), "images/good/1.png", "images/bad/2.png"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        bright = 200 if "bad" in name else 20
        pixels = bright * np.eye(8) + rng.integers(0, 30, (8, 8))
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name)
    save_model(SiameseModel((8, 8, 1), "small_cnn", 4), tmp_path / "m.keras")
    return tmp_path


def test_the_report_and_its_summary(run, folder):
    done = run("anomalies images --model m.keras --reference reference --normal good --out report")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "images: 2, references: 8"
    assert lines[2:4] == ["AUROC, bad: 1.0000", "AUROC, all: 1.0000"]
    assert lines[4].startswith("0.1111  bad/2.png  (nearest: ")
    assert lines[-1] == "wrote report/anomalies.html"
    assert sorted(path.name for path in (folder / "report").iterdir()) == [
        *("anomalies.csv", "anomalies.html", "anomalies.json")
    ]


@pytest.mark.parametrize(
    ("words", "finding"),
    [
        ("gone --model m.keras --reference reference", "a folder of images must be an existing folder; got 'gone'"),
        ("images --model gone.keras --reference reference", "gone.keras"),
        ("images --model m.keras --reference reference --neighbors 8", "must have more than 8 readable images; got 8"),
        ("images --model m.keras --reference reference --normal none", "must be in some of the subfolders bad, good"),
    ],
)
def test_a_mistake_is_one_message_and_writes_nothing(run, folder, words, finding):
    done = run(f"anomalies {words} --out report")
    assert (done.code, done.out) == (2, "")
    assert finding in done.err
    assert not (folder / "report").exists()
