import numpy as np
import pytest
from tensorflow import keras

from siamese_tf.errors import ConfigError
from siamese_tf.models import inputs
from siamese_tf.models.pixels import scale_pixels
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.models.views import make_views
from siamese_tf.training import whitening as module
from siamese_tf.training.whitening import (
    FeatureMoments,
    embedding_layer,
    feature_extractor,
    only_embedding_layer_trains,
    whiten,
    whitening,
)

SIZE = (12, 10, 1)


def features(classes=6, each=5, count=8, seed=0):
    """Classes with different means, and with different variances by direction."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    scale = np.geomspace(0.1, 3, count)
    return rng.normal(size=(classes, count))[labels] + rng.normal(size=(len(labels), count)) * scale, labels


def moments_of(x, labels):
    within = np.concatenate([x[labels == one] - x[labels == one].mean(axis=0) for one in np.unique(labels)])
    return FeatureMoments(x.mean(axis=0), np.cov(x.T, bias=True), within.T @ within / len(x))


def within_of(embeddings, labels):
    return moments_of(embeddings, labels).within


@pytest.fixture
def unmixed(monkeypatch):
    """Whitening by the covariance within classes alone."""
    monkeypatch.setattr(module, "TOTAL_WEIGHT", 0.0)
    monkeypatch.setattr(module, "IDENTITY_WEIGHT", 0.0)


def test_afterwards_a_class_is_spread_alike_in_all_directions(unmixed):
    x, labels = features()
    kernel, bias = whitening(moments_of(x, labels), 8)
    embeddings = x @ kernel + bias
    within = within_of(embeddings, labels)
    np.testing.assert_allclose(within, np.eye(8) * within[0, 0], atol=1e-9)
    np.testing.assert_allclose(embeddings.mean(axis=0), 0, atol=1e-9)
    assert (embeddings**2).sum(axis=1).mean() == pytest.approx(1)


def test_it_is_the_square_root_of_the_inverse_covariance(unmixed):
    """Distances are Mahalanobis distances, up to a factor."""
    x, labels = features()
    moments = moments_of(x, labels)
    kernel, _ = whitening(moments, 8)
    metric = kernel @ kernel.T
    np.testing.assert_allclose(
        metric / np.trace(metric), (inverse := np.linalg.inv(moments.within)) / np.trace(inverse)
    )


def test_three_covariances_are_mixed_once_they_have_one_trace():
    x, labels = features()
    moments = moments_of(x, labels)
    kernel, _ = whitening(moments, 8)
    mixed = 0.85 * moments.within / np.trace(moments.within) + 0.1 * moments.total / np.trace(moments.total)
    inverse = np.linalg.inv(mixed + 0.05 * np.eye(8) / 8)
    metric = kernel @ kernel.T
    np.testing.assert_allclose(metric / np.trace(metric), inverse / np.trace(inverse), atol=1e-9)


def test_the_directions_of_largest_variance_are_used():
    x, labels = features(count=8)
    kernel, _ = whitening(moments_of(x, labels), 3)
    variances, axes = np.linalg.eigh(np.cov(x.T, bias=True))
    assert kernel.shape == (8, 3)
    np.testing.assert_allclose(axes[:, :5].T @ kernel, 0, atol=1e-9)  # the five of smallest variance are not used


def test_with_fewer_directions_than_dimensions_the_rest_is_zero():
    x, labels = features(classes=2, each=2)  # 4 points span 3 directions
    kernel, bias = whitening(moments_of(x, labels), 8)
    assert np.flatnonzero(np.abs(kernel).max(axis=0)).tolist() == [0, 1, 2]
    assert not bias[3:].any()


def test_other_scales_of_the_features_change_no_angle():
    x, labels = features()
    plain = x @ whitening(moments_of(x, labels), 8)[0]
    large = 1000 * x @ whitening(moments_of(1000 * x, labels), 8)[0]
    np.testing.assert_allclose(plain @ plain.T, large @ large.T, atol=1e-9)


def test_classes_that_do_not_differ_within_are_refused():
    x = np.eye(3)[[0, 0, 1, 1, 2, 2]]
    for same in (x, np.zeros((4, 3)), np.full((40, 3), np.pi)):
        with pytest.raises(ConfigError, match="requires different images of one class; there are none. Add images"):
            whitening(moments_of(same, np.arange(len(same)) // 2), 2)


def drawn(count=40, classes=8):
    labels = np.arange(count) % classes
    rng = np.random.default_rng(3)
    patterns = rng.integers(0, 200, (classes, *SIZE))
    return (patterns[labels] + rng.integers(0, 50, (count, *SIZE))).astype(np.uint8), labels


def before(model, images):
    """Inputs of the last layer, for each view."""
    cut = keras.Model(model.tower.inputs[0], model.tower.layers[-1].input)
    return np.concatenate([np.asarray(cut(view)) for view in make_views(scale_pixels(images), model.views)])


@pytest.mark.parametrize("views", ["one", "shift"])
@pytest.mark.parametrize("batch", [7, 512])
def test_every_view_of_the_chosen_images_counts_and_nothing_else(views, batch, monkeypatch):
    monkeypatch.setattr(inputs, "EMBED_BATCH", batch)
    images, labels = drawn()
    rows = np.arange(4, 36)
    model = SiameseModel(SIZE, "hog", 6, "cosine", views=views)
    whiten(model, images, rows, labels)
    x = before(model, images[rows]).astype(np.float64)
    kernel, bias = whitening(moments_of(x, np.tile(labels[rows], len(x) // len(rows))), 6)
    found, shift = model.tower.layers[-1].get_weights()
    np.testing.assert_allclose(found @ found.T, kernel @ kernel.T, rtol=1e-3, atol=1e-4 * np.abs(kernel).max() ** 2)
    np.testing.assert_allclose(np.linalg.norm(shift), np.linalg.norm(bias), rtol=1e-3)


def test_images_of_unknown_class_count_for_the_total_covariance(monkeypatch):
    images, labels = drawn()
    used = []
    monkeypatch.setattr(module, "whitening", lambda moments, d: (used.append(moments), whitening(moments, d))[1])
    model = SiameseModel(SIZE, "hog", 6, "cosine")
    whiten(model, images, np.arange(40), np.where(labels < 3, labels, -1))
    x = before(model, images).astype(np.float64)
    np.testing.assert_allclose(used[0].total, np.cov(x.T, bias=True), atol=1e-6)
    np.testing.assert_allclose(used[0].within, within_of(x[labels < 3], labels[labels < 3]), atol=1e-6)


def test_embeddings_of_unseen_classes_group_better_than_those_of_an_untrained_layer():
    images, labels = drawn(160, 16)
    model = SiameseModel(SIZE, "small_cnn", 16, "cosine")
    unseen = images[labels >= 10]

    def gap():
        e = model.embed(unseen)
        e /= np.linalg.norm(e, axis=1, keepdims=True)
        same = labels[labels >= 10][:, np.newaxis] == labels[labels >= 10]
        angles = e @ e.T
        return angles[same & ~np.eye(len(e), dtype=bool)].mean() - angles[~same].mean()

    untrained = gap()
    whiten(model, images, np.flatnonzero(labels < 10), labels)
    assert gap() > 2 * untrained
    assert gap() > 0.3


def test_only_the_embedding_layer_of_hog_is_trainable():
    towers = {name: SiameseModel((20, 20, 1), name, 4).tower for name in ("hog", "small_cnn")}
    assert [only_embedding_layer_trains(towers[name]) for name in ("hog", "small_cnn")] == [True, False]
    for layer in towers["small_cnn"].layers[:-1]:
        layer.trainable = False
    assert only_embedding_layer_trains(towers["small_cnn"])


def own(*layers):
    return keras.Sequential([keras.Input(SIZE), keras.layers.Flatten(), *layers])


@pytest.mark.parametrize(
    ("tower", "why"),
    [
        (own(keras.layers.Dense(4, activation="relu", name="last")), "last, which is followed by relu"),
        (own(keras.layers.Dense(4, use_bias=False, name="last")), "last, which is without a bias"),
        (
            own(keras.layers.Dense(4), keras.layers.LayerNormalization(name="last")),
            "last, which is a LayerNormalization",
        ),
    ],
)
def test_a_tower_that_does_not_end_in_a_linear_layer_is_refused(tower, why):
    with pytest.raises(
        ConfigError, match=f"ends in a Dense layer with a bias and no activation; .* ends in {why}. Leave"
    ):
        embedding_layer(tower)


def test_a_shared_last_layer_is_refused():
    flat, dense = keras.layers.Flatten(), keras.layers.Dense(120)
    image, other = keras.Input(SIZE), keras.Input((120,))
    keras.Model(other, dense(other))
    in_another = keras.Model(image, dense(flat(image)))
    twice = keras.layers.Dense(120)
    in_two_places = keras.Model(image, twice(twice(flat(image))))
    for tower in (in_another, in_two_places):
        with pytest.raises(ConfigError, match="requires a last layer that is applied once, at the end of the tower"):
            feature_extractor(tower)


def test_a_layer_with_too_many_inputs_is_refused(monkeypatch):
    monkeypatch.setattr(module, "MAX_FEATURES", 119)
    with pytest.raises(ConfigError, match="requires at most 119 inputs of the last layer; .* has 120"):
        embedding_layer(own(keras.layers.Dense(4)))


def test_a_custom_tower_can_be_whitened():
    images, labels = drawn()
    model = SiameseModel(SIZE, own(keras.layers.Dense(5)))
    whiten(model, images, np.arange(40), labels)
    assert np.square(model.embed(images)).sum(axis=1).mean() == pytest.approx(1, rel=1e-3)
