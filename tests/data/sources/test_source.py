import numpy as np

from siamese_tf.data.sources.source import Source


def source(**values) -> Source:
    images = np.zeros((2, 4, 4, 1), np.uint8)
    given = {"origin": "memory", "files": {}, "note": "using toys", **values}
    return Source("toys", images, np.arange(2), np.zeros(2, bool), ("a", "b"), **given)


def test_unreadable_files_follow_the_note():
    assert source().lines() == ["using toys"]
    assert source(unreadable=("a/1.png: damaged",)).lines() == ["using toys", "could not be read: a/1.png: damaged"]


def test_a_source_has_a_split_if_it_names_validation_images():
    assert not source().has_split
    assert source(is_validation=np.zeros(2, bool)).has_split
