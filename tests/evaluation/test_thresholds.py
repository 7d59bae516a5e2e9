"""Threshold rules: by hand, against every threshold, then the edge cases and the errors."""

import subprocess
import sys

import numpy as np
import pytest

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.fmr_limit import FmrLimit, threshold_at_fmr_limit
from siamese_tf.evaluation.fmr_threshold import threshold_at_fmr
from siamese_tf.evaluation.thresholds import (
    RULES,
    best_f1_threshold,
    choose_threshold,
    describe_rule,
    eer_threshold,
    max_accuracy_threshold,
    parse_rule,
)

LIMITS = ["0.01 at 95", "0.01 at 100%", "0.01 at 50%", "0.01 at nan%", "0.01at95%", "1 at 95%", "0 at 95%", "f1 at 95%"]


def f1_at(similarity, scores, threshold):
    return metrics.f1(metrics.confusion(similarity, scores, threshold))


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


def accuracy_at(similarity, scores, threshold):
    return np.mean((np.asarray(scores) >= threshold) == np.asarray(similarity))


def test_accuracy_threshold_by_hand():
    # Any cut above 0.4 and up to 0.6 is right on all four; the middle is farthest from both.
    assert max_accuracy_threshold([0, 0, 1, 1], [0.1, 0.4, 0.6, 0.9]) == pytest.approx(0.5)


def test_accuracy_threshold_takes_the_widest_of_equally_good_stretches():
    # 0.1 d | 0.2 s | 0.3 d | 0.8 s: three of four are right for cuts in (0.1, 0.2] and in (0.3, 0.8].
    assert max_accuracy_threshold([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.8]) == pytest.approx(0.55)


def test_accuracy_threshold_takes_the_first_of_equally_wide_stretches():
    # 0.125 d | 0.25 s | 0.5 d | 0.625 s, all exact in binary: (0.125, 0.25] and (0.5, 0.625] are equally wide.
    assert max_accuracy_threshold([0, 1, 0, 1], [0.125, 0.25, 0.5, 0.625]) == 0.1875


def test_a_tie_of_one_same_and_one_different_pair_joins_two_stretches():
    # 0.1 d | 0.5 s and d | 0.8 s: cuts in (0.1, 0.5] and (0.5, 0.8] are each right on three; one stretch to 0.8.
    assert max_accuracy_threshold([0, 1, 0, 1], [0.1, 0.5, 0.5, 0.8]) == pytest.approx(0.45)


@pytest.mark.parametrize("seed", range(50))
def test_no_threshold_has_a_better_accuracy(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 120))
    similarity = rng.integers(0, 2, count)
    similarity[:2] = [1, 0]
    scores = rng.integers(0, rng.integers(2, 30), count) / 30
    threshold = max_accuracy_threshold(similarity, scores)
    best = max(accuracy_at(similarity, scores, t) for t in [*np.unique(scores), 2.0])
    assert accuracy_at(similarity, scores, threshold) == best
    assert 0 <= threshold <= 1


def test_accuracy_threshold_of_scores_one_rounding_apart():
    low = 0.5
    high = np.nextafter(low, 1)
    for pair in ((low, high), (np.nextafter(high, 0), high), (np.nextafter(1.0, 0), 1.0)):
        assert accuracy_at([0, 1], pair, max_accuracy_threshold([0, 1], pair)) == 1


def test_accuracy_threshold_of_constant_scores_is_in_the_middle():
    assert max_accuracy_threshold([0, 1], [0.3, 0.3]) == pytest.approx(0.5)


@pytest.mark.parametrize(("similarity", "scores"), [([0, 0, 1], [1.0, 1.0, 0.0]), ([1, 1, 0], [1.0, 0.0, 0.0])])
def test_accuracy_threshold_where_scores_are_zero_and_one(similarity, scores):
    threshold = max_accuracy_threshold(similarity, scores)
    best = max(accuracy_at(similarity, scores, t) for t in (0.0, 0.5, 1.0, 1.5))
    assert accuracy_at(similarity, scores, threshold) == best


def test_eer_threshold_by_hand():
    # Different 0.1, 0.2, 0.6, same 0.4, 0.8, 0.9. From 0.6 on: FMR 1/3, FNMR 1/3. The next score below is 0.4.
    assert eer_threshold([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.6, 0.4, 0.8, 0.9]) == pytest.approx(0.5)


def test_of_pairs_that_separate_the_eer_threshold_is_in_the_middle_of_the_gap():
    assert eer_threshold([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9]) == pytest.approx(0.4)


@pytest.mark.parametrize("seed", range(20))
def test_no_threshold_has_nearer_error_rates(seed):
    pairs = drawn(seed, levels=50)
    nearest = min(abs(np.subtract(*rates_at(*pairs, t))) for t in every_threshold(pairs[1]))
    assert abs(np.subtract(*rates_at(*pairs, eer_threshold(*pairs)))) == pytest.approx(nearest)
    assert 0 <= eer_threshold(*pairs) <= 1


@pytest.mark.parametrize("score", [0.0, 0.3, 1.0])
def test_constant_scores_have_an_eer_threshold_that_accepts_nobody(score):
    threshold = eer_threshold([0, 1], [score, score])
    assert score < threshold <= max(1, np.nextafter(score, 2))


def test_f1_threshold_by_hand():
    # 0.1 no | 0.3 yes | 0.4 no | 0.8 yes: from 0.3 up F1 is 2*2/(3+2) = 0.8, from 0.8 up 2*1/(1+2), from 0 up 4/6.
    assert best_f1_threshold([0, 1, 0, 1], [0.1, 0.3, 0.4, 0.8]) == pytest.approx(0.2)


