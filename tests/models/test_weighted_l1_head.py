import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.models.heads import build_head
from siamese_tf.models.model_file import load_model, save_model
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.models.weights import named_weights

KERNEL = np.array([[-1.0], [0.5]], np.float32)


@pytest.fixture
def pencil():
    """Returns a head with the weights -1 and 1/2 and the bias 2."""
    head = build_head("weighted_l1", 2)
    head.layers[0].set_weights([KERNEL, np.array([2.0])])
    return head


def random_embeddings(count: int, dimensions: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((count, dimensions), np.float32)


def test_the_logit_is_a_weighted_sum_of_absolute_differences(pencil):
    a, b = tf.constant([[0.0, 0.0], [1.0, 1.0], [0.0, 4.0]]), tf.constant([[0.0, 0.0], [4.0, 1.0], [0.0, 0.0]])
    logits = np.array([2.0, -1.0, 4.0])  # 2 - |a1 - b1| + |a2 - b2| / 2
    np.testing.assert_allclose(pencil.logit(a, b), logits)
    np.testing.assert_allclose(pencil((b, a)), logits)
    np.testing.assert_allclose(pencil.distance(a, b), np.log1p(np.exp(-logits)), rtol=1e-6)


def test_the_matrix_equals_a_reference_with_all_differences():
    head, a, b = build_head("weighted_l1", 6), random_embeddings(5, 6, 1), random_embeddings(3, 6, 2)
    kernel, bias = head.layers[0].get_weights()
    expected = np.abs(a[:, np.newaxis] - b) @ kernel[:, 0] + bias
    np.testing.assert_allclose(head.logit_matrix(tf.constant(a), tf.constant(b)), expected, rtol=1e-5)


@pytest.mark.parametrize("traced", [False, True])
def test_the_gradients_of_the_matrix_equal_those_of_all_pairs(traced):
    head = build_head("weighted_l1", 6)
    a, weights = tf.Variable(random_embeddings(5, 6, 1)), head.trainable_variables
    rows, columns = np.divmod(np.arange(25), 5)

    def gradients(of_matrix):
        with tf.GradientTape() as tape:
            pairs = tf.gather(a, rows), tf.gather(a, columns)
            logits = tf.reshape(head.logit_matrix(a, a), [-1]) if of_matrix else head.logit(*pairs)
            loss = tf.reduce_sum(tf.sin(logits))
        return [tf.convert_to_tensor(one) for one in tape.gradient(loss, [a, *weights])]

    found = (tf.function(gradients) if traced else gradients)(True)
    assert len(found) == 3
    for one, other in zip(found, gradients(False), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_the_initial_weights_are_those_of_the_original():
    head = build_head("weighted_l1", 4096)
    kernel, bias = head.layers[0].get_weights()
    assert (kernel.mean(), kernel.std()) == pytest.approx((0, 0.2), abs=0.02)
    assert bias[0] == pytest.approx(0.5, abs=0.05)
    assert {weight.shape for weight in map(np.asarray, head.trainable_variables)} == {(4096, 1), (1,)}


def test_a_saved_model_scores_and_searches_as_before(tmp_path, drawn):
    model = drawn(SiameseModel((8, 8, 1), "reference", 4, "weighted_l1"))
    model.head.calibrate(2.0, -0.5)
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1), np.uint8)
    save_model(model, tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert {"head.scale", "head.bias", "head.00.kernel", "head.00.bias"} <= set(named_weights(model.tower, model.head))
    scores = model.score_matrix(images, images)
    np.testing.assert_allclose(loaded.score_matrix(images, images), scores, atol=1e-6)
    np.testing.assert_allclose(scores, scores.T, atol=1e-6)
    np.testing.assert_allclose(model.score(images[:3], images[3:]), scores[range(3), range(3, 6)], atol=1e-6)
    indices, best = model.top_k(images, images, 2)
    np.testing.assert_allclose(best, np.take_along_axis(scores, indices, axis=1), atol=1e-6)
    np.testing.assert_allclose(best[:, 0], scores.max(axis=1), atol=1e-6)
    classes, _ = model.classify(images[:3], images[3:], ["x", "y", "z"])
    assert classes == [["x", "y", "z"][best] for best in scores[:3, 3:].argmax(axis=1)]
