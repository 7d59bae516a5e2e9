"""Thresholds by their rules: by hand, against every threshold there is, then the edges and the refusals."""

import subprocess
import sys

import numpy as np
import pytest

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.calibration import max_accuracy_threshold
from siamese_tf.evaluation.fmr_limit import FmrLimit, threshold_at_fmr_limit
from siamese_tf.evaluation.thresholds import (
    RULES,
    best_f1_threshold,
    choose_threshold,
    describe_rule,
    eer_threshold,
    parse_rule,
    threshold_at_fmr,
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
    assert 1 - rates_at(*pairs, threshold)[1] == pytest.approx(metrics.tar_at_fmr(*pairs, fmr))


def test_a_rate_that_the_pairs_cannot_carry_is_refused_with_the_number_it_takes():
    pairs = drawn(0)  # 200 different pairs: 3 / 0.015
    assert 0 < threshold_at_fmr(*pairs, 0.015) < 1
    with pytest.raises(SiameseError, match=r"0\.001 takes 3,000 different pairs .* there are 200\. .* 0\.015 or more"):
        threshold_at_fmr(*pairs, 0.001)
    with pytest.raises(SiameseError, match="above 0 and at most 1"):
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
def test_too_few_pairs_for_any_rate_are_told_to_be_more(different):
    with pytest.raises(SiameseError, match=r"Add pairs$"):
        threshold_at_fmr([1] + [0] * different, [0.9] + [0.1] * different, 0.1)


def test_f1_threshold_by_hand():
    # 0.1 no | 0.3 yes | 0.4 no | 0.8 yes: from 0.3 up F1 is 2*2/(3+2) = 0.8, from 0.8 up 2*1/(1+2), from 0 up 4/6.
    assert best_f1_threshold([0, 1, 0, 1], [0.1, 0.3, 0.4, 0.8]) == pytest.approx(0.2)


def test_f1_threshold_lies_in_the_widest_of_equally_good_stretches():
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
    with pytest.raises(SiameseError, match="give person1 and person2"):
        choose_threshold(similarity, scores, limit)


@pytest.mark.parametrize("text", ["", "best", "F1", "0", "-0.1", "1.5", "nan", "inf", "1%", "1e-310", *LIMITS])
def test_other_rules_are_refused(text):
    with pytest.raises(SiameseError, match="accuracy, f1, eer, or at a false match rate .* got"):
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
