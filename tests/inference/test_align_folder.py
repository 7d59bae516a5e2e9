import csv

import numpy as np
import pytest
from PIL import Image

from siamese_tf.errors import ConfigError, DatasetError
from siamese_tf.inference.align_folder import REPORT, align_folder, summary_lines
from siamese_tf.models.faces.detection import Face


class Brightest:
    """A detector for images of flat color: as many faces as the red level says, each larger than the one before."""

    def detect(self, image):
        count = int(image[0, 0, 0]) // 10
        return [
            Face((0.0, 0.0, 20.0 + n, 20.0), 0.5 + n / 10, (30.0 + n, 40.0), (80.0, 40.0), (55.0, 70.0))
            for n in range(count)
        ]


def save(path, faces, value=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (120, 120, 3), np.uint8)
    pixels[0, 0] = (10 * faces, value, value)
    Image.fromarray(pixels).save(path, "PNG")


@pytest.fixture
def folder(tmp_path):
    save(tmp_path / "photos" / "anna" / "1.png", 1)
    save(tmp_path / "photos" / "anna" / "2.png", 0)
    save(tmp_path / "photos" / "ben" / "deep" / "3", 2)
    (tmp_path / "photos" / "ben" / "broken.jpg").write_bytes(b"no image")
    return tmp_path / "photos"


def table(out):
    with open(out / REPORT, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_face_is_written_at_the_place_of_its_image(folder, tmp_path):
    rows = align_folder(folder, tmp_path / "out", Brightest(), "largest")
    assert sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")) == [
        *("anna/1.png", "ben/deep/3.png", "faces.csv")
    ]
    with Image.open(tmp_path / "out" / "anna" / "1.png") as image:
        assert (image.size, image.mode) == ((150, 150), "RGB")
    problems = {row.image: row.problems for row in rows}
    assert problems["anna/2.png"] == ("no face",)
    assert problems["ben/broken.jpg"][0].startswith("unreadable: ")
    assert {row["image"]: (row["aligned"], row["faces"]) for row in table(tmp_path / "out")} == {
        "anna/1.png": ("anna/1.png", "1"),
        "anna/2.png": ("", "0"),
        "ben/broken.jpg": ("", "0"),
        "ben/deep/3": ("ben/deep/3.png", "2"),
    }


@pytest.mark.parametrize(("choice", "names"), [(None, []), ("largest", ["3.png"]), ("all", ["3-1.png", "3-2.png"])])
def test_the_choice_among_several_faces(folder, tmp_path, choice, names):
    rows = align_folder(folder, tmp_path / "out", Brightest(), choice)
    assert sorted(path.name for path in (tmp_path / "out" / "ben").rglob("*.png")) == names
    of_image = [row for row in rows if row.image == "ben/deep/3"]
    assert [row.aligned.split("/")[-1] for row in of_image] == (names or [""])
    assert of_image[0].confidence == (0.6 if choice else None)  # the larger face first
    if choice is None:
        assert of_image[0].problems == ("several faces",)


def test_images_that_differ_by_their_suffix_are_both_written(tmp_path):
    save(tmp_path / "photos" / "a.png", 1)
    save(tmp_path / "photos" / "a.jpg", 1)
    rows = align_folder(tmp_path / "photos", tmp_path / "out", Brightest())
    assert {row.image: row.aligned for row in rows} == {"a.jpg": "a.png", "a.png": "a.png.png"}


def test_the_summary_names_what_was_not_aligned(folder, tmp_path):
    lines = summary_lines(align_folder(folder, tmp_path / "out", Brightest()))
    assert lines[0] == "images: 4, aligned faces: 1"
    assert lines[1] == "not aligned: anna/2.png: no face"
    assert lines[-1] == "not aligned: ben/deep/3: several faces"


def test_problems_of_aligned_faces_are_counted(tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(2):
        Image.new("RGB", (120, 120), (10, 5, 5)).save(tmp_path / "photos" / f"{number}.png")
    rows = align_folder(tmp_path / "photos", tmp_path / "out", Brightest())
    assert summary_lines(rows) == ["images: 2, aligned faces: 2 (2 dark, 2 blurred)"]
    assert table(tmp_path / "out")[0]["problems"] == "dark; blurred"


def test_images_that_only_their_owner_can_read_give_such_faces(folder, tmp_path):
    (folder / "anna" / "1.png").chmod(0o600)
    align_folder(folder, tmp_path / "out", Brightest())
    assert (tmp_path / "out" / "anna" / "1.png").stat().st_mode & 0o777 == 0o600


def test_wrong_arguments_are_refused_and_nothing_is_written(folder, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(ConfigError, match="must be empty or missing; got .*full"):
        align_folder(folder, tmp_path / "full", Brightest())
    with pytest.raises(ConfigError, match="the face must be one of largest, all; got 'best'"):
        align_folder(folder, tmp_path / "out", Brightest(), "best")
    with pytest.raises(DatasetError, match="must be an existing folder"):
        align_folder(tmp_path / "gone", tmp_path / "out", Brightest())
    with pytest.raises(DatasetError, match="must have image files in it"):
        align_folder(tmp_path / "full", tmp_path / "out", Brightest())
    assert not (tmp_path / "out").exists()
