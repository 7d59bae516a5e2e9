"""Generation and audit of pair files: every kind of leak, and files of other programs."""

import json

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset, load_pair_file, save_pair_file


def test_generate_and_check(run, tmp_path):
    made = run(
        f"pairs generate --dataset digits --out {tmp_path} --split class --seed 4"
        " --train-pairs 60 --validation-pairs 40 --test-pairs 20"
    )
    train, test = tmp_path / "digits" / "train_pairs.npz", tmp_path / "digits" / "test_pairs.npz"
    assert made.code == 0
    assert f"wrote {train}\nwrote {test}\n" in made.out
    file = load_pair_file(train)
    assert [len(file.rows(part)) for part in (TRAIN, VALIDATION)] == [60, 40]
    assert len(load_pair_file(test).rows(TEST)) == 20
    assert (file.manifest["split"], file.manifest["seed"]) == ("class", 4)
    checked = run(f"pairs check {train} {test}")
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.endswith("no leaks\n")
    assert "images in two splits: train and validation 0, train and test 0, validation and test 0" in checked.out


def test_warnings_go_to_standard_error(run, drawn_people, tmp_path):
    made = run(f"pairs generate --dataset {drawn_people / 'people'} --out {tmp_path} --validation-pairs 4")
    assert made.code == 0
    assert made.err.startswith("warning: validation has 4 pairs; a threshold chosen on fewer than 20 is unreliable")
    assert "validation has" not in made.out


def small_pairs(img1, img2, split, same_images=()) -> PairDataset:
    images = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 1), np.uint8)
    for one, two in same_images:
        images[two] = images[one]
    img1, img2 = np.array(img1, np.int32), np.array(img2, np.int32)
    return PairDataset(images, None, img1, img2, np.zeros(len(img1), np.uint8), np.array(split, np.uint8))


@pytest.mark.parametrize(
    ("pairs", "finding"),
    [
        (small_pairs([0, 2], [1, 0], [TRAIN, TEST]), "train and test 1"),
        (small_pairs([0, 2], [1, 3], [TRAIN, VALIDATION], [(1, 3)]), "train and validation 1"),
        (small_pairs([0, 2], [1, 2], [TRAIN, TRAIN]), "paired with themselves: 1"),
        (small_pairs([0, 2], [1, 3], [TRAIN, TRAIN], [(2, 3)]), "paired with themselves: 1"),
        (small_pairs([0, 1], [1, 0], [TEST, TEST]), "duplicate pairs: 1"),
    ],
    ids=["image in train and test", "duplicate", "self-pair", "pair of duplicates", "same pair reversed"],
)
def test_check_ends_with_1_on_a_leak(run, tmp_path, pairs, finding):
    save_pair_file(tmp_path / "leaking.npz", pairs)
    checked = run(f"pairs check {tmp_path / 'leaking.npz'}")
    assert (checked.code, checked.err) == (1, "")
    assert finding in checked.out
    assert checked.out.endswith("LEAKS: 1\n")


def test_a_leak_between_two_files_is_found(run, tmp_path):
    save_pair_file(tmp_path / "train.npz", small_pairs([0], [1], [TRAIN]))
    save_pair_file(tmp_path / "test.npz", small_pairs([2], [1], [TEST]))
    for name in ("train.npz", "test.npz"):
        assert run(f"pairs check {tmp_path / name}").code == 0
    assert run(f"pairs check {tmp_path / 'train.npz'} {tmp_path / 'test.npz'}").code == 1


def test_pair_files_of_other_programs_are_checked_and_evaluated(run, trained, tmp_path):
    """Only the four arrays, images without a channel axis, other integer types."""
    path = tmp_path / "foreign.npz"
    similarity = np.array([True, False, True, False])
    np.savez_compressed(
        path, images=trained.digits[:8, ..., 0], img1=[0, 1, 2, 3], img2=[4, 5, 6, 7], similarity=similarity
    )
    checked = run(f"pairs check {path}")
    assert (checked.code, checked.out.endswith("no leaks\n")) == (0, True)
    report = json.loads(run(f"evaluate run/siamese.keras --pairs {path} --json").out)
    assert (list(report), report["train"]["pairs"]) == (["train"], 4)


