import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from siamese_tf.losses.contrastive import ContrastiveLoss, contrastive_loss
from siamese_tf.losses.mse import squared_error


def reference(similarity: np.ndarray, distance: np.ndarray, margin: float) -> np.ndarray:
    losses = []
    for y, d in zip(similarity, distance, strict=True):
        if y == 1:
            losses.append(d * d)
        elif d < margin:
            losses.append((margin - d) ** 2)
        else:
            losses.append(0.0)
    return np.array(losses)


def test_worked_example():
    # Margin 2. Same at distance 3: 3^2 = 9. Different at 1/2: (2 - 1/2)^2 = 9/4; at 2 and beyond: 0.
    loss = contrastive_loss(tf.constant([1, 0, 0, 0]), tf.constant([3.0, 0.5, 2.0, 7.0]), margin=2.0)
    np.testing.assert_allclose(loss, [9, 9 / 4, 0, 0])


@pytest.mark.parametrize("margin", [0.4, 1.0, 2.5])
def test_values_equal_a_slow_reference(margin):
    rng = np.random.default_rng(3)
    similarity, distance = rng.integers(0, 2, 200, dtype=np.uint8), rng.uniform(0, 3, 200).astype(np.float32)
    loss = contrastive_loss(similarity, tf.constant(distance), margin)
    np.testing.assert_allclose(loss, reference(similarity, distance.astype(np.float64), margin), rtol=1e-5, atol=1e-5)


def test_the_shape_is_preserved():
    assert contrastive_loss(tf.zeros((3, 3), tf.uint8), tf.ones((3, 3))).shape == (3, 3)


def test_better_distances_lower_the_loss_and_inverted_labels_raise_it():
    nearer = tf.constant([0.8, 0.6, 0.4, 0.2, 0.0])
    same, inverted = (contrastive_loss(tf.fill([5], y), nearer).numpy() for y in (1, 0))
    assert (np.diff(same) < 0).all()
    assert (np.diff(inverted) > 0).all()


def test_gradient_descent_pulls_similar_pairs_together_and_pushes_dissimilar_apart():
    distance = tf.Variable([0.5, 0.5])
    with tf.GradientTape() as tape:
        loss = contrastive_loss(tf.constant([1, 0]), distance)
    np.testing.assert_allclose(tape.gradient(loss, distance), [1.0, -1.0])  # descent moves the pairs together and apart


def test_identical_embeddings_give_finite_loss_and_gradients(values_at_identical_embeddings):
    numbers = values_at_identical_embeddings(contrastive_loss, "distance")
    assert len(numbers) > 1
    assert all(np.isfinite(array).all() for array in numbers)


def test_it_is_not_the_squared_error_again(head):
    """On 1 - p with margin 1, value and gradient would equal those of `mse`."""
    rng = np.random.default_rng(4)
    a, b = (tf.Variable(rng.normal(size=(6, 8)).astype(np.float32)) for _ in range(2))
    similarity = tf.constant([1, 0, 1, 0, 1, 0])
    with tf.GradientTape(persistent=True) as tape:
        mse = squared_error(similarity, head.logit(a, b))
        ours = contrastive_loss(similarity, head.distance(a, b))
        again = contrastive_loss(similarity, 1.0 - tf.sigmoid(head.logit(a, b)))
    np.testing.assert_allclose(again, mse, atol=1e-6)
    np.testing.assert_allclose(tape.gradient(again, a), tape.gradient(mse, a), atol=1e-6)
    assert np.abs(ours - mse).max() > 0.05
    gradients = [tape.gradient(loss, a).numpy().ravel() for loss in (ours, mse)]
    assert np.abs(gradients[0] - gradients[1]).max() > 0.01


@pytest.mark.parametrize("shapes", [((4,), (4, 1)), ((4, 1), (4,)), ((4,), (4,)), ((4, 1), (4, 1))])
def test_the_keras_loss_pairs_row_with_row(shapes):
    # All four at distance 1/4 or 1/2, labels 1 0 1 0, margin 1: 1/16, 1/4, 1/16, 1/4; their mean is 5/32.
    # Broadcast to (4, 4) it would be the mean of 1/16, 9/16, 1/4 and 1/4: 9/32.
    labels = np.float32([1, 0, 1, 0]).reshape(shapes[0])
    distances = np.float32([0.25, 0.5, 0.25, 0.5]).reshape(shapes[1])
    assert float(ContrastiveLoss()(labels, distances)) == pytest.approx(5 / 32)
    assert ContrastiveLoss(reduction="none")(labels, distances).shape == (4,)


def test_the_keras_loss_takes_whole_number_labels():
    loss = ContrastiveLoss(margin=2.0)(np.uint8([1, 0]), np.float32([1.0, 1.5]))
    assert float(loss) == pytest.approx((1.0 + 0.25) / 2)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"margin": 1.0, "name": "contrastive_loss"}),
        ({"margin": 0.7, "name": "mine", "reduction": "sum"}, {"margin": 0.7, "name": "mine", "reduction": "sum"}),
    ],
)
def test_keras_saves_and_loads_every_argument(changes, expected):
    loss = ContrastiveLoss(**changes)
    loaded = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(loaded) is ContrastiveLoss
    assert loaded.get_config() == loss.get_config()
    assert {key: loaded.get_config()[key] for key in expected} == expected
    assert (loaded.margin, loaded.name) == (expected["margin"], expected["name"])
    labels, distances = np.float32([1, 0, 0]), np.float32([0.1, 0.3, 0.8])
    assert float(loaded(labels, distances)) == float(loss(labels, distances))
