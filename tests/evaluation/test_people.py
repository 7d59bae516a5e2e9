"""People inferred from pairs."""

import numpy as np

from siamese_tf.evaluation.people import people_of_pairs


def test_people_of_pairs_by_hand():
    # 0 = 3 and 3 = 5 are of one person; 1 and 4 are in no same pair, 2 in no pair.
    people = people_of_pairs([0, 5, 1, 0], [3, 3, 4, 1], [1, 1, 0, 0], 6)
    assert people.dtype == np.int64
    assert len(set(people.tolist())) == 4
    assert people[0] == people[3] == people[5]
