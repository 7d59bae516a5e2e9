import os
import shutil
import stat
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.pairs import draw_parts, generate
from siamese_tf.data.pairs.audit import audit_pairs
from siamese_tf.data.pairs.draw_parts import default_count
from siamese_tf.data.pairs.generate import build_pairs, generate_pair_files, pairs_of_split
from siamese_tf.data.pairs.npz import check_size
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, load_pair_file
from siamese_tf.data.pairs.pair_lists import csv_pairs
from siamese_tf.data.sampling.draw_pairs import make_pairs
from siamese_tf.data.sampling.split import ImageSplit, split_images
from siamese_tf.data.sources.load import load_source
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import ConfigError, DatasetError, PairFileError
from siamese_tf.version import __version__

UNASKED = {"train": None, "validation": None, "test": None}


def drawn_source(training: int = 240, test: int = 80, classes: int = 8) -> Source:
    """Noise, no two images alike but for four twins: two of training image 0 in training, two of it in the test."""
    images = np.random.default_rng(0).integers(0, 256, (training + test, 4, 4, 1), np.uint8)
    images[[classes, 2 * classes, training, training + 1]] = images[0]
    return Source(
        name="drawn",
        images=images,
        labels=np.arange(training + test) % classes,
        is_test=np.arange(training + test) >= training,
        class_names=tuple(f"class {k}" for k in range(classes)),
        origin="drawn in the test",
        files={"images": "12ab"},
        note="Using drawn.",
    )


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return generate_pair_files("digits", out=tmp_path_factory.mktemp("dataset"))


def test_digits_by_default(digits):
    train, test = load_pair_file(digits.train_path), load_pair_file(digits.test_path)
    assert digits.train_path.parts[-2:] == ("digits", "train_pairs.npz")
    assert digits.test_path.parts[-2:] == ("digits", "test_pairs.npz")
    assert set(train.split.tolist()) == {TRAIN, VALIDATION}
    assert set(test.split.tolist()) == {TEST}
    assert abs(len(test.images) - 1797 / 4) < 1
    assert len(train.images) + len(test.images) == 1797
    assert len(test.img1) == 4490  # ten for each of 449 images
    for pairs in (train, test):
        assert pairs.similarity.sum() * 2 == len(pairs.similarity)


def test_no_image_stands_on_two_sides(digits):
    audit = audit_pairs([load_pair_file(digits.train_path), load_pair_file(digits.test_path)])
    assert audit.overlap == {"train-validation": 0, "train-test": 0, "validation-test": 0}
    assert audit.leaks == audit.contradictions == audit.shared_between_files == 0
    assert audit == digits.audit


def test_the_images_and_labels_are_those_of_the_source(digits):
    source = load_source("digits")
    class_of = {image.tobytes(): label for image, label in zip(source.images, source.labels.tolist(), strict=True)}
    for path in (digits.train_path, digits.test_path):
        pairs = load_pair_file(path)
        assert [class_of[image.tobytes()] for image in pairs.images] == pairs.labels.tolist()


def test_same_seed_same_bytes(digits, tmp_path):
    again = generate_pair_files("digits", out=tmp_path / "again")
    other = generate_pair_files("digits", out=tmp_path / "other", seed=1)
    assert again.train_path.read_bytes() == digits.train_path.read_bytes()
    assert again.test_path.read_bytes() == digits.test_path.read_bytes()
    assert other.train_path.read_bytes() != digits.train_path.read_bytes()


def test_the_manifest_says_where_the_pairs_came_from(digits):
    manifest = load_pair_file(digits.test_path).manifest
    source = load_source("digits")
    assert manifest["format"] == 1
    assert manifest["version"] == __version__
    assert (manifest["source"], manifest["seed"], manifest["split"]) == ("digits", 0, "image")
    assert manifest["files"] == source.files
    assert manifest["class_names"] == list("0123456789")
    assert manifest["pairs"]["test"] == 4490
    assert sum(manifest["images"].values()) == 1797
    assert manifest["duplicates"] == {"test_twins": 0, "copies": 0, "contradicting": 0}
    assert manifest["audit"]["leaks"] == 0
    assert manifest["audit"]["parts"]["validation"]["pairs"] == manifest["pairs"]["validation"]


