"""Losses of float16 and bfloat16 outputs: computed in float32, returned in the dtype of the outputs."""

import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.losses.bce import binary_cross_entropy
from siamese_tf.losses.contrastive import ContrastiveLoss, contrastive_loss
from siamese_tf.losses.keras_triplet import TripletBatchAllLoss, TripletHardLoss, TripletSemiHardLoss
from siamese_tf.losses.mse import squared_error
from siamese_tf.losses.triplet import triplet_batch_all_loss, triplet_hard_loss, triplet_semihard_loss

HALF = ["float16", "bfloat16"]
PRECISION = {"float16": 2**-11, "bfloat16": 2**-8}
TRIPLET = [triplet_semihard_loss, triplet_hard_loss, triplet_batch_all_loss]
TRIPLET_CLASSES = [TripletSemiHardLoss, TripletHardLoss, TripletBatchAllLoss]
CHANCE = np.random.default_rng(5)
LABELS, EMBEDDINGS = CHANCE.integers(0, 4, 12), CHANCE.uniform(size=(12, 6)).astype(np.float32)
SIMILARITY, OUTPUTS = CHANCE.integers(0, 2, 50), CHANCE.uniform(0, 1.5, 50).astype(np.float32)


def losses():
    for kind in TRIPLET_CLASSES:
        for metric in ("L2", "squared-L2", "angular"):
            yield kind(distance_metric=metric), LABELS, EMBEDDINGS
    for function in TRIPLET:
        yield function, LABELS, EMBEDDINGS
    yield ContrastiveLoss(), SIMILARITY, OUTPUTS
    yield ContrastiveLoss(reduction="none"), SIMILARITY, OUTPUTS
    for function in (contrastive_loss, binary_cross_entropy, squared_error):
        yield function, SIMILARITY, OUTPUTS


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize(("loss", "labels", "outputs"), list(losses()))
def test_it_is_the_float32_loss_rounded_once(loss, labels, outputs, dtype):
    half = tf.constant(outputs, dtype)
    found, precise = loss(labels, half), loss(labels, tf.cast(half, tf.float32))
    assert found.dtype == dtype
    assert precise.dtype == tf.float32
    np.testing.assert_allclose(tf.cast(found, tf.float32), precise, rtol=PRECISION[dtype], atol=1e-7)


@pytest.mark.parametrize("loss", [*TRIPLET, contrastive_loss, binary_cross_entropy, squared_error])
def test_float64_stays_float64(loss):
    labels, outputs = (LABELS, EMBEDDINGS) if loss in TRIPLET else (SIMILARITY, OUTPUTS)
    assert loss(labels, tf.constant(outputs, tf.float64)).dtype == tf.float64


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("kind", TRIPLET_CLASSES)
def test_a_gradient_reaches_half_precision_embeddings(kind, dtype):
    half = tf.Variable(tf.constant(EMBEDDINGS, dtype))
    with tf.GradientTape() as tape:
        loss = kind()(LABELS, half)
    gradient = tape.gradient(loss, half)
    assert gradient.dtype == dtype
    assert np.abs(tf.cast(gradient, tf.float32)).max() > 0


def test_the_mean_of_small_squares_does_not_underflow():
    """0.0001^2 is 0 in float16 but not in float32; the sum over 1,000 pairs shows the difference."""
    distances = tf.fill([1000], tf.constant(1e-4, tf.float16))
    assert float(ContrastiveLoss(reduction="sum")(np.ones(1000), distances)) == pytest.approx(1e-5, rel=0.01)


@pytest.mark.parametrize("labels", [LABELS.astype(str), LABELS.astype(np.uint8), LABELS % 2 == 0, list(LABELS)])
@pytest.mark.parametrize("kind", TRIPLET_CLASSES)
def test_labels_of_any_dtype_that_can_be_compared(kind, labels):
    assert kind()(labels, tf.constant(EMBEDDINGS, tf.float16)).dtype == tf.float16


@pytest.mark.parametrize("kind", [TripletSemiHardLoss, TripletHardLoss])
@pytest.mark.parametrize("dtype", [*HALF, "float32"])  # Addons raises a TypeError for float64
def test_tensorflow_addons_returns_the_same_dtype_and_value(kind, dtype):
    addons = pytest.importorskip("tensorflow_addons", reason="TensorFlow Addons is there for Python 3.11 only")
    embeddings = tf.constant(EMBEDDINGS, dtype)
    theirs, ours = getattr(addons.losses, kind.__name__)()(LABELS, embeddings), kind()(LABELS, embeddings)
    assert ours.dtype == theirs.dtype == dtype
    np.testing.assert_allclose(tf.cast(ours, tf.float64), tf.cast(theirs, tf.float64), rtol=PRECISION.get(dtype, 1e-5))
