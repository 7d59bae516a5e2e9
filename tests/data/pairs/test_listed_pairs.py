from siamese_tf.data.pairs.listed_pairs import is_lfw, is_list


def test_what_a_file_is_stands_at_the_end_of_its_name():
    assert is_list("a.csv")
    assert is_list("A.TXT")
    assert not is_list("a.npz")
    assert [is_lfw(name) for name in ("a.csv", "A.TXT", "a.npz")] == [False, True, False]
