"""The threshold at a false match rate: by hand, against every threshold, and the rates that the pairs support."""

import numpy as np
import pytest

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.fmr_threshold import threshold_at_fmr
from siamese_tf.evaluation.roc import tar_at_fmr


def rates_at(similarity, scores, threshold):
    """FMR and FNMR."""
    counts = metrics.confusion(similarity, scores, threshold)
    return counts["fp"] / (counts["fp"] + counts["tn"]), counts["fn"] / (counts["fn"] + counts["tp"])


def drawn(seed, count=400, levels=1000):
    rng = np.random.default_rng(seed)
    similarity = np.arange(count) % 2
    scores = np.round(levels * np.clip(0.3 + 0.4 * similarity + rng.normal(0, 0.25, count), 0, 1)) / levels
    return similarity, scores


def every_threshold(scores):
    return [*np.unique(scores), np.nextafter(scores.max(), 2)]


def test_fmr_threshold_by_hand():
    # Ten different pairs at 0.0 to 0.9, an FMR of 0.3 allows three: from above 0.6 on. Same pairs at 0.65, 0.95.
    similarity, scores = [0] * 10 + [1, 1], [*np.arange(10) / 10, 0.65, 0.95]
    threshold = threshold_at_fmr(similarity, scores, 0.3)
    assert threshold == pytest.approx(0.625)
    assert rates_at(similarity, scores, threshold) == (0.3, 0)


@pytest.mark.parametrize("fmr", [0.02, 0.05, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_no_allowed_threshold_has_a_lower_fnmr(seed, fmr):
    pairs = drawn(seed, levels=50)
    threshold = threshold_at_fmr(*pairs, fmr)
    assert rates_at(*pairs, threshold)[0] <= fmr
    rates = [rates_at(*pairs, t) for t in every_threshold(pairs[1])]
    assert rates_at(*pairs, threshold)[1] == min(fnmr for false, fnmr in rates if false <= fmr)
    assert 1 - rates_at(*pairs, threshold)[1] == pytest.approx(tar_at_fmr(*pairs, fmr))


def test_a_rate_that_the_pairs_cannot_carry_is_refused_with_the_number_it_takes():
    pairs = drawn(0)  # 200 different pairs: 3 / 0.015
    assert 0 < threshold_at_fmr(*pairs, 0.015) < 1
    with pytest.raises(SiameseError, match=r"0\.001 needs 3,000 different pairs, .* got 200\. .* 0\.015 or more"):
        threshold_at_fmr(*pairs, 0.001)
    with pytest.raises(SiameseError, match="above 0 .*and at most 1"):
        threshold_at_fmr(*pairs, 0)


@pytest.mark.parametrize(
    ("different", "advice"), [(4, "0.75"), (7, "0.43"), (9, "0.34"), (30, "0.1"), (70_000, "4.3e-05")]
)
def test_the_rate_advised_is_one_that_the_pairs_carry(different, advice):
    pairs = [1] + [0] * different, [0.9] + [0.1] * different
    with pytest.raises(SiameseError, match=rf"Add pairs, or allow a rate of {advice} or more$"):
        threshold_at_fmr(*pairs, 1e-9)
    assert threshold_at_fmr(*pairs, float(advice)) == pytest.approx(0.5)


@pytest.mark.parametrize("different", [1, 3])
def test_too_few_pairs_for_any_rate_get_no_suggested_rate(different):
    with pytest.raises(SiameseError, match=r"Add pairs$"):
        threshold_at_fmr([1] + [0] * different, [0.9] + [0.1] * different, 0.1)
