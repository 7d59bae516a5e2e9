import numpy as np
import pytest

from siamese_tf.models import pair_logits
from siamese_tf.models.heads import build_head
from siamese_tf.models.pair_logits import PairLogits, probability


def test_probability_pencil():
    # log 3: 3 / (3 + 1).
    np.testing.assert_allclose(probability(np.array([0, np.log(3), -np.log(3)])), [0.5, 0.75, 0.25])
    np.testing.assert_array_equal(probability(np.array([1e4, -1e4])), [1, 0])


@pytest.mark.parametrize("block", [1, 5, 100])
def test_each_pair_gets_what_the_head_says_of_it_alone(block, monkeypatch):
    monkeypatch.setattr(pair_logits, "PAIR_BLOCK", block)
    rng = np.random.default_rng(0)
    embeddings = rng.standard_normal((7, 4)).astype(np.float32)
    rows1, rows2 = rng.integers(7, size=(2, 12))
    head = build_head("cosine", 4)
    logits = PairLogits(head, 4)(embeddings, rows1, rows2)
    assert logits.dtype == np.float64
    alone = [head((embeddings[[i]], embeddings[[j]])).numpy().item() for i, j in zip(rows1, rows2, strict=True)]
    np.testing.assert_allclose(logits, alone, atol=1e-6)
