from fractions import Fraction

import pytest

from siamese_tf.data.sampling.train_share import check_train_share, other_counts, other_steps, scale_steps
from siamese_tf.errors import ConfigError


@pytest.mark.parametrize("share", [0, -0.1, 1.01, float("nan")])
def test_a_share_is_above_0_and_at_most_1(share):
    for good in (None, 0.001, 1):
        check_train_share(good)
    with pytest.raises(ConfigError, match=r"the training share must be more than 0 and at most 1; got "):
        check_train_share(share)


def test_steps_of_test_and_validation():
    assert other_steps((4, 5), False, None, "image", "drawn") == (4, 5)
    assert other_steps((4, 5), False, 0.3, "image", "drawn") == (4, 5)
    assert other_steps((4, 5), True, 0.3, "image", "drawn") == (6,)
    assert other_steps((4, 5), True, 1, "image", "drawn") == ()
    with pytest.raises(ConfigError, match="must be less than 1 for drawn, which has no official test split; got 1"):
        other_steps((4, 5), False, 1, "image", "drawn")
    with pytest.raises(ConfigError, match="no official test split that shares no group with its other images; got 1"):
        other_steps((5, 5), False, 1, "group", "drawn")


@pytest.mark.parametrize(
    ("steps", "share", "expected"),
    [
        ((4, 5), None, (4, 5)),
        ((4, 5), 0.6, (4, 5)),
        ((6,), 0.75, (4,)),
        ((4, 5), 0.2, (2, Fraction(5, 3))),  # half of all images; of the other half 0.3 / 0.5
        ((), 1, ()),
    ],
)
def test_successive_steps_leave_the_share_for_training(steps, share, expected):
    assert tuple(scale_steps(steps, share)) == expected


@pytest.mark.parametrize(
    ("total", "share", "expected"),
    [
        (10, None, [2, 2]),
        (8, None, [2, 2]),
        (6, None, [2, 2]),
        (30, 0.8, [3, 3]),
        (10, 0.5, [3, 2]),
        (10, 0.01, [4, 4]),  # training keeps the minimum
        (10, 0.99, [2, 2]),  # so do the others
    ],
)
def test_counts_of_classes(total, share, expected):
    assert other_counts(total, (5, 5), 2, share) == expected


def test_counts_without_another_split_or_minimum():
    assert other_counts(5, (), 2, 1) == []
    assert other_counts(1, (5, 5), 0, 0.5) == [1, 0]
    assert other_counts(0, (5, 5), 0, 0.5) == [0, 0]
