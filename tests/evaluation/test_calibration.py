"""Platt scaling: by hand, scikit-learn as the reference, then logits that carry no information."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from siamese_tf.errors import SiameseError
from siamese_tf.evaluation.calibration import MIN_SLOPE, fit_logistic


def noisy_logits(seed, count=400, scale=1.0, shift=0.0):
    rng = np.random.default_rng(seed)
    similarity = (rng.random(count) < 0.4).astype(np.uint8)
    return similarity, scale * (np.where(similarity, 1, -1) + rng.normal(0, 1.5, count)) + shift


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_probability_by_hand():
    # Two scores, three pairs at each: 1 of 3 same at -1, 2 of 3 same at +1. Platt's targets for 3 same and 3
    # different pairs are 4/5 and 1/5; a line through two groups fits both means: (4/5 + 2/5) / 3 = 2/5 and 3/5.
    slope, intercept = fit_logistic([1, 0, 0, 1, 1, 0], [-1, -1, -1, 1, 1, 1])
    assert intercept == pytest.approx(0, abs=1e-12)
    assert slope == pytest.approx(np.log(0.6 / 0.4))


@pytest.mark.parametrize(
    ("seed", "scale", "shift"), [(0, 1, 0), (1, 1, 5), (2, 1e-3, 0), (3, 200, -1e4), (4, 1e-4, 1), (5, 3, 0)]
)
def test_agrees_with_scikit_learn_on_smoothed_targets(seed, scale, shift):
    similarity, logits = noisy_logits(seed, scale=scale, shift=shift)
    same = int(similarity.sum())
    target = np.where(similarity == 1, (same + 1) / (same + 2), 1 / (len(logits) - same + 2))
    x = ((logits - shift) / scale)[:, None]  # scikit-learn's solver gets easy numbers
    oracle = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=200)
    oracle.fit(np.r_[x, x], np.r_[np.ones(len(x)), np.zeros(len(x))], sample_weight=np.r_[target, 1 - target])
    slope, intercept = fit_logistic(similarity, logits)
    expected = oracle.coef_[0, 0] / scale
    assert slope == pytest.approx(expected, rel=1e-6)
    assert intercept == pytest.approx(oracle.intercept_[0] - expected * shift, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_the_gradient_is_zero(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(20, 2000))
    similarity = (rng.random(count) < rng.uniform(0.2, 0.8)).astype(int)
    logits = rng.standard_t(2, count) * 3 + rng.uniform(3, 50) * similarity  # heavy tails
    slope, intercept = fit_logistic(similarity, logits)
    assert slope > MIN_SLOPE
    same = similarity.sum()
    target = np.where(similarity == 1, (same + 1) / (same + 2), 1 / (count - same + 2))
    error = sigmoid(np.clip(slope * logits + intercept, -700, 700)) - target
    assert abs(error.mean()) < 1e-8
    assert abs((error * logits).mean()) < 1e-8 * np.abs(logits).max()


def test_calibrated_probabilities_are_honest():
    similarity, logits = noisy_logits(0, count=20000, scale=7, shift=3)
    slope, intercept = fit_logistic(similarity, logits)
    probability = sigmoid(slope * logits + intercept)
    for low in np.arange(0.1, 0.9, 0.1):
        inside = (probability >= low) & (probability < low + 0.1)
        assert similarity[inside].mean() == pytest.approx(probability[inside].mean(), abs=0.05)


@pytest.mark.parametrize("count", [1, 2, 1000])
@pytest.mark.parametrize("gap", [1e-6, 1, 1e6])
def test_separable_data_give_a_finite_line(count, gap):
    similarity = np.repeat([0, 1], count)
    slope, intercept = fit_logistic(similarity, gap * (similarity - 0.5))
    # The two groups are fitted exactly: 1 / (count + 2) and (count + 1) / (count + 2).
    assert slope * gap / 2 == pytest.approx(np.log(count + 1), rel=1e-6)
    assert intercept == pytest.approx(0, abs=1e-6)


def test_one_wrong_pair_far_out_is_survived():
    similarity, logits = noisy_logits(0)
    logits[0] = -1e8 if similarity[0] else 1e8
    slope, intercept = fit_logistic(similarity, logits)
    assert np.isfinite([slope, intercept]).all()
    assert slope > 0


def test_one_right_pair_so_far_out_that_exp_would_overflow():
    similarity, logits = noisy_logits(0, count=20000)
    logits[np.argmin(similarity)] = -1e4  # the first different pair
    with np.errstate(over="raise", invalid="raise"):
        slope, intercept = fit_logistic(similarity, logits)
    assert slope * -1e4 + intercept < -750
    expected = fit_logistic(*noisy_logits(0, count=20000))
    assert (slope, intercept) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    "logits",
    [[1, 1, -1, -1], [0.7] * 4, [1, 2, 2, 1], [0.3, 0.1, 0.1 + 2e-16, 0.3]],
    ids=["backwards", "constant", "nothing", "rounding"],
)
def test_slope_is_the_floor_where_logits_do_not_help(logits):
    slope, intercept = fit_logistic([0, 0, 1, 1], logits)
    assert slope == MIN_SLOPE > 0
    assert sigmoid(slope * np.array(logits) + intercept) == pytest.approx([0.5] * 4, abs=1e-3)


def test_backwards_logits_still_give_the_share_of_same_pairs():
    similarity = np.array([1] * 100 + [0] * 300)
    logits = np.where(similarity == 1, -1.0, 1.0) + 5000
    slope, intercept = fit_logistic(similarity, logits)
    assert slope == MIN_SLOPE
    assert sigmoid(slope * logits + intercept) == pytest.approx([0.25] * 400, abs=0.005)


@pytest.mark.parametrize(
    ("similarity", "scores", "message"),
    [
        ([0, 1, 1], [0.1, 0.2], r"\(3,\).*\(2,\)"),
        ([0, 1], [0.1, np.nan], "1 of 2"),
        ([0, 3], [0.1, 0.2], "got 3"),
        ([1, 1], [0.1, 0.2], "2 same and 0 different"),
    ],
)
def test_refuses_what_is_not_scored_pairs_of_both_classes(similarity, scores, message):
    with pytest.raises(SiameseError, match=message):
        fit_logistic(similarity, scores)
