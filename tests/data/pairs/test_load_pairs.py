import re
import shlex
import struct
import threading
import time
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from omniglot_zips import small_omniglot
from PIL import Image

from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.pairs import load_pairs as opening
from siamese_tf.data.pairs.generate import generate_pair_files
from siamese_tf.data.pairs.load_pairs import load_pairs
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset, load_pair_file, save_pair_file
from siamese_tf.data.sources import published as known
from siamese_tf.errors import ConfigError, DatasetError, PairFileError


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty working folder on a machine that holds no data set and has no network."""

    def no_network(url, timeout):
        raise URLError("no network in this test")

    monkeypatch.delenv("SIAMESE_TF_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(known, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setattr("siamese_tf.data.sources.download.urlopen", no_network)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def idx_folder(folder, seed=0):
    """Forty 3x3 images of two classes, half of them for the test, as four IDX files."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for part in ("train", "t10k"):
        for kind, values in (
            ("images-idx3", rng.integers(0, 256, (20, 3, 3), np.uint8)),
            ("labels-idx1", np.arange(20, dtype=np.uint8) % 2),
        ):
            header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
            (folder / f"{part}-{kind}-ubyte").write_bytes(header + values.tobytes())
    return str(folder)


def pair_file(*splits, size=(2, 2, 1), manifest=None):
    """Four images of two classes, and one pair for each split given."""
    return PairDataset(
        images=np.arange(4 * np.prod(size), dtype=np.uint8).reshape(4, *size),
        labels=np.array([0, 0, 1, 1]),
        img1=np.zeros(len(splits), np.int32),
        img2=np.ones(len(splits), np.int32),
        similarity=np.ones(len(splits), np.uint8),
        split=np.array(splits, np.uint8),
        manifest=manifest or {},
    )


def saved(path, *splits, **kwargs):
    save_pair_file(path, pair_file(*splits, **kwargs))
    return path


def test_pairs_are_made_when_they_are_not_there(place):
    opened = load_pairs("digits")
    assert opened.dataset == "digits"
    assert "using digits from scikit-learn" in opened.note
    assert "dataset/digits (made now)" in opened.note
    assert opened.train.path == place.joinpath("dataset/digits/train_pairs.npz").relative_to(place)
    assert len(opened.train.rows(TRAIN)) > 1000
    assert len(opened.train.rows(VALIDATION)) > 100
    assert opened.test is not None
    assert len(opened.test.rows(TEST)) > 1000
    assert not len(opened.train.rows(TEST))


def test_pairs_are_found_where_they_are(place):
    folder = idx_folder(place / "symbols")
    generate_pair_files(folder, out=place / "elsewhere", train_pairs=6, validation_pairs=2, test_pairs=4, seed=3)
    before = {path: path.read_bytes() for path in place.joinpath("elsewhere/symbols").iterdir()}
    opened = load_pairs(folder, folder=place / "elsewhere")
    assert f"{place / 'elsewhere' / 'symbols'} (found there)" in opened.note
    assert opened.train.manifest["seed"] == 3
    assert (len(opened.train.rows(TRAIN)), len(opened.train.rows(VALIDATION))) == (6, 2)
    assert opened.test is not None
    assert len(opened.test.rows(TEST)) == 4
    assert {path: path.read_bytes() for path in place.joinpath("elsewhere/symbols").iterdir()} == before


def test_auto_is_digits_where_mnist_cannot_be_had(place):
    folder = place / "dataset"
    generate_pair_files("digits", out=folder, train_pairs=20, validation_pairs=10, test_pairs=10)
    opened = load_pairs("auto")
    assert opened.dataset == "digits"
    assert opened.note.startswith("auto: using digits from scikit-learn")
    assert "because mnist was not" in opened.note
    assert "\n" not in opened.note
    with pytest.raises(DatasetError, match="mnist was not found"):
        load_pairs("mnist")


@pytest.mark.parametrize("missing", ["train_pairs.npz", "test_pairs.npz"])
def test_one_of_the_two_files_alone_is_refused(place, missing):
    folder = idx_folder(place / "symbols")
    load_pairs(folder)
    (place / "dataset" / "symbols" / missing).unlink()
    with pytest.raises(
        PairFileError, match=f"must contain both .*; got only one.*siamese-tf pairs generate --dataset {folder}"
    ):
        load_pairs(folder)
    assert not (place / "dataset" / "symbols" / missing).exists()


