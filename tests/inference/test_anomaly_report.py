import csv
import json

import pytest
from PIL import Image

from siamese_tf.inference.anomalies import Anomaly, AnomalyReport
from siamese_tf.inference.anomaly_report import DATA, MAX_CARDS, PAGE, TABLE, summary_lines, write_anomaly_report


@pytest.fixture
def folder(tmp_path):
    for name in ("images/a&b.png", "reference/r.png"):
        (tmp_path / name).parent.mkdir()
        Image.new("L", (300, 200), 90).save(tmp_path / name)
    return tmp_path


def report(count: int = 1, references: int = 120) -> AnomalyReport:
    images = [Anomaly("a&b.png", 2.5, 1 / (number + 2), "r.png", 0.25) for number in range(count)]
    return AnomalyReport(images, references, {"images/broken.png": "no image"})


def test_the_table_the_data_and_the_page(folder):
    write_anomaly_report(report(), folder / "images", folder / "reference", folder / "out", auroc={"all": 0.5})
    with open(folder / "out" / TABLE, encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [
            {
                "image": "a&b.png",
                "score": "2.5",
                "tail_probability": "0.5",
                "reference": "r.png",
                "match_probability": "0.25",
            }
        ]
    data = json.loads((folder / "out" / DATA).read_text(encoding="utf-8"))
    assert data["images"][0]["image"] == "a&b.png"
    assert (data["references"], data["unreadable"]) == (120, {"images/broken.png": "no image"})
    assert data["auroc"] == {"all": 0.5}
    page = (folder / "out" / PAGE).read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 2
    assert "a&amp;b.png" in page
    assert "a&b.png" not in page


def test_the_page_shows_the_most_unusual_images_only(folder):
    write_anomaly_report(report(MAX_CARDS + 5), folder / "images", folder / "reference", folder / "out")
    assert (folder / "out" / PAGE).read_text(encoding="utf-8").count("<li>") == MAX_CARDS


def test_reports_of_private_images_are_private(folder):
    (folder / "images").chmod(0o700)
    write_anomaly_report(report(), folder / "images", folder / "reference", folder / "out")
    assert all((folder / "out" / name).stat().st_mode & 0o777 == 0o600 for name in (TABLE, DATA, PAGE))


@pytest.mark.parametrize(
    ("references", "line"),
    [
        (99, "images with a tail probability of at most 0.01: 1"),
        (98, "with 98 references, the lowest tail probability is 0.010"),
    ],
)
def test_the_summary(references, line):
    assert summary_lines(report(99, references)) == [f"images: 99, references: {references}", line]
