import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from siamese_tf.losses.keras_triplet import (
    ActiveTriplets,
    TripletBatchAllLoss,
    TripletHardLoss,
    TripletSemiHardLoss,
)
from siamese_tf.losses.triplet import (
    triplet_batch_all_loss,
    triplet_counts,
    triplet_hard_loss,
    triplet_semihard_loss,
)

FUNCTIONS = {
    TripletSemiHardLoss: triplet_semihard_loss,
    TripletHardLoss: triplet_hard_loss,
    TripletBatchAllLoss: triplet_batch_all_loss,
}
CHANGES = {
    "margin": 0.3,
    "soft": True,
    "distance_metric": "angular",
}  # each value differs from the default
LABELS = np.arange(12) % 3
EMBEDDINGS = np.random.default_rng(9).normal(size=(12, 4)).astype(np.float32)


@keras.utils.register_keras_serializable(package="test_keras_triplet")
def manhattan(x: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.abs(x[:, tf.newaxis] - x[tf.newaxis]), axis=2)


def each_argument() -> list:
    """Returns (class, changed arguments), with no change and with each change alone."""
    cases = [(kind, {}) for kind in (*FUNCTIONS, ActiveTriplets)]
    cases += [(kind, {name: value}) for kind in (*FUNCTIONS, ActiveTriplets) for name, value in CHANGES.items()]
    cases += [(kind, {"distance_metric": manhattan}) for kind in (*FUNCTIONS, ActiveTriplets)]
    cases += [(kind, {"name": "mine"}) for kind in (*FUNCTIONS, ActiveTriplets)]
    cases += [(kind, {"reduction": "sum"}) for kind in FUNCTIONS]
    return [*cases, (TripletBatchAllLoss, {"average": "valid"})]


def value(of: keras.losses.Loss | keras.metrics.Metric) -> float:
    if isinstance(of, ActiveTriplets):
        of.reset_state()
    return float(of(LABELS, EMBEDDINGS))


@pytest.mark.parametrize(("kind", "changes"), each_argument())
def test_keras_saves_and_loads_every_argument(kind, changes):
    module = keras.metrics if kind is ActiveTriplets else keras.losses
    made = kind(**changes)
    loaded = module.deserialize(module.serialize(made))
    assert type(loaded) is kind
    assert loaded.get_config() == made.get_config()
    for name, expected in changes.items():
        assert getattr(loaded, name) == expected
    assert value(loaded) == value(made)
    again = kind.from_config(made.get_config())
    assert again.get_config() == made.get_config()


def test_a_config_holds_plain_values_only():
    for kind, changes in each_argument():
        plain = kind(**changes).get_config().values()
        assert all(isinstance(entry, str | float | bool | None) for entry in plain), kind


@pytest.mark.parametrize("changes", [{}, *({name: value} for name, value in CHANGES.items())])
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_a_loss_passes_its_arguments_on(kind, changes):
    assert value(kind(**changes)) == pytest.approx(float(FUNCTIONS[kind](LABELS, EMBEDDINGS, **changes)))
    if changes:
        assert value(kind(**changes)) != pytest.approx(value(kind()))


@pytest.mark.parametrize("kind", [TripletSemiHardLoss, TripletHardLoss, TripletBatchAllLoss])
def test_large_class_numbers_stay_apart(kind):
    """Keras 3 casts the arguments of a loss to float32, where 2^24 + 1 equals 2^24."""
    rng = np.random.default_rng(0)
    labels, embeddings = rng.integers(0, 4, 20), rng.normal(size=(20, 3)).astype(np.float32)
    expected = float(kind(margin=0.3)(labels, embeddings))
    assert expected > 0
    for large in (2**24, 2**40):
        assert float(kind(margin=0.3)(labels + large, embeddings)) == expected


def test_an_unknown_average_is_refused_at_once():
    with pytest.raises(ValueError, match="average must be one of active, valid; got 'activ'"):
        TripletBatchAllLoss(average="activ")


def test_the_average_is_passed_on():
    labels, line = np.array([0, 0, 1, 1]), np.float32([[0], [4], [1], [6]])  # worked example in test_triplet.py
    assert float(TripletBatchAllLoss()(labels, line)) == pytest.approx(21 / 6)
    assert float(TripletBatchAllLoss(average="valid")(labels, line)) == pytest.approx(21 / 8)


def test_arguments_stand_where_those_of_tensorflow_addons_stand():
    semi_hard, hard = TripletSemiHardLoss(0.3, "angular", "a"), TripletHardLoss(0.3, True, "angular", "b")
    assert (semi_hard.margin, semi_hard.distance_metric, semi_hard.name) == (0.3, "angular", "a")
    assert (hard.margin, hard.soft, hard.distance_metric, hard.name) == (0.3, True, "angular", "b")


