from siamese_tf.inference.duplicate_pair import DuplicatePair


def test_a_pair_without_a_score_is_equal_and_upright():
    pair = DuplicatePair(0, 1, "identical")
    assert (pair.score, pair.turns, pair.mirrored) == (1.0, 0, False)
