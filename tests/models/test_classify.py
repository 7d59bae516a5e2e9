import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.errors import ConfigError, ImageError
from siamese_tf.models.classify import MEAN_EMBEDDING, RULES, class_logits
from siamese_tf.models.heads import build_head
from siamese_tf.models.pair_scorer import PairScorer
from siamese_tf.models.probability import probability
from siamese_tf.models.siamese_model import SiameseModel

QUERY = np.float32([[1, 0]])
SUPPORT = np.float32([[1, 0], [0, 1], [0.6, 0.8], [0.6, -0.8]])
LABELS = ["b", "b", "a", "a"]


@pytest.fixture(scope="module")
def model() -> SiameseModel:
    keras.utils.set_random_seed(0)
    return SiameseModel((8, 8, 1), tower="small_cnn", embedding_dim=4)


@pytest.fixture(scope="module")
def cosine() -> PairScorer:
    return PairScorer(build_head("cosine", 2), 2)


def logits_of(scorer, cosines):
    return (scorer.head.bias - scorer.head.scale * (1 - np.array(cosines))).numpy()


@pytest.mark.parametrize(
    ("rule", "cosines"),
    [
        ("mean-score", [(1 + 0) / 2, 0.6]),
        ("best-score", [1, 0.6]),
        ("mean-embedding", [np.sqrt(0.5), 1]),  # the means are (.5, .5) and (.6, 0)
    ],
)
def test_worked_example(cosine, rule, cosines):
    classes, logits = class_logits(cosine, QUERY, SUPPORT, LABELS, rule)
    assert classes == ["b", "a"]
    assert (logits.shape, logits.dtype) == ((1, 2), np.float32)
    np.testing.assert_allclose(logits[0], logits_of(cosine, cosines), atol=1e-5)


def test_the_length_of_an_embedding_does_not_change_the_mean_of_a_class(cosine):
    longer = SUPPORT * np.float32([[1], [7], [1], [1]])
    expected = class_logits(cosine, QUERY, SUPPORT, LABELS)[1]
    np.testing.assert_allclose(class_logits(cosine, QUERY, longer, LABELS)[1], expected, atol=1e-5)


def test_a_head_that_compares_lengths_keeps_them():
    scorer = PairScorer(build_head("concat", 2), 2)
    means = np.float32([[0.5, 3.5], [0.6, 0]])
    longer = SUPPORT * np.float32([[1], [7], [1], [1]])
    np.testing.assert_allclose(
        class_logits(scorer, QUERY, longer, LABELS)[1], scorer.logit_matrix(QUERY, means), atol=1e-6
    )


@pytest.mark.parametrize("rule", RULES)
def test_with_one_image_per_class_every_rule_is_the_score_of_the_pair(model, rule):
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), np.uint8)
    predicted, scores = model.classify(images[:2], images[2:], [7, 3, 5], rule)
    np.testing.assert_allclose(scores, model.score_matrix(images[:2], images[2:]), atol=1e-5)
    assert predicted == [[7, 3, 5][column] for column in scores.argmax(axis=1)]


def test_classify_returns_probabilities_of_the_class_logits(model):
    images = np.random.default_rng(1).integers(0, 256, (6, 8, 8, 1), np.uint8)
    embeddings = model.embed(images)
    _, logits = class_logits(model.all_pairs, embeddings[:2], embeddings[2:], list("xyxy"))
    predicted, scores = model.classify(images[:2], images[2:], list("xyxy"))
    np.testing.assert_allclose(scores, probability(logits.astype(float)), atol=1e-6)
    assert set(predicted) <= {"x", "y"}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"rule": "median"}, ConfigError, "rule must be one of mean-embedding, mean-score, best-score; got 'median'"),
        ({"labels": ["a"]}, ConfigError, "labels must have one entry per support image.*got 1 for 4"),
        ({"support": SUPPORT[:0], "labels": []}, ConfigError, "at least one; got 0 for 0"),
        ({"support": SUPPORT * 0}, ImageError, r"not zero; got an invalid one for support\[0\] and 3 more, of 4"),
        ({"queries": QUERY * np.nan}, ImageError, r"finite and not zero; got an invalid one for images\[0\], of 1"),
    ],
)
def test_refused(cosine, change, error, message):
    arguments = {"queries": QUERY, "support": SUPPORT, "labels": LABELS, "rule": MEAN_EMBEDDING} | change
    with pytest.raises(error, match=message):
        class_logits(cosine, **arguments)