def test_lines_for_people(digits):
    lines = digits.lines()
    assert lines[1] == "byte-identical images left out: test twins 0, copies 0, contradicting 0"
    assert "no leaks" in lines
    assert lines[-1] == f"wrote {digits.test_path}"


def test_the_count_of_one_part_changes_no_other():
    source = drawn_source()
    few = build_pairs(source, {"train": 100, "validation": 40, "test": 60}, "image", seed=5)
    more = build_pairs(source, {"train": 300, "validation": 40, "test": 60}, "image", seed=5)
    assert [len(file.img1) for file in few] == [140, 60]
    assert [len(file.img1) for file in more] == [340, 60]
    for part, file in ((VALIDATION, 0), (TEST, 1)):
        a, b = few[file], more[file]
        assert np.array_equal(a.img1[a.rows(part)], b.img1[b.rows(part)])
        assert np.array_equal(a.img2[a.rows(part)], b.img2[b.rows(part)])


def test_the_three_parts_have_streams_of_their_own(monkeypatch):
    streams = []

    def spy(labels, count, seed, **groups):
        streams.append(np.random.default_rng(seed).integers(0, 2**32, 4).tolist())
        return make_pairs(labels, count, seed, **groups)

    monkeypatch.setattr(draw_parts, "make_pairs", spy)
    build_pairs(drawn_source(), UNASKED, "image", seed=0)
    assert len(streams) == 3
    assert streams[0] != streams[1] != streams[2] != streams[0]


def test_twins_are_left_out_and_counted():
    source = drawn_source()
    train, test = build_pairs(source, UNASKED, "image", seed=0)
    assert train.manifest["duplicates"] == {"test_twins": 2, "copies": 2, "contradicting": 0}
    assert (len(train.images), len(test.images)) == (238, 78)
    assert not any(np.array_equal(image, source.images[0]) for image in test.images)


def test_test_images_come_from_the_official_test_part_only():
    source = drawn_source()
    official = {image.tobytes() for image in source.images[source.is_test]}
    for mode in ("image", "class"):
        train, test = build_pairs(source, UNASKED, mode, seed=0)
        assert all(image.tobytes() in official for image in test.images)
        assert not any(image.tobytes() in official - {source.images[0].tobytes()} for image in train.images)


def test_by_class_no_class_stands_on_two_sides():
    train, test = build_pairs(drawn_source(), UNASKED, "class", seed=2)
    sides = [
        set(file.labels[np.concatenate([file.img1[file.rows(part)], file.img2[file.rows(part)]])].tolist())
        for file, part in ((train, TRAIN), (train, VALIDATION), (test, TEST))
    ]
    assert [len(side) for side in sides] == [4, 2, 2]
    assert set.union(*sides) == set(range(8))
    assert train.manifest["split"] == "class"


