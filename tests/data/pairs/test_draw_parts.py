import numpy as np

from siamese_tf.data.pairs.draw_parts import default_count


def test_default_count_by_hand():
    assert default_count(np.repeat([0, 1], 5000), 50_000) == 50_000  # the standard
    assert default_count(np.repeat([0, 1], 100), 50_000) == 2000  # ten an image
    assert default_count(np.repeat([0, 1], 15), 50_000) == 210  # 210 similar pairs exist: half of the half
    assert default_count(np.repeat([0, 1], 7), 50_000) == 84  # 42 similar pairs exist: few, so all of them
    assert default_count(np.repeat([0, 1], 10), 50_000) == 100  # 90 exist
    assert default_count(np.repeat([0, 1], 7), 30) == 30
    assert default_count(np.array([0, 0, 0, 1]), 50_000) == 6  # 3 exist on either side; even
    assert default_count(np.array([0, 0]), 50_000) == 2  # none exist: left to make_pairs to refuse


def test_default_number_of_pairs_within_groups():
    labels = np.repeat(np.arange(4), 3)
    assert default_count(labels, 50_000, labels // 2) == 24  # all of 12 similar and 12 of 18 dissimilar pairs
    assert default_count(labels, 50_000, np.array([0] * 3 + [1] * 3 + [2] * 6)) == 18