def test_what_is_to_be_typed_names_a_folder_with_a_space(place):
    folder = idx_folder(place / "it's mine" / "my symbols")
    load_pairs(folder)
    (place / "dataset" / "my symbols" / "test_pairs.npz").unlink()
    with pytest.raises(PairFileError, match="must contain both") as half:
        load_pairs(folder)
    assert shlex.split(str(half.value).split(" again: ")[1])[:5] == [
        "siamese-tf",
        "pairs",
        "generate",
        "--dataset",
        folder,
    ]


def test_two_folders_of_one_name_have_pairs_of_their_own(place):
    one, two = (idx_folder(place / name / "symbols", seed) for seed, name in enumerate(("one", "two")))
    first, second = load_pairs(one), load_pairs(two)
    assert first.train.path.parent == place.joinpath("dataset/symbols").relative_to(place)
    assert re.fullmatch("symbols-[0-9a-f]{6}", second.train.path.parent.name)
    assert "(made now; dataset/symbols holds pairs of other images or another image format)" in second.note
    for folder, made in ((one, first), (two, second)):
        again = load_pairs(folder)
        assert "(found there" in again.note
        assert (again.train.path, again.train.sha256) == (made.train.path, made.train.sha256)
    assert first.dataset == second.dataset == "symbols"


def test_a_folder_of_idx_files_named_as_a_known_data_set_does_not_replace_it(place):
    manifest = {"source": "mnist", "files": dict(known.PUBLISHED["mnist"].sha256)}
    saved(place / "dataset" / "mnist" / "train_pairs.npz", TRAIN, VALIDATION, manifest=manifest)
    saved(place / "dataset" / "mnist" / "test_pairs.npz", TEST, manifest=manifest)
    opened = load_pairs(idx_folder(place / "own" / "mnist"))
    assert opened.train.path.parent.name.startswith("mnist-")
    assert load_pairs("mnist").train.manifest == manifest
    assert generate_pair_files(str(place / "own" / "mnist")).train_path == opened.train.path


def test_pairs_put_there_by_hand_need_not_say_what_they_were_made_from(place):
    folder = idx_folder(place / "symbols")
    made = load_pairs(folder)
    for file in (made.train, made.test):
        save_pair_file(file.path, replace(file, manifest={}))
    assert load_pairs(folder).train.manifest == {}


def test_test_rows_inside_the_file(place):
    saved(place / "test_pairs.npz", TEST)
    opened = load_pairs("never looked at", pairs=saved(place / "my.npz", TRAIN, VALIDATION, TEST))
    assert opened.test is opened.train
    assert f"the pairs of {place / 'my.npz'}" in opened.note


def test_test_rows_in_the_file_beside_it(place):
    saved(place / "test_pairs.npz", TEST, TEST)
    opened = load_pairs("auto", pairs=str(saved(place / "my.npz", TRAIN, VALIDATION)))
    assert opened.test is not None
    assert opened.test.path == place / "test_pairs.npz"


def test_no_test_rows_anywhere(place):
    assert load_pairs("auto", pairs=saved(place / "my.npz", TRAIN, VALIDATION)).test is None
    assert load_pairs("auto", pairs=saved(place / "test_pairs.npz", TRAIN)).test is None


def test_a_test_file_beside_it_that_was_made_from_other_images_is_refused(place):
    saved(place / "test_pairs.npz", TEST, manifest={"files": {"images": "ab"}})
    path = saved(place / "my.npz", TRAIN, manifest={"files": {"images": "cd"}})
    with pytest.raises(
        PairFileError, match="in the same folder; got .* Generate both again with siamese-tf pairs generate"
    ):
        load_pairs("auto", pairs=path)