def test_f1_threshold_is_in_the_widest_of_equally_good_plateaus():
    # One of two members found without a mistake, 2*1/(1+2), or both with two mistakes, 2*2/(4+2): both 2/3.
    assert best_f1_threshold([0, 1, 0, 0, 1], [0.1, 0.2, 0.3, 0.4, 0.9]) == pytest.approx(0.65)
    assert best_f1_threshold([0, 1, 0, 0, 1], [0.0, 0.6, 0.7, 0.8, 0.9]) == pytest.approx(0.3)


@pytest.mark.parametrize("seed", range(50))
def test_no_threshold_has_a_better_f1(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 120))
    member = rng.integers(0, 2, count)
    member[:2] = [1, 0]
    scores = rng.integers(0, rng.integers(2, 30), count) / 30
    threshold = best_f1_threshold(member, scores)
    every = [f1_at(member, scores, t) for t in [*np.unique(scores), 2.0]]
    assert f1_at(member, scores, threshold) == max(every)
    assert 0 <= threshold <= 1


@pytest.mark.parametrize(
    "scores", [(0.5, np.nextafter(0.5, 1)), (0.0, 1e-320), (np.nextafter(1.0, 0), 1.0), (0.0, 1.0), (-3.0, -2.0)]
)
def test_f1_threshold_of_scores_that_only_just_differ_or_lie_outside(scores):
    assert f1_at([0, 1], scores, best_f1_threshold([0, 1], scores)) == 1


@pytest.mark.parametrize("score", [0.0, 0.3, 1.0])
def test_constant_scores_call_everything_a_member(score):
    threshold = best_f1_threshold([0, 1, 0], [score] * 3)
    assert threshold == score / 2
    assert metrics.recall(metrics.confusion([0, 1, 0], [score] * 3, threshold)) == 1


@pytest.mark.parametrize("similarity", [[1, 1], [0, 0]])
@pytest.mark.parametrize("rule", [*RULES, 0.9])
def test_one_kind_of_pairs_alone_is_refused(similarity, rule):
    with pytest.raises(SiameseError, match="at least one of each"):
        choose_threshold(similarity, [0.1, 0.2], rule)


def test_rules_by_name_and_by_number():
    pairs = drawn(3)
    assert choose_threshold(*pairs, parse_rule("accuracy")) == max_accuracy_threshold(*pairs)
    assert choose_threshold(*pairs, parse_rule("f1")) == best_f1_threshold(*pairs)
    assert choose_threshold(*pairs, parse_rule("eer")) == eer_threshold(*pairs)
    assert choose_threshold(*pairs, parse_rule("0.05")) == threshold_at_fmr(*pairs, 0.05)
    assert [describe_rule(rule) for rule in ("f1", 0.05)] == [
        "at the best F1",
        "at an FMR of 0.05 (an average, not a limit)",
    ]


@pytest.mark.parametrize(
    ("text", "limit", "words"),
    [
        ("0.01 at 95%", FmrLimit(0.01, 0.95), "at an FMR of at most 0.01 with 95% confidence"),
        (" 1e-3  at 99.9 % ", FmrLimit(0.001, 0.999), "at an FMR of at most 0.001 with 99.9% confidence"),
    ],
)
def test_a_rate_can_be_a_limit(text, limit, words):
    rule = parse_rule(text)
    assert rule == (limit.fmr, pytest.approx(limit.confidence))
    assert describe_rule(rule) == words


def test_a_limit_is_chosen_over_people():
    similarity, scores = np.arange(400) % 2, drawn(0)[1]
    people = np.arange(400) // 2 % 40, np.where(similarity, np.arange(400) // 2 % 40, (np.arange(400) // 2 + 7) % 40)
    limit = FmrLimit(0.3, 0.95)
    assert choose_threshold(similarity, scores, limit, *people) == threshold_at_fmr_limit(
        similarity, scores, *people, limit
    )
    with pytest.raises(SiameseError, match="pass person1 and person2"):
        choose_threshold(similarity, scores, limit)


@pytest.mark.parametrize("text", ["", "best", "F1", "0", "-0.1", "1.5", "nan", "inf", "1%", "1e-310", *LIMITS])
def test_other_rules_are_refused(text):
    with pytest.raises(SiameseError, match="one of accuracy, f1, eer, or a false match rate .* got"):
        parse_rule(text)


def test_no_tensorflow_comes_with_thresholds_and_reports():
    program = (
        "import sys\n"
        "from siamese_tf.evaluation import thresholds, verification, intervals\n"
        "from siamese_tf.evaluation.plots import verification\n"
        "print(sorted({'matplotlib.pyplot', 'tensorflow', 'keras'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("function", [max_accuracy_threshold, best_f1_threshold, eer_threshold])
@pytest.mark.parametrize(
    ("similarity", "scores", "message"),
    [
        ([0, 1, 1], [0.1, 0.2], r"\(3,\).*\(2,\)"),
        ([0, 1], [0.1, np.nan], "1 of 2"),
        ([0, 3], [0.1, 0.2], "got 3"),
        ([1, 1], [0.1, 0.2], "2 same and 0 different"),
    ],
)
def test_refuses_what_is_not_scored_pairs_of_both_classes(function, similarity, scores, message):
    with pytest.raises(SiameseError, match=message):
        function(similarity, scores)
