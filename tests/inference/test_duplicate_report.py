import csv
import json

import pytest
from PIL import Image

from siamese_tf.inference.duplicate_pair import DuplicatePair
from siamese_tf.inference.duplicate_report import (
    DATA,
    MAX_FIGURES,
    PAGE,
    TABLE,
    group_rows,
    summary_lines,
    write_duplicate_report,
)
from siamese_tf.inference.duplicates import DuplicateReport


@pytest.fixture
def report() -> DuplicateReport:
    pairs = [DuplicatePair(0, 1, "same picture", 0.99, 1, True), DuplicatePair(1, 2, "identical")]
    names, sizes = ["a<b>.png", "b.png", "c.png", "d.png"], [(40, 30), (30, 40), (30, 40), (9, 9)]
    return DuplicateReport(names, sizes, [5_000_000, 300_000, 300_000, 1], pairs, [[0, 1, 2]], {"e.png": "no image"})


@pytest.fixture
def folder(tmp_path, report):
    (tmp_path / "images").mkdir()
    for name, size in zip(report.names, report.sizes, strict=True):
        Image.new("RGB", size, "red").save(tmp_path / "images" / name)
    return tmp_path


def test_an_image_has_the_kind_of_its_best_pair(report):
    (rows,) = group_rows(report)
    assert rows[0] == {"path": "a<b>.png", "representative": True, "bytes": 5_000_000, "width": 40, "height": 30}
    assert [(row["path"], row["kind"], row["match"], row["score"]) for row in rows[1:]] == [
        ("b.png", "identical", "c.png", 1.0),
        ("c.png", "identical", "b.png", 1.0),
    ]


def test_the_table_the_data_and_the_page(report, folder):
    write_duplicate_report(report, folder / "images", folder / "out")
    with open(folder / "out" / TABLE, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["group"], row["path"], row["representative"]) for row in rows] == [
        ("1", "a<b>.png", "True"),
        ("1", "b.png", "False"),
        ("1", "c.png", "False"),
    ]
    data = json.loads((folder / "out" / DATA).read_text(encoding="utf-8"))
    assert [one["path"] for one in data["groups"][0]["images"]] == ["a<b>.png", "b.png", "c.png"]
    assert data["unreadable"] == {"e.png": "no image"}
    page = (folder / "out" / PAGE).read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 3
    assert "a&lt;b&gt;.png (representative, 40x30" in page
    assert "<b>" not in page


def test_a_large_group_is_cut_on_the_page(folder):
    names = [f"{number}.png" for number in range(MAX_FIGURES + 5)]
    pairs = [DuplicatePair(0, number, "identical") for number in range(1, len(names))]
    many = DuplicateReport(names, [(1, 1)] * len(names), [1] * len(names), pairs, [list(range(len(names)))], {})
    write_duplicate_report(many, folder / "images", folder / "out")
    page = (folder / "out" / PAGE).read_text(encoding="utf-8")
    assert page.count("<figure>") == MAX_FIGURES
    assert "and 5 more" in page


def test_reports_of_private_images_are_private(report, folder):
    (folder / "images").chmod(0o700)
    write_duplicate_report(report, folder / "images", folder / "out")
    assert all((folder / "out" / name).stat().st_mode & 0o777 == 0o600 for name in (TABLE, DATA, PAGE))


def test_the_summary(report):
    assert summary_lines(report) == [
        "images: 4, groups of duplicates: 1",
        "images beside the representative of their group: 2 (0.6 MB)",
        "unreadable files: 1",
    ]
