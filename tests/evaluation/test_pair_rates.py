"""Weighted rates: unit weights give the metrics, whole weights the rates of repeated pairs."""

import numpy as np
import pytest
from scored_cases import scored_pairs

from siamese_tf.evaluation import metrics
from siamese_tf.evaluation.pair_rates import RATES, PairRates
from siamese_tf.evaluation.roc import auc, eer, tar_at_fmr


def rates_of(similarity, scores, threshold=0.5):
    return PairRates(similarity == 1, scores, scores >= threshold)


def test_unit_weights_give_the_metrics():
    similarity, scores = scored_pairs()
    rates = rates_of(similarity, scores)
    counts = metrics.confusion(similarity, scores, 0.5)
    ones = np.ones(similarity.size, np.int64)
    assert rates.counts(ones) == counts
    found = rates.of(ones)
    assert list(found) == [*RATES, "0.1", "0.01"]  # 300 different pairs do not support 0.001
    assert found["fmr"] == counts["fp"] / 300
    assert found["fnmr"] == counts["fn"] / 300
    assert (found["eer"], found["auc"]) == (eer(similarity, scores), auc(similarity, scores))
    assert found["0.01"] == pytest.approx(1 - tar_at_fmr(similarity, scores, 0.01))


def test_weights_repeat_pairs():
    similarity, scores = scored_pairs()
    weights = np.random.default_rng(1).integers(0, 4, similarity.size)
    repeated = np.repeat(similarity, weights), np.repeat(scores, weights)
    expected = rates_of(*repeated).of(np.ones(repeated[0].size, np.int64))
    found = rates_of(similarity, scores).of(weights)
    assert {name: found[name] for name in RATES} == pytest.approx({name: expected[name] for name in RATES})


@pytest.mark.parametrize("kind", [0, 1])
def test_rates_without_one_class_are_nan(kind):
    similarity, scores = scored_pairs()
    found = rates_of(similarity, scores).of((similarity == kind).astype(np.int64))
    assert list(found) == [*RATES, "0.1", "0.01"]
    assert np.isnan(list(found.values())).all()
