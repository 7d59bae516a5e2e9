from importlib.metadata import version

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from siamese_tf.models.towers.build import build_tower
from siamese_tf.training.fused_batch_norm import FusedBatchNormalization, with_fused_batch_norm

SIZE = (6, 5, 3)
keras_3 = pytest.mark.skipif(version("keras").startswith("2."), reason="Keras 2 fuses batch normalization itself")


def normalizing(policy: str = "float32", **options) -> keras.Model:
    image = keras.Input(SIZE)
    layer = keras.layers.BatchNormalization(momentum=0.8, epsilon=0.01, dtype=policy, **options)
    model = keras.Model(image, layer(image))
    generator = np.random.default_rng(1)
    model.set_weights([generator.uniform(0.5, 2.0, weight.shape) for weight in model.get_weights()])
    return model


def step(model: keras.Model) -> tuple[np.ndarray, list[np.ndarray]]:
    """Returns the output for a training batch, and the gradients of a sum of it."""
    generator = np.random.default_rng(0)
    images = tf.Variable(3.0 * generator.normal(size=(7, *SIZE)).astype(np.float32) + 1.0)
    factors = generator.normal(size=(7, *SIZE)).astype(np.float32)
    with tf.GradientTape() as tape:
        output = tf.cast(model(images, training=True), tf.float32)
        loss = tf.reduce_sum(factors * output)
    gradients = tape.gradient(loss, [images, *model.trainable_variables])
    return np.asarray(output), [np.asarray(gradient) for gradient in gradients]


@keras_3
@pytest.mark.parametrize(("policy", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 0.02)])
def test_the_kernel_computes_what_the_layer_of_keras_computes(policy, tolerance):
    plain = normalizing(policy)
    fused = with_fused_batch_norm(plain)
    assert isinstance(fused.layers[1], FusedBatchNormalization)
    (output, gradients), (fused_output, fused_gradients) = step(plain), step(fused)
    np.testing.assert_allclose(fused_output, output, atol=tolerance)
    for one, other in zip(fused_gradients, gradients, strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance * np.abs(other).max())
    for one, other in zip(fused.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)  # the moving statistics, of the biased variance


@keras_3
def test_without_training_and_when_frozen_it_uses_the_moving_statistics():
    plain = normalizing()
    fused = with_fused_batch_norm(plain)
    images = np.random.default_rng(0).uniform(size=(4, *SIZE)).astype(np.float32)
    np.testing.assert_array_equal(fused(images, training=False), plain(images, training=False))
    plain.trainable = fused.trainable = False
    before = fused.get_weights()
    np.testing.assert_array_equal(fused(images, training=True), plain(images, training=True))
    np.testing.assert_array_equal(fused.get_weights(), before)


@keras_3
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_tower_keeps_its_names_its_weights_and_its_precision(precision):
    tower = build_tower("resnet", (8, 8, 1), 4, precision)
    fused = with_fused_batch_norm(tower)
    normalizations = [layer for layer in fused.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(normalizations) == 21
    assert {type(layer) for layer in normalizations} == {FusedBatchNormalization}
    assert [layer.name for layer in fused.layers] == [layer.name for layer in tower.layers]
    assert [layer.compute_dtype for layer in fused.layers[1:]] == [one.compute_dtype for one in tower.layers[1:]]
    for one, other in zip(fused.variables, tower.variables, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("options", [{"axis": 1}, {"scale": False}, {"center": False}])
def test_other_batch_normalization_is_left_as_it_is(options):
    model = normalizing(**options)
    assert with_fused_batch_norm(model) is model


def test_a_tower_without_batch_normalization_is_left_as_it_is():
    tower = build_tower("reference", (8, 8, 1), 4)
    assert with_fused_batch_norm(tower) is tower