def test_a_folder_of_images(run, tmp_path, monkeypatch):
    """Seven people; a file that is no image is named at the end."""
    monkeypatch.setenv("SIAMESE_TF_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for person in range(7):
        (tmp_path / "people" / f"p{person}").mkdir(parents=True)
        for k in range(3):
            Image.fromarray(rng.integers(0, 256, (9, 7), np.uint8)).save(tmp_path / f"people/p{person}/{k}.png")
    (tmp_path / "people" / "p3" / "broken.jpg").write_text("text")
    options = "--image-size 8x6 --color rgb --resize crop"
    made = run(f"pairs generate --dataset {tmp_path}/people --out {tmp_path}/out {options}")
    assert made.code == 0
    assert made.err.startswith("warning: validation has 12 pairs; ")
    *_, wrote, unreadable = made.out.splitlines()
    assert wrote == f"wrote {tmp_path}/out/people/pairs.csv"
    assert unreadable.startswith("could not be read: p3/broken.jpg: must be one of PNG")
    file = load_pair_file(tmp_path / "out" / "people" / "train_pairs.npz")
    assert file.images.shape[1:] == (8, 6, 3)
    assert file.manifest["split"] == "class"
    for wrong, words in (
        (f"--dataset {tmp_path}/people --image-size 8:6", "must be HEIGHTxWIDTH"),
        (f"--dataset {tmp_path}/people --color sepia", "must be grey or rgb"),
        (f"--dataset {tmp_path}/people --resize fit", "must be pad, crop or stretch"),
        ("--dataset digits --resize crop", "inversion or centering of images is set; got digits"),
        (f"--dataset {tmp_path}/out", "must have the four IDX files"),
    ):
        refused = run(f"pairs generate --out {tmp_path}/new {wrong}")
        assert (refused.code, refused.out) == (2, "")
        assert words in refused.err
        assert not (tmp_path / "new").exists()


def test_lists_are_checked(run, tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMESE_TF_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for person in "ab":
        (tmp_path / "faces" / person).mkdir(parents=True)
        for k in (1, 2, 3):
            picture = Image.fromarray(rng.integers(0, 256, (9, 7), np.uint8))
            picture.save(tmp_path / "faces" / person / f"{person}_000{k}.png")
    row = "faces/a/a_0001.png,faces/a/a_0002.png,1"
    (tmp_path / "good.csv").write_text(f"img1,img2,similarity,split\n{row},train\n")
    (tmp_path / "bad.csv").write_text(f"img1,img2,similarity,split\n{row},train\n{row},test\n")
    (tmp_path / "pairs.txt").write_text("1 1\na 1 2\na 3 b 1\n")
    for words, code in (("good.csv", 0), ("bad.csv", 1), (f"pairs.txt --images {tmp_path}/faces", 0)):
        checked = run(f"pairs check {tmp_path}/{words}")
        assert (checked.code, checked.err) == (code, "")
    refused = run(f"pairs check {tmp_path}/good.csv --images {tmp_path}/faces")
    assert (refused.code, refused.out) == (2, "")
    assert "--images must be given with an LFW-style pairs.txt" in refused.err


@pytest.fixture
def characters(tmp_path, monkeypatch):
    """Returns a folder of four groups with three classes of four images each."""
    monkeypatch.setenv("SIAMESE_TF_CACHE", str(tmp_path / "cache"))
    noise = np.random.default_rng(0).integers(0, 256, (48, 4, 4), np.uint8)
    for number, image in enumerate(noise):
        path = tmp_path / "characters" / f"g{number // 12}" / f"c{number // 4 % 3}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return tmp_path / "characters"


def test_whole_groups_are_split_with_a_share_for_training(run, characters, tmp_path):
    made = run(f"pairs generate --dataset {characters} --out {tmp_path} --split group --train-share 0.5")
    assert made.code == 0
    assert "in 12 classes of 4 groups; split by group" in made.out
    train, test = (load_pair_file(tmp_path / "characters" / f"{name}_pairs.npz") for name in ("train", "test"))
    assert (train.manifest["split"], train.manifest["train_share"]) == ("group", 0.5)
    assert train.manifest["group_names"] == ["g0", "g1", "g2", "g3"]
    sides = [(train, TRAIN), (train, VALIDATION), (test, TEST)]
    groups = [set(file.groups[file.images_of(part)].tolist()) for file, part in sides]
    assert [len(side) for side in groups] == [2, 1, 1]
    assert set.union(*groups) == {0, 1, 2, 3}


def test_dissimilar_pairs_within_groups(run, characters, tmp_path):
    made = run(f"pairs generate --dataset {characters} --out {tmp_path} --split group --pairs-within group")
    assert made.code == 0
    for name in ("train", "test"):
        file = load_pair_file(tmp_path / "characters" / f"{name}_pairs.npz")
        assert file.manifest["pairs_within"] == "group"
        assert np.array_equal(file.groups[file.img1], file.groups[file.img2])
        assert 2 * file.similarity.sum() == len(file.similarity)


@pytest.mark.parametrize(
    ("flags", "finding"),
    [
        ("--dataset digits --pairs-within group", "must be omitted for scikit-learn, which has no groups; got 'group'"),
        ("--dataset digits --pairs-within class", "pairs within must be 'group'; got 'class'"),
        ("--dataset digits --split group", "split must be 'image' or 'class'; got 'group'. scikit-learn has no groups"),
        ("--dataset digits --train-share 1", "must be less than 1 for digits, which has no official test split"),
        ("--dataset digits --train-share 0", "must be more than 0 and at most 1; got 0"),
    ],
)
def test_a_split_that_does_not_fit_is_refused(run, tmp_path, flags, finding):
    made = run(f"pairs generate --out {tmp_path} {flags}")
    assert made.code == 2
    assert finding in made.err
