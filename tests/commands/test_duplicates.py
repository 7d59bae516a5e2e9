import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from siamese_tf.models.model_file import save_model
from siamese_tf.models.siamese_model import SiameseModel


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        image = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize((80, 60), Image.Resampling.BICUBIC)
        image.save(tmp_path / "photos" / f"{number}.png")
    shutil.copy("photos/0.png", "photos/copy.png")
    (tmp_path / "photos" / "broken.png").write_bytes(b"no image")
    return tmp_path


def test_the_report_and_its_summary(run, folder):
    size = (folder / "photos" / "copy.png").stat().st_size / 1e6
    for _ in range(2):  # a second report replaces the first
        done = run("duplicates photos --out report")
        assert done.code == 0
        lines = done.out.splitlines()
        assert lines[:3] == [
            "images: 4, groups of duplicates: 1",
            f"images beside the representative of their group: 1 ({size:.1f} MB)",
            "unreadable files: 1",
        ]
        assert lines[3].startswith("unreadable: broken.png: ")
        assert lines[4] == "wrote report/duplicates.html"
    assert sorted(path.name for path in (folder / "photos").iterdir()) == [
        *("0.png", "1.png", "2.png", "broken.png", "copy.png")
    ]


def test_a_report_inside_the_folder_is_not_searched(run, folder):
    for _ in range(2):
        assert run("duplicates photos --out photos/report").out.startswith("images: 4, groups of duplicates: 1")


def test_pairs_that_a_model_calls_the_same_are_duplicates(run, folder):
    save_model(SiameseModel((8, 8, 1), "small_cnn", 4), folder / "m.keras")
    assert "images: 4, groups of duplicates: 1" in run("duplicates photos --out a --model m.keras --threshold 1").out
    done = run("duplicates photos --out b --model m.keras --threshold 0.000001")
    assert "images beside the representative of their group: 3" in done.out


def test_tensorflow_is_not_loaded_without_a_model(folder):
    script = (
        "import sys; from siamese_tf.cli import main; sys.argv = ['siamese-tf', 'duplicates', 'photos', '--out', 'r']\n"
        "try: main()\nexcept SystemExit: pass\nassert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("words", "finding"),
    [
        ("gone", "a folder of images must be an existing folder; got 'gone'"),
        ("photos --threshold 0.5", "--threshold must be given with --model; got 0.5"),
        ("photos --model gone.keras", "gone.keras"),
        ("photos --model m.keras --threshold 0", "the threshold must be above 0 and at most 1; got 0"),
    ],
)
def test_a_mistake_is_one_message_and_writes_nothing(run, folder, words, finding):
    save_model(SiameseModel((8, 8, 1), "small_cnn", 4), folder / "m.keras")
    done = run(f"duplicates {words} --out report")
    assert (done.code, done.out) == (2, "")
    assert finding in done.err
    assert not (folder / "report").exists()