@pytest.mark.parametrize("kind", [TripletSemiHardLoss, TripletHardLoss])
def test_one_import_changed_gives_the_same_value(kind):
    addons = pytest.importorskip("tensorflow_addons", reason="TensorFlow Addons is there for Python 3.11 only")
    for arguments in ({}, {"margin": 0.3}, {"margin": 0.3, "distance_metric": "squared-L2"}):
        theirs = getattr(addons.losses, kind.__name__)(**arguments)
        assert value(kind(**arguments)) == pytest.approx(value(theirs), rel=1e-5)


@pytest.mark.parametrize("labels", [LABELS, LABELS[:, np.newaxis], LABELS.astype(np.float32)])
@pytest.mark.parametrize("kind", [*FUNCTIONS, ActiveTriplets])
def test_labels_may_be_a_column(kind, labels):
    assert float(kind()(labels, EMBEDDINGS)) == value(kind())


@pytest.mark.parametrize("kind", [*FUNCTIONS, ActiveTriplets])
def test_one_hot_labels_are_refused(kind):
    with pytest.raises(ValueError, match="one class per image.*tf.argmax"):
        kind()(np.eye(3, dtype=np.float32)[LABELS], EMBEDDINGS)


@pytest.mark.parametrize("kind", [*FUNCTIONS, ActiveTriplets])
def test_an_unknown_metric_is_refused_when_it_is_named(kind):
    with pytest.raises(ValueError, match="one of L2, squared-L2, angular, or a function; got 'euclid'.*register"):
        kind(distance_metric="euclid")


def compiled(kind: type, **arguments: object) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    average = arguments.pop("average", None)
    loss = kind(**arguments) if average is None else kind(average=average, **arguments)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=[ActiveTriplets(**arguments)])
    return model


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (TripletSemiHardLoss, {"margin": 0.3, "distance_metric": manhattan}),
        pytest.param(TripletHardLoss, {"margin": 0.3, "soft": True}, marks=pytest.mark.slow),
        pytest.param(
            TripletBatchAllLoss,
            {"margin": 0.3, "distance_metric": "squared-L2", "average": "valid"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_compiled_model_trains_saves_loads_and_trains_on(kind, arguments, tmp_path):
    model = compiled(kind, **arguments)
    first = model.fit(EMBEDDINGS, LABELS, batch_size=6, epochs=1, verbose=0).history
    assert np.isfinite(first["loss"]).all()
    assert 0 < first["active_triplets"][0] <= 1
    model.save(tmp_path / "first.keras")
    loaded = keras.models.load_model(tmp_path / "first.keras")
    assert type(loaded.loss) is kind
    assert loaded.loss.get_config() == model.loss.get_config()
    loaded.save(tmp_path / "second.keras")
    again = keras.models.load_model(tmp_path / "second.keras")
    expected = model.evaluate(EMBEDDINGS, LABELS, verbose=0)
    assert again.evaluate(EMBEDDINGS, LABELS, verbose=0) == pytest.approx(expected, rel=1e-6)
    again.fit(EMBEDDINGS, LABELS, verbose=0)


def test_training_draws_classes_apart():
    centers = np.float32([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])
    model = compiled(TripletBatchAllLoss, margin=1.0)
    inputs = centers[LABELS] + EMBEDDINGS / 10
    history = model.fit(inputs, LABELS, batch_size=12, epochs=40, verbose=0).history
    assert history["active_triplets"][-1] < history["active_triplets"][0] / 2


def test_worked_example_of_active_triplets():
    # Worked example in test_triplet.py: 6 of 8 are active. Then a batch of one class without triplets, then 6 of 8.
    labels, line = np.array([0, 0, 1, 1]), np.float32([[0], [4], [1], [6]])
    metric = ActiveTriplets()
    assert float(metric.result()) == 0.0
    metric.update_state(labels, line)
    assert float(metric.result()) == 6 / 8
    metric.update_state(np.zeros(4), line)
    assert float(metric.result()) == 6 / 8
    metric.reset_state()
    assert float(metric.result()) == 0.0


@pytest.mark.parametrize("arguments", [{}, {"margin": 0.3}, {"soft": True}, {"distance_metric": "angular"}])
def test_active_triplets_of_several_batches_are_their_counts_summed(arguments):
    rng = np.random.default_rng(10)
    metric, active, valid = ActiveTriplets(**arguments), 0, 0
    for count in (3, 8, 20):  # batches of different weight
        labels, x = rng.integers(0, 3, count), rng.normal(size=(count, 4)).astype(np.float32)
        metric.update_state(labels, x)
        counts = triplet_counts(labels, x, **arguments)
        active, valid = active + int(counts[0]), valid + int(counts[1])
    assert 0 < active < valid
    assert float(metric.result()) == pytest.approx(active / valid, rel=1e-12)
