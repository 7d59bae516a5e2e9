"""Embedding a data set and drawing its map, with the model of the trained run."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from siamese_tf.data.images.decode import load_image
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, load_pair_file, save_pair_file
from siamese_tf.evaluation.embedding_report import embedding_lines, embedding_report, normalize_for_distance
from siamese_tf.evaluation.plots import embeddings as embedding_plot

pytestmark = pytest.mark.train

MODEL = "run/siamese.keras"
PLOT = f"plot embeddings {MODEL} --pairs dataset/digits/train_pairs.npz"


@pytest.fixture
def plotted(monkeypatch):
    """Collects what is drawn instead of drawing it; the map is made of the embeddings themselves."""
    drawn = []
    monkeypatch.setattr(embedding_plot, "tsne", lambda embeddings, seed: embeddings)
    monkeypatch.setattr(
        embedding_plot,
        "save_embedding_plot",
        lambda points, labels, names, path, **rest: drawn.append(
            {"points": points, "labels": labels, "names": names, "path": path, **rest}
        ),
    )
    return drawn


@pytest.fixture
def of_test(trained, monkeypatch):
    """Returns the test images of the run, their normalized embeddings and their labels."""
    monkeypatch.chdir(trained.folder)
    pairs = load_pair_file("dataset/digits/test_pairs.npz")
    positions = pairs.images_of(TEST)
    embeddings = normalize_for_distance(trained.model, trained.model.embed(pairs.images[positions]))
    return pairs.images[positions], embeddings, pairs.labels[positions]


def test_embed_writes_every_image_of_the_data_set(run, trained, tmp_path):
    done = run(f"embed {MODEL} --dataset digits --out {tmp_path / 'new' / 'digits.npz'}")
    assert done.code == 0
    assert done.out.splitlines()[-1] == f"wrote 1,797 embeddings of 8 numbers to {tmp_path / 'new' / 'digits.npz'}"
    with np.load(tmp_path / "new" / "digits.npz", allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["embeddings"], trained.model.embed(trained.digits))
        assert stored["class_names"].tolist() == list("0123456789")
        assert json.loads(str(stored["manifest"]))["model"] == {"objective": "bce", "dataset": "digits"}


def test_the_numbers_are_those_of_all_test_images(run, plotted, of_test, tmp_path):
    _, embeddings, labels = of_test
    done = run(f"{PLOT} --images 50 --out {tmp_path / 'map.png'}")
    report = embedding_report(embeddings, labels)
    assert report["images"] == len(labels) > 50
    assert done.code == 0
    first, *numbers, last = done.out.splitlines()
    assert first.startswith("using the pairs of dataset/digits/train_pairs.npz")
    assert numbers == embedding_lines(report)
    assert last == f"the map shows 50 test images: {tmp_path / 'map.png'}"


def test_the_map_shows_test_images_drawn_at_random(run, plotted, of_test):
    images, embeddings, labels = of_test
    for seed in ("0", "0", "1"):
        assert run(f"{PLOT} --images 50 --thumbnails --seed {seed}").code == 0
    drawn, again, other = plotted
    assert drawn["title"] == "digits, bce: 50 test images, where they do not overlap"
    assert (drawn["focus"], drawn["path"].name) == (None, "embeddings.png")
    assert drawn["names"] == list("0123456789")
    np.testing.assert_array_equal(drawn["points"], again["points"])
    assert not np.array_equal(drawn["points"], other["points"])
    assert len(np.unique(drawn["points"], axis=0)) == 50
    for point, label, image in zip(drawn["points"], drawn["labels"], drawn["images"], strict=True):
        (position,) = np.flatnonzero((embeddings == point).all(axis=1))
        assert labels[position] == label
        np.testing.assert_array_equal(images[position], image)


def test_without_a_limit_every_test_image_is_shown_as_a_dot(run, plotted, of_test):
    assert run(PLOT).code == 0
    assert plotted[0]["images"] is None
    assert sorted(plotted[0]["labels"]) == sorted(of_test[2])


def test_one_vs_rest_shows_one_class(run, plotted, of_test):
    _, embeddings, labels = of_test
    done = run(f"{PLOT} --one-vs-rest 7 --json")
    assert json.loads(done.out) == embedding_report(embeddings, labels)  # the rest are not of one class
    assert "using the pairs" in done.err
    assert plotted[0]["focus"] == 7
    assert plotted[0]["title"] == f"digits, bce: 7 against the rest, {len(labels)} test images"


def test_only_images_of_test_pairs_are_used(run, plotted, tmp_path):
    both = load_pair_file("dataset/digits/test_pairs.npz")
    split = np.where(np.arange(len(both.split)) < len(both.split) - 40, TRAIN, TEST).astype(np.uint8)
    save_pair_file(tmp_path / "both.npz", replace(both, split=split))
    done = run(f"plot embeddings {MODEL} --pairs {tmp_path / 'both.npz'} --json")
    wanted = np.unique([both.img1[-40:], both.img2[-40:]])
    assert json.loads(done.out)["images"] == len(wanted) < 80
    assert sorted(plotted[0]["labels"]) == sorted(both.labels[wanted])


def test_the_picture_and_the_projector_are_written(run, tmp_path):
    done = run(f"{PLOT} --images 30 --out {tmp_path / 'map.png'} --projector {tmp_path / 'projector'}")
    assert done.code == 0
    assert imread(tmp_path / "map.png").shape[1] == 1012
    written = sorted(path.name for path in (tmp_path / "projector").iterdir())
    assert written == ["metadata.tsv", "projector_config.pbtxt", "sprite.png", "tensors.tsv"]
    assert len((tmp_path / "projector" / "metadata.tsv").read_text().splitlines()) == 30


def test_a_folder_of_people_is_embedded_in_the_models_form(of_people, run, monkeypatch, tmp_path):
    monkeypatch.chdir(of_people.folder)
    done = run(f"embed {MODEL} --dataset people --out {tmp_path / 'people.npz'}")
    assert done.code == 0
    assert done.out.splitlines()[0].endswith("28 gray images of 8x8 in 7 classes; 28 had another size (crop)")
    files = sorted(of_people.folder.glob("people/*/*.png"))
    with np.load(tmp_path / "people.npz", allow_pickle=False) as stored:
        np.testing.assert_allclose(stored["embeddings"], of_people.model.embed(files), atol=1e-6)
        assert [stored["class_names"][label] for label in stored["labels"]] == [file.parent.name for file in files]


def test_files_that_are_left_out_are_reported(of_people, run, monkeypatch, tmp_path):
    shutil.copytree(of_people.folder / "people", tmp_path / "people")
    (tmp_path / "people" / "p0" / "bad.png").write_text("text")
    (tmp_path / "people" / "top.png").write_text("text")
    monkeypatch.chdir(of_people.folder)
    done = run(f"embed {MODEL} --dataset {tmp_path / 'people'} --out {tmp_path / 'people.npz'}")
    assert done.out.splitlines()[1].startswith("could not be read: p0/bad.png: ")
    assert done.err.startswith("warning: image files that are not directly in a class folder are ignored: 1 (")


def test_the_people_of_the_test_are_drawn(of_people, run, plotted, monkeypatch):
    monkeypatch.chdir(of_people.folder)
    done = run(f"plot embeddings {MODEL} --dataset people --thumbnails")
    assert done.code == 0
    assert "8 images of 2 classes" in done.out  # four each of two people
    drawn = plotted[0]
    names = {drawn["names"][label] for label in drawn["labels"]}
    brought = {
        load_image(file, 8, 8, 1, "crop").tobytes() for name in names for file in Path("people", name).glob("*.png")
    }
    assert {image.tobytes() for image in drawn["images"]} == brought


def test_a_list_of_folds_is_drawn_in_the_models_form(of_people, run, plotted, monkeypatch):
    """The last fold, with p4 and p5, is the test split."""
    monkeypatch.chdir(of_people.folder)
    folds = [f"{one} 1 2\n{one} 3 {two} 1" for one, two in (("p0", "p1"), ("p2", "p3"), ("p4", "p5"))]
    Path("people/drawn.txt").write_text("\n".join(["3 1", *folds]))
    done = run(f"plot embeddings {MODEL} --pairs people/drawn.txt --json")
    assert done.code == 0
    assert json.loads(done.out)["images"] == 4
    files = [f"people/p4/p4_000{k}.png" for k in (1, 2, 3)] + ["people/p5/p5_0001.png"]
    expected = normalize_for_distance(of_people.model, of_people.model.embed(files))
    np.testing.assert_allclose(np.sort(plotted[0]["points"], axis=0), np.sort(expected, axis=0), atol=1e-6)


def test_a_file_without_class_names_is_drawn_with_numbers(run, plotted, tmp_path):
    pairs = load_pair_file("dataset/digits/test_pairs.npz")
    save_pair_file(tmp_path / "bare.npz", replace(pairs, manifest={"class_names": "no list"}))
    assert run(f"plot embeddings {MODEL} --pairs {tmp_path / 'bare.npz'} --one-vs-rest 7").code == 0
    assert (plotted[0]["names"], plotted[0]["focus"]) == ([], 7)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"plot embeddings {MODEL}", "got neither"),
        (f"{PLOT} --dataset digits", "got both"),
        (f"{PLOT} --images 0", "images must be an integer from 1 to 4,294,967,295; got 0"),
        (f"{PLOT} --seed -1", "seed must be an integer from 0 to 4,294,967,295; got -1"),
        (f"{PLOT} --one-vs-rest zebra", "one of 0, 1, 2.*got 'zebra'"),
        (f"plot embeddings {MODEL} --pairs train_alone.npz", "must have test pairs; got none"),
        (f"plot embeddings {MODEL} --pairs unlabeled.npz", "unlabeled.npz must have labels"),
        (f"plot embeddings {MODEL} --pairs without_seven.npz --one-vs-rest 7", "no test image is of class 7"),
        (f"plot embeddings {MODEL} --pairs wide.npz", r"\(8, 8, 1\)"),
        (f"embed {MODEL} --dataset zebra --out x.npz", "zebra"),
    ],
)
def test_errors_are_one_message(run, plotted, trained, line, message):
    made = {
        "train_alone.npz": lambda pairs: replace(pairs, split=np.zeros_like(pairs.split)),
        "unlabeled.npz": lambda pairs: replace(pairs, labels=None),
        "without_seven.npz": _without_seven,
        "wide.npz": lambda pairs: replace(pairs, images=np.repeat(pairs.images, 2, axis=2)),
    }
    for name, make in made.items():
        if name in line:
            save_pair_file(trained.folder / name, make(load_pair_file("dataset/digits/test_pairs.npz")))
    done = run(line)
    assert done.code == 2
    *warnings, error = done.err.strip().splitlines()
    assert all(line.startswith("warning: These pairs leak") for line in warnings)
    assert error.startswith("error: ")
    assert re.search(message, error)
    assert not plotted


def _without_seven(pairs):
    """Returns pairs with sevens in the training split only."""
    sevens = (pairs.labels[pairs.img1] == 7) | (pairs.labels[pairs.img2] == 7)
    return replace(pairs, split=np.where(sevens, TRAIN, TEST).astype(np.uint8))
