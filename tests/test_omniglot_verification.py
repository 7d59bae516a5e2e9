"""Tests of the verification experiment in `benchmarks/` on a small source with alphabets and drawers."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from siamese_tf.data.images.format import ImageFormat
from siamese_tf.data.pairs.audit import audit_pairs
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, check_labels_agree
from siamese_tf.data.sources.source import Source

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
ALPHABETS, CHARACTERS, DRAWERS = 7, 3, 20  # three background alphabets, four evaluation alphabets


@pytest.fixture
def pairs_module(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("omniglot_pairs")
    monkeypatch.setattr(module, "EVALUATION_ALPHABETS", (2, 2))
    return module


@pytest.fixture
def verification(pairs_module):
    return importlib.import_module("omniglot_verification")


@pytest.fixture(scope="module")
def source() -> Source:
    characters = ALPHABETS * CHARACTERS
    labels = np.repeat(np.arange(characters), DRAWERS)
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 8, 8, 1), np.uint8)
    return Source(
        name="omniglot",
        images=images,
        labels=labels,
        is_test=labels // CHARACTERS >= 3,
        class_names=tuple(map(str, range(characters))),
        origin="memory",
        files={},
        note="",
        image_format=ImageFormat((8, 8), "grey"),
        groups=labels // CHARACTERS,
        group_names=tuple("abcdefg"),
        authors=np.tile(np.arange(DRAWERS), characters),
    )


def test_no_part_shares_an_alphabet_or_a_drawer_with_another(pairs_module, source):
    parts = pairs_module.divide(source, np.random.default_rng(1))
    alphabets, drawers = ([set(column[part]) for part in parts] for column in (source.groups, source.authors))
    assert [len(part) for part in alphabets] == [3, 2, 2]
    assert [len(part) for part in drawers] == [12, 4, 4]
    assert alphabets[0] == {0, 1, 2}
    assert len(set().union(*alphabets)) == 7
    assert len(set().union(*drawers)) == 20
    assert [len(part) for part in parts] == [3 * 3 * 12, 2 * 3 * 4, 2 * 3 * 4]


def test_every_alphabet_has_as_many_pairs_and_half_of_them_are_of_one_character(pairs_module, source):
    img1, img2, similarity = pairs_module.draw_pairs(source.labels, source.groups, 2800, np.random.default_rng(1))
    assert np.bincount(source.groups[img1]).tolist() == [400] * 7
    assert np.bincount(source.groups[img1], similarity).tolist() == [200] * 7
    np.testing.assert_array_equal(source.groups[img1], source.groups[img2])
    np.testing.assert_array_equal(source.labels[img1] == source.labels[img2], similarity)
    assert (img1 != img2).all()
    assert len(set(img1.tolist())) > 400  # of 420 images
    assert 0.4 < similarity[:500].mean() < 0.6  # in random order


def test_other_counts_differ_by_one_pair(pairs_module, source):
    img1, _, similarity = pairs_module.draw_pairs(source.labels, source.groups, 30, np.random.default_rng(1))
    assert np.bincount(source.groups[img1]).tolist() == [5, 5, 4, 4, 4, 4, 4]
    assert similarity.sum() == 14


def test_a_distortion_stays_in_the_published_range(pairs_module):
    rng = np.random.default_rng(0)
    maps = [pairs_module.affine_map(rng) for _ in range(4000)]
    scales = np.array([np.sqrt(1 / np.abs(np.linalg.det(matrix))) for matrix, _ in maps])
    shifts = np.array([shift for _, shift in maps])
    assert 0.75 < scales.min() < 0.85
    assert 1.15 < scales.max() < 1.25
    assert np.abs(shifts).max() <= 2 / 105
    assert 0.45 < (shifts == 0).mean() < 0.55
    plain = [matrix for matrix, shift in maps if np.array_equal(matrix, np.eye(2)) and not shift.any()]
    assert 4000 * 0.5**7 / 2 < len(plain) < 4000 * 0.5**7 * 2


def test_a_distortion_moves_what_an_image_shows_and_keeps_its_center(pairs_module, monkeypatch):
    image = np.zeros((1, 21, 21, 1), np.uint8)
    image[0, 10, 10:15] = 255  # from the center to the right
    quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])
    monkeypatch.setattr(pairs_module, "affine_map", lambda rng: (quarter, np.zeros(2)))
    turned = pairs_module.distorted(image, np.random.default_rng(0))[0, ..., 0]
    assert turned[10, 10] == 255
    assert turned.sum() == image.sum()
    assert 255 in (turned[14, 10], turned[6, 10])
    monkeypatch.setattr(pairs_module, "affine_map", lambda rng: (np.eye(2), np.array([2 / 21, 0])))
    shifted = pairs_module.distorted(image, np.random.default_rng(0))[0, ..., 0]
    np.testing.assert_array_equal(shifted[10, 8:13], 255)


def test_pairs_are_listed_again_for_each_distortion(pairs_module):
    pairs = pairs_module.Pairs(np.array([0, 1, 2]), np.array([3, 4, 0]), np.array([1, 0, 1], np.uint8))
    img1, img2, similarity = pairs_module.with_distortions(pairs, 5, np.random.default_rng(0))
    assert len(img1) == len(img2) == len(similarity) == 27
    listed = list(zip(img1 % 5, img2 % 5, similarity, strict=True))
    assert {pair: listed.count(pair) for pair in set(listed)} == {(0, 3, 1): 9, (1, 4, 0): 9, (2, 0, 1): 9}
    assert ((img1 < 5) == (img2 < 5)).all()
    assert (img1 < 5).sum() == 3
    assert 5 * 8 <= img1.max() < 5 * 9


@pytest.mark.parametrize("distortions", [0, 8])
def test_the_pairs_of_a_run_fit_their_images(verification, source, distortions):
    cell = verification.Cell(90, distortions, 90.0)
    run = verification.run_data(source, cell, used=60, held_out=40, seed=3)
    train, test = run.task.train, run.task.test
    assert [len(train.rows(TRAIN)), len(train.rows(VALIDATION)), len(test.rows(TEST))] == [60, 40, 40]
    assert len(train.images) == 3 * 3 * 12 * (1 + distortions) + 2 * 3 * 4
    for file in (train, test):
        check_labels_agree(file)
    audit = audit_pairs([train, test])
    assert audit.leaks == audit.duplicate_pairs  # pairs are drawn with repetition
    again = verification.run_data(source, cell, used=60, held_out=40, seed=3)
    np.testing.assert_array_equal(train.images, again.task.train.images)
    np.testing.assert_array_equal(train.img1, again.task.train.img1)
    np.testing.assert_array_equal(
        test.img2, verification.run_data(source, cell._replace(pairs=30), 20, 40, 3).task.test.img2
    )


def test_the_table_has_the_published_accuracies_beside_ours(verification):
    assert [cell.published for cell in verification.CELLS.values()] == [90.61, 91.90, 91.54, 93.15, 91.63, 93.42]
    effective = {cell.pairs * (1 + cell.distortions) for cell in verification.CELLS.values()}
    assert effective == {30_000, 90_000, 150_000, 270_000, 810_000, 1_350_000}
    made = verification.table([{"model": "omniglot", "cell": "90k", "test": 0.95678}])
    columns = [list(column.cells) for column in made.columns]
    assert columns[3] == ["", "", "95.68", "", "", ""]
    assert columns[2][2] == "91.54"


def test_options_are_parsed(verification, capsys):
    options = verification._options(["--set", "learning_rate=0.001", "--set", "objective=mse", "--cells", "30k"])
    assert dict(options.set) == {"learning_rate": 0.001, "objective": "mse"}
    assert options.cells == ["30k"]
    with pytest.raises(SystemExit):
        verification._options(["--cells", "31k"])
    assert "30k+8" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "used", "shown"),
    [({"images_shown": 256}, 128, 256), ({"images_shown": 1000, "batch_pairs": 32}, 300, 1024)],
    ids=["a part of the pairs", "two epochs, each a part of the pairs"],
)
def test_a_cell_is_trained_and_evaluated(verification, source, tmp_path, monkeypatch, settings, used, shown):
    own = verification.Contender("quick", {}, {"tower": "reference", "pairs_per_step": "listed", "objective": "bce"})
    monkeypatch.setitem(verification.CONTENDERS, "omniglot", own)
    monkeypatch.setitem(verification.CELLS, "30k", verification.Cell(300, 0, 90.61))
    result = verification.train("omniglot", source, "30k", 0, settings, tmp_path / "run", held_out=40)
    assert (result["listed_pairs"], result["used_pairs"], result["images_shown"]) == (300, used, shown)
    assert 0 <= result["test"] <= 1
    assert result["config"]["tower"] == "reference"
    json.dumps(result)
