"""Where the pairs of a data set stand: looked at on manifests alone, without an image."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.pairs.generate import generate_pair_files
from siamese_tf.data.pairs.load_pairs import load_pairs
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, PairDataset, save_pair_file
from siamese_tf.data.pairs.pairs_folder import (
    GENERATION_KEYS,
    check_made_from,
    check_same_run,
    explain_mismatch,
    has_both_files,
    pairs_folder,
)
from siamese_tf.data.sources.source import Source
from siamese_tf.errors import PairFileError

FORM = ImageFormat((2, 2), "grey", "pad")
MADE = {
    "version": "0.1.0",
    "files": {"images": "ab"},
    "seed": 0,
    "split": "image",
    "train_share": 0.6,
    "pairs_within": "group",
    "images": {"train": 2},
    "pairs": {"train": 1, "validation": 1, "test": 1},
    "duplicates": {"same_label": 0},
    "audit": {"findings": {}},
    "form": {"resize": "pad"},
    "unreadable": 0,
}


def source(folder, content="12ab", image_format=FORM, name=None) -> Source:
    """A folder of image files, of which the images are never looked at."""
    nothing = np.zeros(0, np.int64)
    files = {"images": content + ("" if image_format is None else image_format.resize)}
    shown = name or Path(folder).name
    return Source(
        shown, nothing, nothing, nothing == 1, (), str(folder), files, "", image_format=image_format, folder=str(folder)
    )


def stand(folder, made_from: Source | None, csv_to=None, names=("train_pairs.npz", "test_pairs.npz")):
    """Pair files as they are made of a source, and the list that shows where its images are."""
    manifest = {} if made_from is None else {"files": made_from.files}
    if made_from is not None and made_from.image_format is not None:
        manifest["form"] = made_from.image_format.as_dict()
    images = np.zeros((2, 2, 2, 1), np.uint8)
    one = np.zeros(1, np.int32)
    pairs = PairDataset(images, None, one, one + 1, np.ones(1, np.uint8), np.zeros(1, np.uint8), manifest)
    for name in names:
        save_pair_file(folder / name, pairs)
    if csv_to is not None:
        (folder / "pairs.csv").write_text(f"img1,img2,similarity,split\n{csv_to}/a/1.png,{csv_to}/a/2.png,1,train\n")


def is_apart(folder, of: Source) -> bool:
    """Whether the folder is one with a hash."""
    assert folder.parent.name == "dataset"
    return folder.name != of.name


@pytest.fixture
def out(tmp_path):
    return tmp_path / "dataset"


def test_where_nothing_is_the_name_is_the_folder(out, tmp_path):
    people = source(tmp_path / "people")
    assert pairs_folder(out, people) == out / "people"
    assert explain_mismatch(out / "people", people) == ""


def test_a_data_set_with_a_name_of_its_own_always_has_that(out, tmp_path):
    stand(out / "mnist", source(tmp_path / "mnist"))
    assert pairs_folder(out, replace(source("elsewhere", name="mnist"), folder=None)) == out / "mnist"


def test_pairs_of_the_same_images_are_found_wherever_those_are(out, tmp_path):
    """As after the folder was moved, and as earlier releases made them."""
    people = source(tmp_path / "people")
    stand(out / "people", source("/another/people"), csv_to="../../other/people")
    assert pairs_folder(out, people) == out / "people"


def test_another_folder_of_the_same_name_is_apart(out, tmp_path):
    one, two = source(tmp_path / "one" / "people", "1"), source(tmp_path / "two" / "people", "2")
    stand(out / "people", one, csv_to="../../one/people")
    assert pairs_folder(out, one) == out / "people"
    apart = pairs_folder(out, two)
    assert is_apart(apart, two)
    assert explain_mismatch(apart, two) == f"; {out / 'people'} holds pairs of other images or another image format"
    stand(apart, two, csv_to="../../two/people")
    assert pairs_folder(out, two) == apart
    assert pairs_folder(out, source(tmp_path / "three" / "people", "3")) not in (apart, out / "people")


def test_another_form_is_apart(out, tmp_path):
    people = source(tmp_path / "people")
    stand(out / "people", people, csv_to="../../people")
    forms = [ImageFormat((3, 3), "grey", "pad"), ImageFormat((2, 2), "rgb", "pad"), ImageFormat((2, 2), "grey", "crop")]
    apart = [
        pairs_folder(out, replace(people, image_format=image_format, files={"images": str(image_format)}))
        for image_format in forms
    ]
    assert len({out / "people", *apart}) == 4


def test_the_folder_after_a_change_is_where_its_pairs_are(out, tmp_path):
    before, after = (source(tmp_path / "people", content) for content in "12")
    stand(out / "people", before, csv_to="../../people")
    assert pairs_folder(out, after) == out / "people"
    with pytest.raises(PairFileError, match="made from the current images of people; .* --image-size 2x2 --color"):
        check_made_from(out / "people", after.files, "people", after)
    check_made_from(out / "people", before.files, "people", before)


def test_its_own_folder_stays_its_own_after_a_change_or_when_the_other_is_gone(out, tmp_path):
    two = source(tmp_path / "two" / "people", "2")
    stand(out / "people", source(tmp_path / "one" / "people", "1"), csv_to="../../one/people")
    apart = pairs_folder(out, two)
    stand(apart, two)
    assert pairs_folder(out, source(tmp_path / "two" / "people", "3")) == apart
    for path in (out / "people").iterdir():
        path.unlink()
    assert pairs_folder(out, two) == apart


@pytest.mark.parametrize("text", [None, "", "img1\n", 'img1\n"', b"img1\n\xff\n", "img1\n,\n", "img1\n/etc/passwd\n"])
def test_a_list_that_does_not_say_where_the_images_were_is_of_another_folder(out, tmp_path, text):
    people = source(tmp_path / "people")
    stand(out / "people", source(tmp_path / "people", "2"))
    if text is not None:
        (out / "people" / "pairs.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert is_apart(pairs_folder(out, people), people)


def test_files_put_there_by_hand_and_damaged_ones_are_its_own(out, tmp_path):
    """The former are used, and the latter are made again where they are."""
    people = source(tmp_path / "people")
    stand(out / "people", None)
    assert pairs_folder(out, people) == out / "people"
    for name in ("train_pairs.npz", "test_pairs.npz"):
        (out / "people" / name).write_bytes(b"damaged")
    assert pairs_folder(out, people) == out / "people"


@pytest.mark.parametrize("manifest", ["[]", "{", "[" * 100_000])
def test_a_manifest_may_be_anything(out, tmp_path, manifest):
    (out / "people").mkdir(parents=True)
    np.savez(out / "people" / "train_pairs.npz", manifest=np.array(manifest))
    people = source(tmp_path / "people")
    assert pairs_folder(out, people) == out / "people"
    check_made_from(out / "people", people.files, "people", people)


def test_a_folder_of_idx_files_named_as_a_known_data_set_is_apart(out, tmp_path):
    own = source(tmp_path / "mnist", image_format=None)
    assert is_apart(pairs_folder(out, own), own)
    stand(out / "mnist", source(tmp_path / "mnist", "other", image_format=None))
    assert is_apart(pairs_folder(out, own), own)
    stand(out / "mnist", own)  # as earlier releases made them
    assert pairs_folder(out, own) == out / "mnist"


def test_one_of_the_two_files_alone(out, tmp_path):
    people = source(tmp_path / "it's" / "people")
    assert not has_both_files(out / "people", "people", people)
    stand(out / "people", people, names=("test_pairs.npz",))
    assert pairs_folder(out, people) == out / "people"
    with pytest.raises(
        PairFileError, match=r"must contain both .*; got only one.* generate --dataset 'it'\"'\"'s/people' --image-size"
    ):
        has_both_files(out / "people", "it's/people", people)
    stand(out / "people", people)
    assert has_both_files(out / "people", "people", None)


def pair_file(name, part, manifest):
    row = np.zeros(1, np.int32)
    return PairDataset(
        np.zeros((2, 2, 2, 1), np.uint8), None, row, row + 1, np.ones(1), np.array([part]), manifest, path=name
    )


def check(train, test):
    check_same_run(pair_file("train_pairs.npz", TRAIN, train), pair_file("test_pairs.npz", TEST, test))


def test_the_files_of_one_run_go_together():
    assert set(MADE) == set(GENERATION_KEYS)
    check(MADE, dict(MADE))
    check({**MADE, "digest": "of the one"}, {**MADE, "digest": "of the other"})


@pytest.mark.parametrize("key", [key for key in MADE if key != "files"])
def test_the_files_of_two_runs_do_not(key):
    with pytest.raises(PairFileError) as refused:
        check(MADE, {**MADE, key: "another"})
    assert str(refused.value) == (
        f"test_pairs.npz must be from the same run and images as train_pairs.npz in the same folder; got another run"
        f" (different {key})."
        " Generate both again with siamese-tf pairs generate, or give a test file with --test-pairs."
    )


def test_files_of_other_images_do_not_either():
    with pytest.raises(PairFileError, match="test_pairs.npz must be .* as train_pairs.npz .*; got other images"):
        check(MADE, {**MADE, "files": {}, "seed": 1})


@pytest.mark.parametrize("manifest", [{}, {"format": 1}, {"source": "mine"}])
def test_files_made_by_hand_need_not_say(manifest):
    check(MADE, manifest)
    check(manifest, MADE)


def test_a_kill_between_the_renames_of_two_seeds_is_found(tmp_path):
    few = {"train_pairs": 8, "validation_pairs": 4, "test_pairs": 4}
    old = generate_pair_files("digits", out=tmp_path, **few)
    assert load_pairs("digits", folder=tmp_path).leaks == 0
    new = generate_pair_files("digits", out=tmp_path / "new", seed=1, **few)
    new.train_path.replace(old.train_path)
    with pytest.raises(
        PairFileError, match=r"test_pairs\.npz must be .*; got another run .different seed.* Generate both again"
    ):
        load_pairs("digits", folder=tmp_path)


def test_pairs_of_a_folder_that_was_moved_are_found_by_their_images(tmp_path):
    stand(tmp_path / "people", source("/a/people", "other"))
    before = pairs_folder(tmp_path, source("/b/people"))
    assert before.name != "people"
    stand(before, source("/b/people"))
    assert pairs_folder(tmp_path, source("/c/people")) == before
    assert pairs_folder(tmp_path, source("/c/people", "changed")) != before
