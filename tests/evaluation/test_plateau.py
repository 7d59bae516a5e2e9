"""The middle of a plateau: by hand, at the ends of the scores, and for scores one rounding apart."""

import numpy as np
import pytest

from siamese_tf.evaluation.plateau import midpoint, plateau_threshold

THRESHOLDS = np.array([np.inf, 0.9, 0.5, 0.25])


def test_the_midpoint_lies_between():
    assert midpoint(0.25, 0.5) == 0.375
    assert isinstance(midpoint(np.float64(0.25), np.float64(0.5)), float)


@pytest.mark.parametrize("low", [0.0, 0.5, 1 - 2**-53, -3.0])
def test_the_midpoint_of_neighboring_floats_is_the_upper_one(low):
    high = float(np.nextafter(low, np.inf))
    assert midpoint(low, high) == high


@pytest.mark.parametrize(("point", "expected"), [(0, 0.95), (1, 0.7), (2, 0.375), (3, 0.125)])
def test_plateaus_by_hand(point, expected):
    assert plateau_threshold(THRESHOLDS, point) == pytest.approx(expected)


def test_scores_outside_0_to_1_end_the_outermost_plateaus():
    outside = np.array([np.inf, 2.0, -1.0])
    assert plateau_threshold(outside, 0) == np.nextafter(2.0, np.inf)
    assert plateau_threshold(outside, 2) == -1.0
