"""The interval of the accuracy over images: a slow reference, coverage on simulated models, then the edge cases."""

from itertools import product

import numpy as np
import pytest

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.accuracy_interval import bootstrap_accuracy
from siamese_tf.evaluation.intervals import accuracy_of, bootstrap_people
from siamese_tf.evaluation.jackknife import jackknife_intervals


def shared_pairs(rng, images, pairs):
    """Pairs among few images, some of which are hard: each hard image fails most of its pairs."""
    hard = rng.random(images) < 0.15
    img1 = rng.integers(0, images, pairs)
    img2 = (img1 + rng.integers(1, images, pairs)) % images
    chance_right = np.where(hard[img1] | hard[img2], 0.3, 0.98)
    return img1, img2, rng.random(pairs) < chance_right


def binomial(correct):
    half = 1.96 * np.sqrt(correct.mean() * (1 - correct.mean()) / len(correct))
    return correct.mean() - half, correct.mean() + half


def test_four_images_by_enumeration():
    # Images A to D, all six pairs, only AB is wrong. Of the 256 equally likely draws 4 hold one image and no pair; 14
    # hold A and B alone: accuracy 0 in 14 / 252 = 5.6% of the draws, so the lower end is 0. Drawing pairs instead
    # would give 1/2: two of six or fewer are right in 0.9% of the draws, three or fewer in 6.2%.
    img1, img2 = np.triu_indices(4, 1)
    correct = [False, True, True, True, True, True]
    accuracies = []
    for draw in product(range(4), repeat=4):
        weights = [draw.count(a) * draw.count(b) for a, b in zip(img1, img2, strict=True)]
        if sum(weights):
            accuracies.append(sum(weights[1:]) / sum(weights))
    assert (len(accuracies), accuracies.count(0)) == (252, 14)
    expected = tuple(np.percentile(accuracies, [2.5, 97.5]))
    assert expected == (0.0, 1.0)
    rates = accuracy_of(np.array(correct, np.int64))
    assert bootstrap_people(img1, img2, rates, replicates=5000)["accuracy"] == expected
    assert bootstrap_accuracy(img1, img2, correct) == (0, 1)  # of four images nothing is known


def test_agrees_with_a_slow_reference_that_draws_images_one_by_one():
    img1, img2, correct = shared_pairs(np.random.default_rng(1), images=100, pairs=300)
    rng = np.random.default_rng(2)
    accuracies = []
    for _ in range(1500):
        drawn = np.bincount(rng.integers(0, 100, 100), minlength=100).tolist()
        weights = [drawn[a] * drawn[b] for a, b in zip(img1, img2, strict=True)]
        accuracies.append(sum(w for w, right in zip(weights, correct, strict=True) if right) / sum(weights))
    low, high = bootstrap_accuracy(img1, img2, correct, replicates=5000)
    # Two bootstraps of one sample differ by chance only: a tenth of the width is several standard errors.
    assert np.percentile(accuracies, 2.5) == pytest.approx(low, abs=0.1 * (high - low))
    assert np.percentile(accuracies, 97.5) == pytest.approx(high, abs=0.1 * (high - low))


def test_wider_than_the_binomial_interval_where_few_images_are_shared_by_many_pairs():
    img1, img2, correct = shared_pairs(np.random.default_rng(0), images=60, pairs=5000)
    low, high = bootstrap_accuracy(img1, img2, correct)
    naive_low, naive_high = binomial(correct)
    assert low < correct.mean() < high
    assert high - low > 3 * (naive_high - naive_low)


def test_covers_the_truth_where_the_binomial_interval_does_not():
    rng = np.random.default_rng(0)
    no_hard_image = 0.85**2
    truth = no_hard_image * 0.98 + (1 - no_hard_image) * 0.3
    ours = naive = 0
    for seed in range(100):
        img1, img2, correct = shared_pairs(rng, images=120, pairs=1500)
        low, high = bootstrap_accuracy(img1, img2, correct, replicates=200, seed=seed)
        ours += low <= truth <= high
        low, high = binomial(correct)
        naive += low <= truth <= high
    assert ours >= 90
    assert naive <= 65


def test_the_interval_of_many_images_stays_what_it_was():
    """Records of every release hold it."""
    pairs = shared_pairs(np.random.default_rng(0), images=100, pairs=500)
    assert bootstrap_accuracy(*pairs) == pytest.approx((0.6782681794515792, 0.886910360678925), abs=1e-15)


def test_of_few_images_each_is_left_out():
    img1, img2, correct = shared_pairs(np.random.default_rng(0), images=12, pairs=60)
    positions = np.unique(np.concatenate([img1, img2]), return_inverse=True)[1]
    rates = accuracy_of(correct.astype(np.int64))
    expected = jackknife_intervals(*np.split(positions, 2), np.zeros(60, bool), rates)["accuracy"]
    assert bootstrap_accuracy(img1, img2, correct) == bootstrap_accuracy(img1, img2, correct, seed=1) == expected
    narrow = bootstrap_people(img1, img2, rates)["accuracy"]
    assert np.subtract(*expected) < np.subtract(*narrow) < 0  # low - high


def test_same_seed_same_interval():
    pairs = shared_pairs(np.random.default_rng(0), images=120, pairs=300)
    assert bootstrap_accuracy(*pairs, seed=3) == bootstrap_accuracy(*pairs, seed=3)
    assert bootstrap_accuracy(*pairs, seed=3) != bootstrap_accuracy(*pairs, seed=4)


def test_images_in_no_pair_change_nothing():
    img1, img2, correct = shared_pairs(np.random.default_rng(0), images=50, pairs=300)
    far_apart = np.sort(np.random.default_rng(1).choice(2**31 - 1, 50, replace=False)).astype(np.int32)
    expected = bootstrap_accuracy(img1, img2, correct)
    assert bootstrap_accuracy(far_apart[img1], far_apart[img2], correct) == expected


def test_leaves_the_global_generator_alone():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    bootstrap_accuracy([0, 1], [1, 2], [1, 0])
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_an_interval_without_observed_mistakes_allows_for_some():
    # 100 images hold at most 50 pairs that share none: rule of three, 3 / 50.
    img1, img2 = np.arange(100), np.roll(np.arange(100), 1)
    assert bootstrap_accuracy(img1, img2, np.ones(100)) == pytest.approx((0.94, 1.0))
    assert bootstrap_accuracy(img1, img2, np.zeros(100)) == pytest.approx((0.0, 0.06))
    assert bootstrap_accuracy([0], [1], [True]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("img1", "img2", "correct", "message"),
    [
        ([0, 1], [1], [1, 0], r"\(2,\).*\(1,\)"),
        ([0, 1], [1, 2], [1], r"\(2,\).*\(1,\)"),
        ([[0, 1]], [[1, 2]], [[1, 0]], r"\(1, 2\)"),
        ([], [], [], "at least one pair"),
        ([0.5, 1], [1, 2], [1, 0], "float64"),
        ([0, 1], [1, 2], [1, 0.5], "correct.*0.5"),
    ],
)
def test_refuses_what_is_not_pairs(img1, img2, correct, message):
    with pytest.raises(SiameseError, match=message):
        bootstrap_accuracy(img1, img2, correct)


def test_refuses_too_few_replicates():
    with pytest.raises(SiameseError, match="replicates must be at least 100 .* got 10"):
        bootstrap_accuracy([0, 1], [1, 2], [1, 0], replicates=10)