def test_pairs_of_a_split_are_of_its_parts_and_of_all_of_them():
    source = drawn_source()
    parts = np.split(np.arange(20, 140), [70, 95])  # without the twins
    train, test = pairs_of_split(source, ImageSplit(*parts, duplicates={"copies": 7}), "by hand", seed=3)
    assert audit_pairs([train, test]).leaks == audit_pairs([train, test]).contradictions == 0
    for file, part, positions in ((train, TRAIN, parts[0]), (train, VALIDATION, parts[1]), (test, TEST, parts[2])):
        expected = {image.tobytes() for image in source.images[positions]}
        assert {image.tobytes() for image in file.images[file.images_of(part)]} <= expected
        count = default_count(source.labels[positions], 50_000)
        assert (len(file.rows(part)), file.similarity[file.rows(part)].sum()) == (count, count // 2)
    np.testing.assert_array_equal(train.images, source.images[20:115])
    np.testing.assert_array_equal(test.labels, source.labels[115:140])
    manifest = train.manifest
    assert (manifest["split"], manifest["seed"], manifest["duplicates"]) == ("by hand", 3, {"copies": 7})
    assert manifest["images"] == {"train": 70, "validation": 25, "test": 25}


@pytest.mark.parametrize("mode", ["image", "class"])
def test_pairs_of_the_split_that_would_be_made_are_those_that_would_be_made(mode):
    source = drawn_source()
    split_seed = np.random.SeedSequence(5).spawn(4)[0]
    made = pairs_of_split(source, split_images(source, mode, split_seed), mode, seed=5)
    for file, built in zip(made, build_pairs(source, UNASKED, mode, seed=5), strict=True):
        for name in ("images", "labels", "img1", "img2", "similarity", "split"):
            np.testing.assert_array_equal(getattr(file, name), getattr(built, name))
        assert file.manifest == built.manifest


def test_the_seed_draws_other_pairs_of_the_same_split():
    source = drawn_source()
    split = split_images(source)
    one, same, other = (pairs_of_split(source, split, "image", seed)[1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.img1, same.img1)
    assert not np.array_equal(one.img1, other.img1)
    np.testing.assert_array_equal(one.images, other.images)
    with pytest.raises(ConfigError, match="seed must be 0 or more; got -1"):
        pairs_of_split(source, split, "image", -1)


def test_a_part_of_a_split_without_pairs_is_refused():
    parts = np.arange(24), np.arange(24, 26), np.arange(26, 46)
    with pytest.raises(DatasetError, match="drawn, validation split: .*got 2 images with 0 similar and 1 dissimilar"):
        pairs_of_split(drawn_source(), ImageSplit(*parts, duplicates={}), "class", seed=0)


def test_a_count_beyond_what_exists_is_refused_with_part_and_maximum():
    with pytest.raises(DatasetError, match=r"drawn, test split: .* must be from 2 to \d+; got 9999 for"):
        build_pairs(drawn_source(), UNASKED | {"test": 9999}, "image", seed=0)


def test_a_part_too_small_for_pairs_is_refused():
    with pytest.raises(DatasetError, match="drawn, test split: .*got 4 images with 0 similar"):
        build_pairs(drawn_source(training=48, test=6), UNASKED, "image", seed=0)
    with pytest.raises(DatasetError, match="drawn: the images for 2 splits must be at least 6"):
        build_pairs(drawn_source(training=8, test=80, classes=7), UNASKED, "image", seed=0)


@pytest.mark.parametrize(
    ("wrong", "finding"), [({"split": "person"}, "got 'person'"), ({"seed": -1}, "seed must be .*; got -1")]
)
def test_wrong_settings_are_refused_and_nothing_is_written(tmp_path, wrong, finding):
    with pytest.raises(ConfigError, match=finding):
        generate_pair_files("digits", out=tmp_path, **wrong)
    assert not list(tmp_path.iterdir())


def test_a_leak_of_our_own_is_never_written(tmp_path, monkeypatch):
    def leaking(labels, count, seed, groups):
        return np.zeros(2, np.int32), np.array([0, 1], np.int32), np.array([1, labels[0] == labels[1]], np.uint8)

    monkeypatch.setattr(draw_parts, "make_pairs", leaking)
    with pytest.raises(RuntimeError, match=r"These pairs leak(.|\n)*images paired with themselves: 3"):
        generate_pair_files("digits", out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_tensorflow_is_imported():
    code = "import sys, siamese_tf.data.pairs.generate; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.fixture
def people(tmp_path, monkeypatch):
    """Seven people, three pictures of each, and one of an eighth."""
    monkeypatch.setenv("SIAMESE_TF_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for person in range(8):
        (tmp_path / "people" / f"p{person}").mkdir(parents=True)
        for k in range(3 if person < 7 else 1):
            Image.fromarray(rng.integers(0, 256, (6, 5), np.uint8)).save(tmp_path / f"people/p{person}/{k}.png")
    return tmp_path / "people"


def test_a_folder_of_image_files(people, tmp_path):
    (people / "p0" / "3.png").write_text("text")
    made = generate_pair_files(str(people), out=tmp_path / "out")
    assert made.csv_path == tmp_path / "out" / "people" / "pairs.csv"
    assert made.lines()[-2] == f"wrote {made.csv_path}"
    assert made.lines()[-1].startswith("could not be read: p0/3.png: must be one of PNG, JPEG")
    assert made.note.endswith("; 1 could not be read; split by class")
    manifest = load_pair_file(made.test_path).manifest
    assert manifest["split"] == "class"
    assert manifest["form"] == {"size": [6, 5], "color": "grey", "resize": "pad"}
    assert manifest["unreadable"] == 1
    again = generate_pair_files(str(people), out=tmp_path / "again")
    for name in ("train_path", "test_path", "csv_path"):
        assert getattr(again, name).read_bytes() == getattr(made, name).read_bytes()


@pytest.mark.parametrize(("mode", "expected"), [(0o700, 0o600), (0o755, 0o644)])
def test_what_is_made_of_a_private_folder_is_private(people, tmp_path, mode, expected):
    people.chmod(mode)
    before = os.umask(0o022)
    made = generate_pair_files(str(people), out=tmp_path / "out")
    os.umask(before)
    for path in (made.train_path, made.test_path, made.csv_path):
        assert stat.S_IMODE(path.stat().st_mode) == expected
    assert load_pair_file(made.train_path).private is (mode == 0o700)
    made.csv_path.chmod(0o644)
    assert csv_pairs(made.csv_path, ImageFormat()).private is (mode == 0o700)  # the folders of the people are open
    (people / "p0").chmod(0o700)
    assert csv_pairs(made.csv_path, ImageFormat()).private is True


def test_the_list_says_what_the_files_hold(people, tmp_path):
    made = generate_pair_files(str(people), out=tmp_path / "out", image_format=ImageFormat((4, 4), "rgb", "crop"))
    files = [load_pair_file(made.train_path), load_pair_file(made.test_path)]
    listed = csv_pairs(made.csv_path, ImageFormat((4, 4), "rgb", "crop"))
    assert listed.split.tolist() == [part for file in files for part in file.split.tolist()]
    assert listed.similarity.tolist() == [same for file in files for same in file.similarity.tolist()]
    for side in ("img1", "img2"):
        images = np.concatenate([file.images[getattr(file, side)] for file in files])
        np.testing.assert_array_equal(listed.images[getattr(listed, side)], images)
    for row in made.csv_path.read_text().splitlines()[1:]:
        one, two, similarity, _ = row.split(",")
        assert (one.split("/")[-2] == two.split("/")[-2]) == (similarity == "1")
        assert (made.csv_path.parent / one).is_file()


def test_two_classes_are_split_by_image_and_it_is_said(people, tmp_path):
    for person in range(2, 8):
        shutil.rmtree(people / f"p{person}")
    rng = np.random.default_rng(1)
    for person in range(2):
        for k in range(3, 20):
            Image.fromarray(rng.integers(0, 256, (6, 5), np.uint8)).save(people / f"p{person}" / f"{k}.png")
    made = generate_pair_files(str(people), out=tmp_path / "out")
    assert made.note.endswith("; split by image, too few classes for a split by class")
    assert load_pair_file(made.test_path).manifest["split"] == "image"
    with pytest.raises(DatasetError, match="people must have at least 6 classes .*; got 2 classes"):
        generate_pair_files(str(people), out=tmp_path / "other", split="class")


def test_where_the_list_cannot_be_written_nothing_is(people, tmp_path):
    (tmp_path / "out" / "people" / "pairs.csv").mkdir(parents=True)
    with pytest.raises(OSError, match=r"pairs\.csv"):
        generate_pair_files(str(people), out=tmp_path / "out")
    assert [path.name for path in (tmp_path / "out" / "people").iterdir()] == ["pairs.csv"]


@pytest.mark.parametrize("large", ["train_pairs.npz", "test_pairs.npz"])
def test_where_a_file_would_be_too_large_nothing_is_written(people, tmp_path, monkeypatch, large):
    def most_bytes_of_one(arrays, name):
        with monkeypatch.context() as patch:
            patch.setattr("siamese_tf.data.pairs.npz.MAX_BYTES", 1000 if name.endswith(large) else 10**6)
            check_size(arrays, name)

    monkeypatch.setattr(generate, "check_size", most_bytes_of_one)
    with pytest.raises(PairFileError, match=f"people/{large} must be at most 1,000 bytes to be loaded; got "):
        generate_pair_files(str(people), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_with_a_split_is_split_as_given_and_takes_no_other(people, tmp_path):
    for part, names in (("train", (0, 1, 7)), ("val", (2, 3)), ("test", (4, 5, 6))):
        (people / part).mkdir()
        for name in names:
            (people / f"p{name}").rename(people / part / f"p{name}")
    made = generate_pair_files(str(people), out=tmp_path / "out")
    assert made.note.endswith("in 8 classes (train 7, validation 6, test 9); split as given")
    train, test = load_pair_file(made.train_path), load_pair_file(made.test_path)
    assert np.unique(train.labels[train.images_of(TRAIN)]).tolist() == [0, 1, 7]
    assert np.unique(train.labels[train.images_of(VALIDATION)]).tolist() == [2, 3]
    assert np.unique(test.labels).tolist() == [4, 5, 6]
    assert train.manifest["duplicates"] == {"test_twins": 0, "validation_copies": 0, "copies": 0, "contradicting": 0}
    assert "train/p0/0.png" in made.csv_path.read_text()
    with pytest.raises(ConfigError, match="split must be omitted for .*people, whose folders define the split"):
        generate_pair_files(str(people), out=tmp_path / "other", split="class")
    assert not (tmp_path / "other").exists()


def test_pairs_of_two_folders_of_one_name_do_not_replace_each_other(people, tmp_path):
    shutil.copytree(people, tmp_path / "other" / "people")
    (tmp_path / "other" / "people" / "p0" / "0.png").unlink()
    made = [
        generate_pair_files(str(folder), out=tmp_path / "out") for folder in (people, tmp_path / "other" / "people")
    ]
    assert made[0].train_path.parent == tmp_path / "out" / "people"
    assert made[1].train_path.parent == made[1].csv_path.parent != made[0].train_path.parent
    assert made[1].lines()[-1] == f"wrote {made[1].csv_path}"
    assert f"; {tmp_path / 'out' / 'people'} holds pairs of other images" in made[1].note


def test_warnings_of_the_folder_and_of_the_parts(people, tmp_path):
    (people / "p0" / "deep").mkdir()
    (people / "p0" / "0.png").rename(people / "p0" / "deep" / "0.png")
    made = generate_pair_files(str(people), out=tmp_path / "out")
    assert len(made.warnings) == 2
    assert made.warnings[0].startswith("image files that are not directly in a class folder are ignored: 1 (p0/")
    assert made.warnings[1].startswith("validation has 8 pairs; a threshold chosen on fewer than 20 is unreliable")


def test_a_folder_of_images_does_not_replace_a_known_data_set(people, tmp_path):
    folder = people.rename(people.with_name("mnist"))
    with pytest.raises(DatasetError, match="must differ from the known data sets, .*; got mnist. Rename the folder"):
        generate_pair_files(str(folder), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_form_for_digits_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="got digits"):
        generate_pair_files("digits", out=tmp_path, image_format=ImageFormat((9, 9)))
