"""Identification of image files among two people and a stranger."""

import json

import pytest

from siamese_tf.commands.gallery import NO_DETECTION
from siamese_tf.commands.identify import CANNOT_MATCH
from siamese_tf.inference.matching import corrected_threshold
from siamese_tf.models.model_file import load_model, save_model


@pytest.fixture
def steep(run, tmp_path):
    """The trained model with a head that only takes the very same picture for the same: the end of a command line."""
    model = load_model("run/siamese.keras")
    model.head.scale.assign(200.0)
    model.head.bias.assign(2.0)
    model.threshold = 0.5
    save_model(model, tmp_path / "steep.keras")
    return f"--model {tmp_path / 'steep.keras'}"


@pytest.fixture
def people(run, steep, tmp_path):
    """A gallery in which anna has the picture 0 and ben the picture 1."""
    gallery = tmp_path / "people.gallery"
    assert run(f"enroll {gallery} {steep} --name anna 0.png").code == 0
    assert run(f"enroll {gallery} {steep} --name ben 1.png").code == 0
    return gallery


def test_each_picture_gets_its_name_or_unknown(run, people, steep):
    done = run(f"identify {people} {steep} 1.png 0.png 2.png")
    assert done.code == 0
    lines = done.out.splitlines()
    threshold = f"(threshold {corrected_threshold(0.5, 2):.6f})"
    assert [lines[0], lines[3], lines[6]] == [
        f"1.png: ben  {threshold}",
        f"0.png: anna  {threshold}",
        f"2.png: unknown  {threshold}",
    ]
    assert [line.split()[1] for line in lines[1:6] if line.startswith("  ")] == ["ben", "anna", "anna", "ben"]
    assert done.err == f"{NO_DETECTION}\n"


@pytest.mark.parametrize("match", ["mean", "best"])
def test_for_programs(run, people, steep, match):
    assert run(f"enroll {people} {steep} --name anna 0.png").code == 0
    done = run(f"identify {people} {steep} 1.png 2.png --json --match {match}")
    found = json.loads(done.out)
    assert (found["match"], found["presentation_attack_detection"]) == (match, False)
    assert found["can_know_anybody"] is True
    one, two = found["images"]
    assert (one["image"], one["name"]) == ("1.png", "ben")
    assert (two["image"], two["name"]) == ("2.png", None)
    assert one["threshold"] == two["threshold"] == corrected_threshold(0.5, 3 if match == "best" else 2)
    assert [person["name"] for person in one["people"]] == ["ben", "anna"]
    assert one["people"][0]["probability"] > one["threshold"] > one["people"][1]["probability"] >= 0
    assert done.err == f"{NO_DETECTION}\n"


def test_too_many_people_for_the_model_are_reported(run, tmp_path):
    model = load_model("run/siamese.keras")
    model.head.bias.assign(0.5)  # the logit of a picture beside itself, below log(2)
    model.threshold = 0.5
    save_model(model, tmp_path / "flat.keras")
    gallery = f"{tmp_path / 'g'} --model {tmp_path / 'flat.keras'}"
    for name, picture in (("anna", 0), ("ben", 1)):
        assert run(f"enroll {gallery} --name {name} {picture}.png").code == 0
    done = run(f"identify {gallery} 1.png --json")
    assert done.code == 0
    assert json.loads(done.out)["can_know_anybody"] is False
    assert done.err == f"{CANNOT_MATCH.format(2)}\n{NO_DETECTION}\n"
    assert run(f"identify {gallery} 1.png").out.startswith("1.png: unknown")


def test_top_limits_the_people_listed(run, people, steep):
    lines = run(f"identify {people} {steep} 1.png --top 1").out.splitlines()
    assert len(lines) == 2
    assert run(f"identify {people} {steep} 1.png --top 0").code == 2


def test_nobody_is_known_to_an_empty_gallery(run, people, steep):
    for name in ("anna", "ben"):
        assert run(f"gallery remove {people} {name}").code == 0
    assert run(f"identify {people} {steep} 1.png").out == "1.png: unknown; the gallery is empty\n"
    (found,) = json.loads(run(f"identify {people} {steep} 1.png --json").out)["images"]
    assert found == {"image": "1.png", "name": None, "threshold": None, "people": []}


def test_images_that_cannot_be_read_are_listed_and_the_others_answered(run, people, steep):
    done = run(f"identify {people} {steep} gone.png 1.png run/record.json 0.png --top 1")
    assert done.code == 0
    heads = [line.split("  ")[0] for line in done.out.splitlines() if not line.startswith(" ")]
    assert heads == ["1.png: ben", "0.png: anna"]
    first, second, last = done.err.splitlines()
    assert first.startswith("unreadable: gone.png: must be an image file; got a path that does not exist")
    assert second.startswith("unreadable: run/record.json: ")
    assert last == NO_DETECTION
    images = json.loads(run(f"identify {people} {steep} gone.png 1.png run/record.json 0.png --json").out)["images"]
    assert [image["image"] for image in images] == ["gone.png", "1.png", "run/record.json", "0.png"]
    assert [image["name"] for image in images] == [None, "ben", None, "anna"]
    assert images[0].pop("error").startswith("gone.png: must be an image file; got a path that does not exist")
    assert images[0] == {"image": "gone.png", "name": None, "threshold": None, "people": []}
    assert "error" in images[2]
    assert "error" not in images[1] | images[3]


@pytest.mark.parametrize(("images", "words"), [("gone.png", ""), ("gone.png run/record.json", " None of the other")])
def test_where_no_image_can_be_read_there_is_no_answer(run, people, steep, images, words):
    done = run(f"identify {people} {steep} {images}")
    assert (done.code, done.out) == (2, "")
    assert "gone.png: must be an image file; got a path that does not exist" in done.err
    assert words in done.err


def test_another_models_gallery_is_refused(run, people):
    done = run(f"identify {people} --model run/siamese.keras 1.png")
    assert (done.code, done.out) == (2, "")
    assert "embeddings of two models cannot be compared" in done.err


def test_without_a_model_the_message_names_the_option(run, people):
    done = run(f"identify {people} 1.png")
    assert done.code == 2
    assert "Name the model with --model MODEL, or set SIAMESE_TF_MODEL" in done.err


def test_identify_answers_for_the_other_images(run, tmp_path, without_embedding):
    gallery = f"{tmp_path / 'people.gallery'} --model run/siamese.keras"
    assert run(f"enroll {gallery} --name anna 0.png").code == 0
    without_embedding("2.png")
    done = run(f"identify {gallery} 0.png 2.png 1.png")
    assert done.code == 0
    assert [line.split(":")[0] for line in done.out.splitlines() if not line.startswith(" ")] == ["0.png", "1.png"]
    assert done.err.splitlines()[0].startswith("unreadable: 2.png: its embedding is 0 or not finite")