def test_two_first_runs_share_the_pairs_that_the_first_one_makes(place, monkeypatch, capsys):
    folder = idx_folder(place / "shapes")
    made, opened = [], []

    def slowly(*arguments, **options):
        made.append(threading.get_ident())
        while "waiting" not in capsys.readouterr().err:
            time.sleep(0.01)
        return make(*arguments, **options)

    make = opening.generate_pair_files
    monkeypatch.setattr(opening, "generate_pair_files", slowly)
    threads = [threading.Thread(target=lambda: opened.append(load_pairs(folder, folder=place))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert sorted(one.note.rsplit("pairs in ")[1].split("(")[1].split(")")[0] for one in opened) == [
        "found there",
        "made now",
    ]
    assert sorted(path.name for path in (place / "shapes").iterdir() if path.suffix == ".npz") == [
        "test_pairs.npz",
        "train_pairs.npz",
    ]
    assert not (place / "shapes" / ".lock").exists()


def test_an_explicit_test_file_goes_before_all_others(place):
    saved(place / "test_pairs.npz", TEST)
    explicit = saved(place / "explicit.npz", TEST, TRAIN)
    opened = load_pairs("auto", pairs=saved(place / "my.npz", TRAIN, TEST), test_pairs=explicit)
    assert opened.test is not None
    assert opened.test.path == explicit
    folder = idx_folder(place / "symbols")
    assert load_pairs(folder, test_pairs=saved(place / "small.npz", TEST, size=(3, 3, 1))).test.path.name == "small.npz"


def test_an_explicit_test_file_without_test_rows_is_refused(place):
    with pytest.raises(PairFileError, match=r"explicit\.npz must have test pairs \(split 2\); got none"):
        load_pairs("auto", pairs=saved(place / "my.npz", TRAIN), test_pairs=saved(place / "explicit.npz", TRAIN))


@pytest.mark.parametrize("size", [(2, 3, 1), (3, 2, 1), (2, 2, 3)])
def test_test_images_of_another_size_are_refused(place, size):
    saved(place / "test_pairs.npz", TEST, size=size)
    with pytest.raises(PairFileError) as caught:
        load_pairs("auto", pairs=saved(place / "my.npz", TRAIN))
    assert f"as those of {place / 'my.npz'}, (2, 2, 1); got {size}" in str(caught.value)
    assert "--test-pairs" in str(caught.value)


@pytest.mark.parametrize("argument", ["pairs", "test_pairs"])
def test_a_missing_file_is_refused(place, argument):
    there = saved(place / "my.npz", TRAIN)
    with pytest.raises(PairFileError, match=r"cannot read the pair file nowhere\.npz"):
        load_pairs("auto", **{"pairs": there, argument: "nowhere.npz"})


def test_the_name_is_what_the_manifest_says(place):
    assert (
        load_pairs("auto", pairs=saved(place / "my.npz", TRAIN, manifest={"source": "cats 2.0"})).dataset == "cats 2.0"
    )


@pytest.mark.parametrize("source", ["../../elsewhere", "/etc", "a/b", "..", ".", "", "a\nb", "a\0b", ["a/b"]])
def test_the_name_can_only_be_a_folder_below(place, source):
    """It becomes a folder, `runs/<dataset>/...`: a file that came from anywhere must not choose another one."""
    assert load_pairs("auto", pairs=saved(place / "my.npz", TRAIN, manifest={"source": source})).dataset == "my"


def test_what_is_opened_is_what_was_saved(place):
    path = saved(place / "my.npz", TRAIN, VALIDATION)
    opened, loaded = load_pairs("auto", pairs=path).train, load_pair_file(path)
    np.testing.assert_array_equal(opened.images, loaded.images)
    assert opened.sha256 == loaded.sha256


@pytest.mark.parametrize("asked", ["mnist", "auto"])
def test_pair_files_of_a_known_set_need_no_original(place, asked):
    manifest = {"source": "mnist", "files": dict(known.PUBLISHED["mnist"].sha256), "split": "class", "seed": 5}
    saved(place / "dataset" / "mnist" / "train_pairs.npz", TRAIN, VALIDATION, manifest=manifest)
    saved(place / "dataset" / "mnist" / "test_pairs.npz", TEST, size=(2, 2, 1), manifest=manifest)
    opened = load_pairs(asked)
    assert opened.dataset == "mnist"
    assert opened.note.endswith("(found there), split by class, seed 5, tested with test_pairs.npz")


def test_a_known_name_over_other_images_is_refused(place):
    manifest = {"source": "mnist", "files": {"train-images-idx3-ubyte": "0" * 64}}
    saved(place / "dataset" / "mnist" / "train_pairs.npz", TRAIN, VALIDATION, manifest=manifest)
    saved(place / "dataset" / "mnist" / "test_pairs.npz", TEST, manifest=manifest)
    with pytest.raises(PairFileError, match=r"made from the current images of mnist; .* Generate them again"):
        load_pairs("mnist")


def test_the_file_beside_must_be_of_the_same_images(place):
    path = saved(place / "train_pairs.npz", TRAIN, VALIDATION, manifest={"files": {"a": "1"}})
    other = saved(place / "test_pairs.npz", TEST, manifest={"files": {"a": "2"}})
    with pytest.raises(PairFileError, match=r"test_pairs\.npz must be .*; got other images"):
        load_pairs("auto", pairs=path)
    assert load_pairs("auto", pairs=path, test_pairs=other).test is not None  # named, so meant


def test_a_leak_is_said(place):
    path = saved(place / "train_pairs.npz", TRAIN, VALIDATION)
    opened = load_pairs("auto", pairs=path)
    assert opened.leaks == 3  # two images in both parts, and one pair that stands twice
    assert opened.lines() == [opened.note]
    leak = "These pairs leak (3 findings; see siamese-tf pairs check): accuracies on them overestimate the model."
    assert opened.warning_lines() == (leak,)
    assert replace(opened, warnings=("few images",)).warning_lines() == ("few images", leak)
    generate_pair_files("digits", out=place)
    clean = load_pairs("digits", folder=place)
    assert (clean.leaks, clean.warning_lines()) == (0, ())


def test_the_network_is_asked_once_not_twice(place, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "siamese_tf.data.sources.published.download", lambda url, *_, **__: asked.append(url) or _refuse()
    )
    assert load_pairs("auto").dataset == "digits"
    assert len(asked) == 1


def _refuse():
    raise DatasetError("no network in this test")


@pytest.fixture
def people(place, monkeypatch):
    """Nine people, three pictures of each, as LFW names them."""
    monkeypatch.setenv("SIAMESE_TF_CACHE", str(place / "cache"))
    rng = np.random.default_rng(0)
    for person in "abcdefghi":
        (place / "people" / person).mkdir(parents=True)
        for k in range(1, 4):
            path = place / "people" / person / f"{person}_{k:04d}.png"
            Image.fromarray(rng.integers(0, 256, (6, 5), np.uint8)).save(path)
    return place / "people"


def test_a_folder_of_image_files(people, place):
    (people / "a" / "bad.png").write_text("text")
    made = load_pairs(str(people))
    assert made.train.images.shape[1:] == (6, 5, 1)
    assert "(made now), split by class" in made.note
    assert made.lines()[1].startswith("could not be read: a/bad.png: ")
    assert (place / "dataset" / "people" / "pairs.csv").is_file()
    found = load_pairs(str(people))
    assert "(found there), split by class" in found.note
    assert found.unreadable == made.unreadable


def test_pairs_of_a_folder_that_was_changed_are_refused_with_what_makes_them_again(people, place):
    load_pairs(str(people))
    Image.fromarray(np.zeros((6, 5), np.uint8)).save(people / "a" / "new.png")
    with pytest.raises(PairFileError) as caught:
        load_pairs(str(people))
    assert str(caught.value) == (
        f"the pairs in dataset/people must be made from the current images of {people}; got pairs of other images."
        f" Generate them again: siamese-tf pairs generate --dataset {people} --image-size 6x5 --color grey --resize pad"
    )
    cured = generate_pair_files(str(people), image_format=ImageFormat((6, 5), "grey", "pad"))
    assert load_pairs(str(people)).train.path == cured.train_path == Path("dataset/people/train_pairs.npz")


def test_each_form_of_a_folder_has_pairs_of_its_own(people, place):
    forms = [ImageFormat(), ImageFormat((9, 8), None, "crop"), ImageFormat((9, 8), "rgb", "pad")]
    made = [load_pairs(str(people), image_format=image_format) for image_format in forms]
    assert [opened.train.images.shape[1:] for opened in made] == [(6, 5, 1), (9, 8, 1), (9, 8, 3)]
    assert len({opened.train.path for opened in made}) == 3
    for image_format, opened in zip(forms, made, strict=True):
        again = load_pairs(str(people), image_format=image_format)
        assert (again.train.path, "(found there" in again.note) == (opened.train.path, True)
    Image.fromarray(np.zeros((6, 5), np.uint8)).save(people / "a" / "new.png")
    for image_format in forms:
        with pytest.raises(
            PairFileError, match="made from the current images of .* Generate them again: siamese-tf pairs"
        ):
            load_pairs(str(people), image_format=image_format)


def test_what_is_left_out_and_what_is_little_is_said(people, place):
    (people / "a" / "deep").mkdir()
    Image.fromarray(np.zeros((6, 5), np.uint8)).save(people / "a" / "deep" / "1.png")
    expected = (
        "image files that are not directly in a class folder are ignored: 1 (a/deep/1.png)",
        "validation has 12 pairs; a threshold chosen on fewer than 20 is unreliable; add images",
    )
    for opened in (load_pairs(str(people)), load_pairs(str(people))):
        assert opened.warning_lines() == expected
        assert opened.lines() == [opened.note]


def test_pair_files_made_before_a_folder_became_private_are_private(people, place):
    made = load_pairs(str(people))
    assert (made.train.private, made.test.private) == (False, False)
    people.chmod(0o700)
    for path in (made.train.path, made.test.path):
        path.chmod(0o644)
    found = load_pairs(str(people))
    assert "(found there" in found.note
    assert (found.train.private, found.test.private) == (True, True)


def test_a_pair_file_that_is_its_own_test_file_stays_one_when_it_becomes_private(people, place):
    folder = load_pairs(str(people)).train.path.parent
    train, test = (load_pair_file(folder / f"{name}_pairs.npz") for name in ("train", "test"))
    split = np.where(np.arange(len(train.split)) % 3 == 2, TEST, train.split).astype(np.uint8)
    save_pair_file(folder / "train_pairs.npz", replace(train, split=split))
    people.chmod(0o700)
    opened = load_pairs(str(people))
    assert opened.test is opened.train
    assert opened.train.private


def test_a_folder_with_train_and_test_is_the_split_that_it_is(people, place):
    for part, names in (("train", "abcdef"), ("test", "ghi")):
        (people / part).mkdir()
        for name in names:
            (people / name).rename(people / part / name)
    opened = load_pairs(str(people))
    assert "27 gray images of 6x5 in 9 classes (train 18, validation 0, test 9)" in opened.note
    assert "split by given" not in opened.note
    assert "split as given" in opened.note
    assert opened.train.manifest["split"] == "given"
    assert {int(label) for label in opened.test.labels} == {6, 7, 8}
    assert (
        np.unique(opened.train.labels[opened.train.images_of(VALIDATION)]).size == 2
    )  # strangers, as those of the test
    assert opened.leaks == 0


@pytest.mark.parametrize("before", [["images"], "images", 3, {}, {"images": 3}, {"images, 6x5 grey, pad": "0" * 64}])
def test_what_a_manifest_says_of_its_files_may_be_anything(people, before):
    made = load_pairs(str(people))
    save_pair_file(made.train.path, replace(made.train, manifest={**made.train.manifest, "files": before}))
    save_pair_file(made.test.path, replace(made.test, manifest={**made.test.manifest, "files": before}))
    with pytest.raises(
        PairFileError, match=r"dataset/people must be made from the current images of .*--image-size 6x5"
    ):
        load_pairs(str(people))


def test_a_csv_list(people, place):
    load_pairs(str(people))
    made = load_pairs("never looked at", pairs=place / "dataset" / "people" / "pairs.csv")
    assert made.test is made.train
    assert (made.dataset, made.leaks) == ("pairs", 0)
    assert made.train.images.shape == (27, 6, 5, 1)
    small = load_pairs(
        "auto", pairs=place / "dataset" / "people" / "pairs.csv", image_format=ImageFormat((4, 4), "rgb", "crop")
    )
    assert small.train.images.shape == (27, 4, 4, 3)


def lfw_list(path, *folds):
    """One similar and one dissimilar pair a fold, of two people each."""
    lines = [f"{len(folds)} 1", *(f"{one} 1 2\n{one} 3 {two} 1" for one, two in folds)]
    path.write_text("\n".join(lines))
    return path


def test_lists_in_the_form_of_lfw(people, place):
    path = lfw_list(place / "pairs.txt", "ab", "cd", "ef", "gh")
    opened = load_pairs("auto", pairs=path, images_folder=people)
    assert opened.train.split.tolist() == [TRAIN] * 4 + [VALIDATION] * 2 + [TEST] * 2
    assert opened.test is opened.train
    assert opened.train.labels is not None
    assert opened.leaks == 0
    beside = lfw_list(people / "pairs.txt", "ab", "cd", "ef", "gh")
    np.testing.assert_array_equal(load_pairs("auto", pairs=beside).train.images, opened.train.images)


@pytest.mark.parametrize(
    ("folds", "found"), [(("ab", "bc", "de"), r"1 people .*\(b\)"), (("ab", "ab", "ab"), r"2 people .*\(a, b\)")]
)
def test_someone_in_two_parts_is_refused(people, place, folds, found):
    path = lfw_list(place / "pairs.txt", *folds)
    with pytest.raises(PairFileError, match=f"each person must be in only one .*; got {found}.*into one fold"):
        load_pairs("auto", pairs=path, images_folder=people)


def test_someone_in_two_training_folds_is_not_refused(people, place):
    path = lfw_list(place / "pairs.txt", "ab", "bc", "de", "fg")
    assert len(load_pairs("auto", pairs=path, images_folder=people).train.split) == 8


@pytest.mark.parametrize("names", [{}, {"pairs": "list.csv"}, {"pairs": "a.npz", "test_pairs": "b.npz"}])
def test_a_folder_for_a_list_that_nobody_named_is_refused(people, names):
    """It would be passed over, and who meant a data set by it would get the pairs of another."""
    with pytest.raises(ConfigError, match=r"images must be omitted unless .*; got people.*as the dataset"):
        load_pairs("digits", **names, images_folder="people")


def test_the_folder_may_be_of_the_test_list_alone(people, place):
    listed = lfw_list(place / "pairs.txt", "ab")
    path = saved(place / "my.npz", TRAIN, VALIDATION, size=(6, 5, 1))
    assert len(load_pairs("auto", pairs=path, test_pairs=listed, images_folder=people).test.images) == 4


def test_two_folds_are_too_few_to_train_on_but_not_to_test_with(people, place):
    two = lfw_list(people / "two.txt", "ab", "cd")
    with pytest.raises(PairFileError, match=r"two.txt must have at least three folds for training, .*; got 2"):
        load_pairs("auto", pairs=two)
    opened = load_pairs("auto", pairs=saved(place / "my.npz", TRAIN, VALIDATION, size=(4, 4, 3)), test_pairs=two)
    assert opened.test is not None
    assert opened.test.images.shape == (8, 4, 4, 3)  # resized to the size of the others
    assert opened.test.split.tolist() == [TEST] * 4


def test_a_form_for_pair_files_is_refused(place):
    path = saved(place / "my.npz", TRAIN, VALIDATION)
    with pytest.raises(ConfigError, match=r"my\.npz\. Omit these settings"):
        load_pairs("auto", pairs=path, image_format=ImageFormat((9, 9)))
    manifest = {"source": "mnist", "files": dict(known.PUBLISHED["mnist"].sha256)}
    saved(place / "dataset" / "mnist" / "train_pairs.npz", TRAIN, VALIDATION, manifest=manifest)
    saved(place / "dataset" / "mnist" / "test_pairs.npz", TEST, manifest=manifest)
    with pytest.raises(ConfigError, match=r"got mnist"):
        load_pairs("mnist", image_format=ImageFormat(resize="crop"))


def test_omniglot_is_not_read_again_once_its_pairs_exist(tmp_path, monkeypatch):
    small_omniglot(tmp_path, monkeypatch)
    ink = ImageFormat((16, 16), None, "pad", True, "strokes")
    folder = tmp_path / "dataset"
    made = load_pairs("omniglot", data_dir=tmp_path, folder=folder, image_format=ink)
    assert made.train.images.shape[1:] == (16, 16, 1)
    assert made.train.groups is not None
    assert made.train.authors is not None
    monkeypatch.setattr("siamese_tf.data.pairs.load_pairs.load_source", lambda *_: pytest.fail("read again"))
    found = load_pairs("omniglot", data_dir=tmp_path, folder=folder, image_format=ink)
    assert (found.train.sha256, found.train.image_format) == (made.train.sha256, ink.resolved([(105, 105, 1)]))
    assert "using omniglot; pairs in" in found.note


def test_omniglot_in_another_format_has_pairs_of_its_own(tmp_path, monkeypatch):
    small_omniglot(tmp_path, monkeypatch)
    folder = tmp_path / "dataset"
    for side in (16, 20, 16, 20):
        image_format = ImageFormat((side, side), invert=True)
        loaded = load_pairs("omniglot", data_dir=tmp_path, folder=folder, image_format=image_format)
        assert loaded.train.images.shape[1:] == (side, side, 1)
    assert len([*folder.iterdir()]) == 2
