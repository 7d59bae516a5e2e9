from pathlib import Path

import numpy as np

from siamese_tf.data.pairs.audit import audit_pairs
from siamese_tf.data.pairs.generated_pairs import GeneratedPairs
from siamese_tf.data.pairs.pair_file import PairDataset


def test_lines_for_people():
    images, one, two = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1), np.array([0, 1]), np.array([2, 3])
    audit = audit_pairs([PairDataset(images, None, one, two, np.array([0, 1], np.uint8), np.zeros(2, np.uint8))])
    made = GeneratedPairs(
        Path("a/train.npz"),
        Path("a/test.npz"),
        "using a",
        {"test_twins": 1, "copies": 2000},
        audit,
        Path("a/pairs.csv"),
    )
    lines = made.lines()
    assert lines[:2] == ["using a", "byte-identical images left out: test twins 1, copies 2,000"]
    assert lines[-3:] == ["wrote a/train.npz", "wrote a/test.npz", "wrote a/pairs.csv"]
    assert "no leaks" in lines


def test_what_could_not_be_read_stands_at_the_end():
    images = np.arange(2, dtype=np.uint8).reshape(2, 1, 1, 1)
    audit = audit_pairs(
        [PairDataset(images, None, np.array([0]), np.array([1]), np.zeros(1, np.uint8), np.zeros(1, int))]
    )
    made = GeneratedPairs(Path("a"), Path("b"), "using a", {}, audit, None, ("c.png: it is empty",), ("few pairs",))
    assert not any("few pairs" in line for line in made.lines())  # warnings go to standard error
    assert made.lines()[-2:] == ["wrote b", "could not be read: c.png: it is empty"]
