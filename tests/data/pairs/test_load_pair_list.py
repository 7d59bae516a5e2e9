import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.images.format import format_of_images
from siamese_tf.data.pairs.load_pair_list import load_pair_list
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION
from siamese_tf.errors import PairFileError

SIZE = (6, 5, 1)
FORM = format_of_images(SIZE)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Three pictures each of two people, and an empty cache."""
    monkeypatch.setenv("SIAMESE_TF_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for name in ("Ann", "Bob"):
        (tmp_path / "people" / name).mkdir(parents=True)
        for k in (1, 2, 3):
            image = Image.fromarray(rng.integers(0, 256, (6, 5), np.uint8))
            image.save(tmp_path / "people" / name / f"{name}_{k:04d}.png")
    return tmp_path / "people"


def write_csv(place, *rows, header="img1,img2,similarity,split"):
    lines = [
        f"Ann/Ann_000{a}.png,{'Ann/Ann' if same else 'Bob/Bob'}_000{b}.png,{same}{end}" for a, b, same, end in rows
    ]
    (place / "list.csv").write_text("\n".join([header, *lines]))
    return place / "list.csv"


def test_a_csv_list_without_parts_is_all_test(place):
    path = write_csv(place, (1, 2, 1, ""), (1, 2, 0, ""), header="img1,img2,similarity")
    opened, fold = load_pair_list(path, FORM)
    assert fold is None
    assert opened.test is opened.train
    assert opened.train.split.tolist() == [TEST, TEST]
    assert opened.train.similarity.tolist() == [1, 0]
    assert opened.train.images.shape == (3, *SIZE)
    assert (opened.dataset, opened.leaks) == ("list", 0)
    assert opened.note == f"using 2 pairs of 3 images in {path}"


def test_a_csv_list_with_parts_keeps_them(place):
    rows = (1, 2, 1, ",validation"), (1, 1, 0, ",validation"), (3, 2, 0, ",test"), (3, 3, 0, ",test")
    opened, _ = load_pair_list(write_csv(place, *rows), FORM)
    assert opened.test is opened.train
    assert opened.train.split.tolist() == [VALIDATION, VALIDATION, TEST, TEST]
    opened, _ = load_pair_list(write_csv(place, (1, 2, 1, ",train"), (1, 1, 0, ",validation")), FORM)
    assert opened.test is None
    assert opened.train.split.tolist() == [TRAIN, VALIDATION]


def test_images_on_two_sides_of_a_list_are_told(place):
    opened, _ = load_pair_list(write_csv(place, (1, 2, 1, ",train"), (1, 1, 0, ",test")), FORM)
    assert opened.leaks == 1
    assert "leak" in opened.warning_lines()[0]


def test_a_list_in_the_form_of_lfw_has_folds_and_people(place):
    path = place / "pairs.txt"
    path.write_text("2 1\nAnn 1 2\nAnn 1 Bob 1\nBob 2 3\nAnn 3 Bob 3\n")
    opened, fold = load_pair_list(path, FORM)
    np.testing.assert_array_equal(fold, [0, 0, 1, 1])
    assert opened.test is opened.train
    assert (opened.train.split == TEST).all()
    same = opened.train.labels[opened.train.img1] == opened.train.labels[opened.train.img2]
    np.testing.assert_array_equal(same, opened.train.similarity)
    assert opened.note.endswith("pairs.txt, 2 folds")
    elsewhere = place.parent / "lists"
    elsewhere.mkdir()
    path = path.rename(elsewhere / "pairs.TXT")
    with pytest.raises(PairFileError, match="cannot be read"):
        load_pair_list(path, FORM)
    assert load_pair_list(path, FORM, place)[0].train.images.shape == opened.train.images.shape


def test_one_fold_is_no_fold(place):
    path = place / "pairs.txt"
    path.write_text("1\nAnn 1 2\nAnn 1 Bob 1\n")
    assert load_pair_list(path, FORM)[1] is None


def test_a_folder_of_images_is_not_for_a_csv_list(place):
    with pytest.raises(PairFileError, match="images must be omitted for .*; got elsewhere"):
        load_pair_list(write_csv(place, (1, 2, 1, ",train")), FORM, "elsewhere")


def test_a_list_that_is_not_there_is_refused(place):
    with pytest.raises(PairFileError, match="No such file"):
        load_pair_list(place / "none.csv", FORM)
