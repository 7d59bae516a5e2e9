import numpy as np

from siamese_tf.data.pairs.pair_file import PairDataset
from siamese_tf.data.pairs.train_test_pairs import TrainTestPairs

PAIRS = PairDataset(np.zeros((2, 4, 4, 1), np.uint8), None, *np.zeros((4, 1), np.uint8))


def test_lines_are_the_note_and_the_unreadable_files():
    pairs = TrainTestPairs(PAIRS, None, "toys", "using toys", unreadable=("a.png: damaged",))
    assert pairs.lines() == ["using toys", "could not be read: a.png: damaged"]
    assert pairs.warning_lines() == ()


def test_a_leak_is_the_last_warning():
    warnings = TrainTestPairs(PAIRS, None, "toys", "using toys", leaks=1200, warnings=("few images",)).warning_lines()
    assert warnings[0] == "few images"
    assert "1,200 findings" in warnings[1]
