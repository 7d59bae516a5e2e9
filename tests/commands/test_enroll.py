"""Enrollment of image files; unusable ones are skipped."""

import pytest

from siamese_tf.inference.gallery import Gallery
from siamese_tf.models.model_file import load_model


def test_enroll_makes_a_gallery_and_adds_to_it(run, trained, tmp_path):
    gallery = tmp_path / "new" / "people.gallery"
    done = run(f"enroll {gallery} --model run/siamese.keras --name anna 0.png 1.png")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"enrolled anna, pictures: 2. Now in {gallery}: people: 1, pictures: 2\n"
    done = run(f"enroll {gallery} --model run/siamese.keras --name ben 2.png")
    assert done.out == f"enrolled ben, pictures: 1. Now in {gallery}: people: 2, pictures: 3\n"
    with Gallery.open(gallery) as opened:
        assert opened.names() == {"anna": 2, "ben": 1}
    content = gallery.read_bytes()
    assert b".png" not in content
    assert b"siamese.keras" not in content


@pytest.mark.parametrize("images", ["gone.png", "gone.png run/record.json"])
def test_where_no_image_can_be_read_nothing_is_enrolled(run, tmp_path, images):
    gallery = tmp_path / "people.gallery"
    done = run(f"enroll {gallery} --model run/siamese.keras --name anna {images}")
    assert (done.code, done.out) == (2, "")
    assert "gone.png: must be an image file; got a path that does not exist" in done.err
    assert not gallery.exists()
    assert run(f"enroll {gallery} --model run/siamese.keras --name anna 0.png").code == 0
    assert run(f"enroll {gallery} --model run/siamese.keras --name ben {images}").code == 2
    with Gallery.open(gallery) as opened:
        assert opened.names() == {"anna": 1}


def test_images_that_cannot_be_read_are_left_out_and_listed(run, trained, tmp_path):
    gallery = tmp_path / "people.gallery"
    done = run(f"enroll {gallery} --model run/siamese.keras --name anna gone.png 0.png run/record.json 1.png")
    assert done.code == 0
    assert done.out == f"enrolled anna, pictures: 2. Now in {gallery}: people: 1, pictures: 2\n"
    first, second = done.err.splitlines()
    assert first.startswith("skipped: gone.png: must be an image file; got a path that does not exist")
    assert second.startswith("skipped: run/record.json: ")
    with Gallery.open(gallery, load_model("run/siamese.keras")) as opened:
        both = opened.verify("anna", trained.model.embed("2.png")).score
        opened.enroll("ben", trained.model.embed(["0.png", "1.png"]))
        assert opened.verify("ben", trained.model.embed("2.png")).score == pytest.approx(both, abs=1e-6)


def test_the_model_can_come_from_the_environment(run, tmp_path, monkeypatch):
    gallery = tmp_path / "people.gallery"
    done = run(f"enroll {gallery} --name anna 0.png")
    assert (done.code, done.out) == (2, "")
    assert "Name the model with --model MODEL, or set SIAMESE_TF_MODEL" in done.err
    monkeypatch.setenv("SIAMESE_TF_MODEL", "run/siamese.keras")
    assert run(f"enroll {gallery} --name anna 0.png").code == 0


@pytest.mark.parametrize("line", ["--name anna", "0.png", ""])
def test_a_name_and_an_image_must_be_given(run, tmp_path, line):
    done = run(f"enroll {tmp_path / 'people.gallery'} --model run/siamese.keras {line}")
    assert (done.code, done.out) == (2, "")


def test_an_image_without_an_embedding_is_left_out_by_its_name(run, tmp_path, without_embedding):
    gallery = f"{tmp_path / 'people.gallery'} --model run/siamese.keras"
    without_embedding("1.png")
    done = run(f"enroll {gallery} --name anna 0.png 1.png 2.png")
    assert (done.code, done.out.split(".")[0]) == (0, "enrolled anna, pictures: 2")
    (line,) = done.err.splitlines()
    assert line.startswith("skipped: 1.png: its embedding is 0 or not finite")
    assert run(f"enroll {gallery} --name ben 1.png").code == 2
