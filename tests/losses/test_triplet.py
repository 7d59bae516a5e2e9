"""The triplet losses against slow twins that follow their docstrings with loops, over random batches.

Semi-hard mining jumps where a positive and a negative are equally far. So the random batches have distances that are
equal to the last bit or clearly apart: those with duplicates are drawn from vectors whose distances need no rounding.
"""

import math
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.losses.triplet import (
    triplet_batch_all_loss,
    triplet_counts,
    triplet_hard_costs,
    triplet_hard_loss,
    triplet_semihard_loss,
)

METRICS = ("L2", "squared-L2", "angular")
LOSSES: dict[str, tuple[Callable[..., tf.Tensor], dict]] = {
    "semi-hard": (triplet_semihard_loss, {}),
    "semi-hard soft": (triplet_semihard_loss, {"soft": True}),
    "hard": (triplet_hard_loss, {}),
    "hard soft": (triplet_hard_loss, {"soft": True}),
    "all": (triplet_batch_all_loss, {}),
    "all valid": (triplet_batch_all_loss, {"average": "valid"}),
    "all soft": (triplet_batch_all_loss, {"soft": True}),
}
STEP = 1e-7  # of the finite differences


class Twin(NamedTuple):
    value: float
    choice: list  # which triplets it is made of: where this changes, the loss has a kink or a jump


def distances_twin(x: np.ndarray, metric: str) -> np.ndarray:
    if metric == "angular":
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
        return np.maximum(1.0 - (x[:, None] * x[None]).sum(axis=2), 0.0)
    squared = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    return squared if metric == "squared-L2" else np.sqrt(np.maximum(squared, 1e-12))


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def mined_twins(to: list[list[float]], picked: list[tuple[int, int, int]], margin: float) -> tuple[Twin, Twin]:
    """The hinge loss and the soft one of the triplets picked: anchor, positive, negative."""
    excess = [to[a][p] - to[a][n] for a, p, n in picked]
    count = max(len(picked), 1)
    numeric_margin = Twin(
        sum(max(e + margin, 0.0) for e in excess) / count, [*picked, *(e + margin > 0 for e in excess)]
    )
    return numeric_margin, Twin(sum(softplus(e) for e in excess) / count, picked)


def semi_hard(to: list[list[float]], labels: list[int]) -> list[tuple[int, int, int]]:
    picked = []
    for a, anchor in enumerate(labels):
        row = to[a]
        negatives = [n for n, other in enumerate(labels) if other != anchor]
        for p, other in enumerate(labels):
            if p == a or other != anchor:
                continue
            farther = [n for n in negatives if row[n] > row[p]]
            if farther:
                n = min(farther, key=row.__getitem__)
            elif negatives:
                n = max(negatives, key=row.__getitem__)
            else:
                n = a
            picked.append((a, p, n))
    return picked


def hard(to: list[list[float]], labels: list[int]) -> list[tuple[int, int, int]]:
    picked = []
    for a, anchor in enumerate(labels):
        positives = [p for p, other in enumerate(labels) if other == anchor and p != a]
        negatives = [n for n, other in enumerate(labels) if other != anchor]
        p = max(positives, key=to[a].__getitem__) if positives else a
        n = min(negatives or range(len(labels)), key=lambda n: to[a][n] if negatives else -to[a][n])
        picked.append((a, p, n))
    return picked


def twins(distances: np.ndarray, labels: np.ndarray, margin: float) -> tuple[dict[str, Twin], tuple[int, int, int]]:
    """Every loss, and how many triplets are active (hinge), active (soft) and valid."""
    to, labels = distances.tolist(), labels.tolist()
    found = {}
    for name, picked in (("semi-hard", semi_hard(to, labels)), ("hard", hard(to, labels))):
        found[name], found[f"{name} soft"] = mined_twins(to, picked, margin)
    active, total, total_soft, nearer, valid = [], 0.0, 0.0, 0, 0
    for a in range(len(labels)):
        for p in range(len(labels)):
            if p == a or labels[p] != labels[a]:
                continue
            for n in range(len(labels)):
                if labels[n] == labels[a]:
                    continue
                excess = to[a][p] - to[a][n]
                valid += 1
                nearer += excess > 0
                total_soft += softplus(excess)
                if excess + margin > 0:
                    total += excess + margin
                    active.append((a, p, n))
    found["all"] = Twin(total / max(len(active), 1), active)
    found["all valid"] = Twin(total / max(valid, 1), active)
    found["all soft"] = Twin(total_soft / max(valid, 1), [])
    return found, (len(active), nearer, valid)


class Batch(NamedTuple):
    embeddings: np.ndarray  # (n, d) float64
    original: np.ndarray  # (n,) the first row that this row is a duplicate of, or itself
    labels: np.ndarray  # (n,)
    metric: str
    margin: float


def exact_unit_vectors(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 16) of length exactly 1: orthogonal steps whose results are multiples of 2^-10."""
    step = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    x = np.eye(1, 16).repeat(count, axis=0)
    for _ in range(10):
        x = rng.permuted(x, axis=1) * rng.choice([-1.0, 1.0], x.shape)
        x = (x.reshape(count, 4, 4) @ step).reshape(count, 16)
    return x


def grid(rng: np.random.Generator, count: int, metric: str) -> np.ndarray:
    """Vectors between which many distances are equal."""
    if metric == "angular":
        return rng.choice([-1.0, 1.0], (count, 16))
    return rng.integers(-2, 3, (count, 4)).astype(np.float64)


def draw(rng: np.random.Generator, kind: str, metric: str) -> Batch:
    """One batch, such that no rounding of float32 can change which triplets are mined or active."""
    while True:
        count = int(rng.integers(2, 65))
        labels = rng.integers(0, rng.integers(1, 11), count)
        margin = float(rng.choice([0.0, 0.2, 0.5, 1.0]))
        original = np.arange(count)
        if kind == "gaussian":
            x = rng.normal(size=(count, int(rng.integers(2, 33)))).astype(np.float32).astype(np.float64)
        else:
            x = exact_unit_vectors(rng, count) if kind == "exact" else grid(rng, count, metric)
            copies = rng.random(count) < 0.3
            original[copies] = rng.choice(np.append(np.flatnonzero(~copies), 0), copies.sum())
            original = original[original]  # where row 0 is itself a copy
            x = x[original]
        distances = distances_twin(x, metric)
        near = 1e-6 * distances.max()
        gaps = np.abs(distances[:, :, None] - distances[:, None, :])  # (n, n, n)
        to_margin = np.abs(distances[:, :, None] - distances[:, None, :] + margin)
        if not any(((size > 0) & (size < near)).any() for size in (gaps, to_margin)):
            return Batch(x, original, labels, metric, margin)


def batches(seed: int, count: int, kinds: tuple[str, ...]) -> Iterator[Batch]:
    rng = np.random.default_rng(seed)
    for i in range(count):
        yield draw(rng, kinds[i % len(kinds)], METRICS[i // len(kinds) % 3])


def value_and_gradient(name: str, batch: Batch, dtype: str) -> tuple[float, np.ndarray]:
    loss, arguments = LOSSES[name]
    x = tf.constant(batch.embeddings, dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(batch.labels, x, margin=batch.margin, distance_metric=batch.metric, **arguments)
    return float(value), tape.gradient(value, x).numpy()


def slopes(batch: Batch, here: dict[str, Twin], seed: int) -> dict[str, tuple[np.ndarray, float]]:
    """For each loss a direction (n, d) along which it has no kink, and the slope of its twin in that direction.

    Two directions are tried: every row its own way, then duplicates together, since apart they break their ties. A loss
    with a kink along both, as at the many ties of a grid, is left out.
    """
    own_way = np.random.default_rng(seed).normal(size=batch.embeddings.shape)
    own_way /= np.linalg.norm(own_way, axis=1, keepdims=True)
    found = {}
    for direction in (own_way, own_way[batch.original]):
        sides = [
            twins(distances_twin(batch.embeddings + side * direction, batch.metric), batch.labels, batch.margin)[0]
            for side in (STEP, -STEP)
        ]
        for name in LOSSES:
            above, below = (side[name] for side in sides)
            if name not in found and above.choice == below.choice == here[name].choice:
                found[name] = direction, (above.value - below.value) / (2 * STEP)
    return found


def check_against_the_twins(seed: int, count: int) -> None:
    with_slope = dict.fromkeys(LOSSES, 0)
    for number, batch in enumerate(batches(seed, count, ("gaussian", "exact", "grid", "exact"))):
        distances = distances_twin(batch.embeddings, batch.metric)
        here, (active, nearer, valid) = twins(distances, batch.labels, batch.margin)
        slope = slopes(batch, here, number)
        for dtype in ("float64", "float32"):
            told = f"batch {number} of seed {seed}, {dtype}"
            x = tf.constant(batch.embeddings, dtype)
            for soft, expected in ((False, active), (True, nearer)):
                counts = triplet_counts(batch.labels, x, batch.margin, soft, batch.metric)
                assert tuple(map(int, counts)) == (expected, valid), told
            for name in LOSSES:
                value, gradient = value_and_gradient(name, batch, dtype)
                np.testing.assert_allclose(value, here[name].value, rtol=1e-5, atol=1e-5, err_msg=f"{name}, {told}")
                if name in slope:
                    direction, expected = slope[name]
                    along = (gradient.astype(np.float64) * direction).sum()
                    np.testing.assert_allclose(along, expected, rtol=1e-5, atol=1e-5, err_msg=f"{name}, {told}")
                    with_slope[name] += dtype == "float64"
    assert min(with_slope.values()) > 0.6 * count, with_slope


def test_pencil():
    # On a line, class A at 0 and 4, class B at 1 and 6, margin 1.
    labels, x = tf.constant([0, 0, 1, 1]), tf.constant([[0.0], [4.0], [1.0], [6.0]])
    # Semi-hard. 0 to 4: the 6 is farther, 4 - 6 + 1 < 0. 4 to 0: neither 1 nor 6 is farther than 4; the farthest is the
    # 1, 4 - 3 + 1 = 2. 1 to 6: the farthest is the 4, 5 - 3 + 1 = 3. 6 to 1: the 0 is farther, 5 - 6 + 1 = 0.
    assert float(triplet_semihard_loss(labels, x)) == pytest.approx(5 / 4)
    # Hard: 4 - 1 + 1, 4 - 2 + 1, 5 - 1 + 1, 5 - 2 + 1.
    np.testing.assert_allclose(triplet_hard_costs(labels, x), [4, 3, 5, 4])
    assert float(triplet_hard_loss(labels, x)) == pytest.approx((4 + 3 + 5 + 4) / 4)
    # All: of 0: 4, and 4 - 6 + 1 < 0; of 4: 2 and 3; of 1: 5 and 3; of 6: 5 - 6 + 1 = 0, not active, and 4.
    assert float(triplet_batch_all_loss(labels, x)) == pytest.approx(21 / 6)
    assert float(triplet_batch_all_loss(labels, x, average="valid")) == pytest.approx(21 / 8)
    assert tuple(map(int, triplet_counts(labels, x))) == (6, 8)
    # Soft: in the same 6 the negative is nearer, whatever the margin; with margin 2.5 all 8 are active.
    assert tuple(map(int, triplet_counts(labels, x, margin=2.5, soft=True))) == (6, 8)
    assert tuple(map(int, triplet_counts(labels, x, margin=2.5))) == (8, 8)
    soft = np.log1p(np.exp([3.0, 2.0, 4.0, 3.0])).mean()
    assert float(triplet_hard_loss(labels, x, soft=True)) == pytest.approx(soft)


def test_hard_pencil_of_the_slope_where_positive_and_negative_are_equally_far():
    # Of the anchor at the origin: its only positive is drawn from the right, its only negative pushed up.
    x = tf.Variable([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    with tf.GradientTape() as tape:
        cost = triplet_hard_costs(tf.constant([5, 5, 9]), x)[0]
    assert float(cost) == 1.0
    np.testing.assert_allclose(tape.gradient(cost, x)[1:], [[1, 0], [0, -1]])


def test_they_are_their_slow_twins():
    check_against_the_twins(seed=0, count=60)


@pytest.mark.slow
def test_they_are_their_slow_twins_on_a_thousand_batches():
    check_against_the_twins(seed=1, count=1000)


@pytest.fixture
def addons() -> Iterator[ModuleType]:
    found = pytest.importorskip("tensorflow_addons", reason="TensorFlow Addons is there for Python 3.11 only")
    tf.config.run_functions_eagerly(True)  # Addons' are functions that TensorFlow would trace again for each margin
    yield found.losses
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("semi-hard", ("exact", "grid")),  # Addons rounds its distances to float32, where ties of others break
        ("hard", ("gaussian", "exact", "grid")),
        ("hard soft", ("gaussian", "exact", "grid")),
    ],
)
def test_they_are_those_of_tensorflow_addons(addons, name, kinds):
    loss, arguments = LOSSES[name]
    theirs = getattr(addons, loss.__name__)
    finite = 0
    for number, batch in enumerate(batches(2, 200, kinds)):
        length = 16.0 if number % 10 == 0 else 1.0  # of embeddings so long that exp() overflows
        x = tf.constant(batch.embeddings * length, tf.float32)
        common = {"margin": batch.margin, "distance_metric": batch.metric, **arguments}
        ours, expected = (float(function(batch.labels, x, **common)) for function in (loss, theirs))
        if math.isfinite(expected):
            finite += 1
            assert ours == pytest.approx(expected, rel=1e-5, abs=1e-5), f"batch {number}"
        else:
            assert math.isfinite(ours), f"batch {number}"
            assert name == "hard soft" or ours == 0.0, f"batch {number}"
    assert 150 < finite < 200 or (name == "hard" and finite == 200)


CLIFFS = {  # labels, embeddings
    "identical embeddings": ([0, 0, 0, 1, 1, 1], np.tile([0.3, -0.2, 0.9], (6, 1))),
    "identical within a class": ([0, 0, 0, 1, 1, 1], np.repeat([[0.6, 0.8, 0.0], [0.0, 0.6, 0.8]], 3, axis=0)),
    "all zeros": ([0, 0, 1, 1], np.zeros((4, 3))),
    "one class": ([7, 7, 7, 7], np.arange(12).reshape(4, 3) / 7),
    "no positive": ([0, 1, 2, 3], np.arange(12).reshape(4, 3) / 7),
    "one image": ([5], np.ones((1, 3))),
}


@pytest.mark.parametrize("cliff", CLIFFS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_on_cliffs_loss_and_gradient_are_finite(cliff, dtype):
    labels, embeddings = CLIFFS[cliff]
    x = tf.cast(tf.constant(embeddings), dtype)
    for metric in METRICS:
        for name, (loss, arguments) in LOSSES.items():
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = loss(tf.constant(labels), x, distance_metric=metric, **arguments)
            gradient = tape.gradient(value, x)
            assert value.dtype == dtype
            assert gradient.dtype == dtype
            assert math.isfinite(value), (name, metric)
            assert np.isfinite(tf.cast(gradient, tf.float64)).all(), (name, metric)


@pytest.mark.parametrize("name", LOSSES)
def test_the_values_on_cliffs(name):
    loss, arguments = LOSSES[name]
    value = {cliff: float(loss(tf.constant(y), tf.constant(x), **arguments)) for cliff, (y, x) in CLIFFS.items()}
    collapsed = math.log(2) if "soft" in name else 1.0  # every excess is 0: log(1 + 1), or the margin
    assert value["identical embeddings"] == pytest.approx(collapsed, abs=1e-5)
    assert value["all zeros"] == pytest.approx(collapsed, abs=1e-5)
    if not name.startswith("hard"):
        assert value["no positive"] == value["one image"] == 0.0
    if name.startswith("all"):
        assert value["one class"] == 0.0


@pytest.mark.parametrize("name", LOSSES)
def test_embeddings_that_are_not_numbers_show_in_the_loss(name):
    loss, arguments = LOSSES[name]
    assert math.isnan(loss(tf.constant([0, 0, 1, 1]), tf.fill([4, 3], math.nan), **arguments))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", LOSSES)
def test_a_step_downhill_lowers_it(name, metric):
    loss, arguments = LOSSES[name]
    labels = tf.constant(np.arange(20) % 4)
    x = tf.Variable(np.random.default_rng(5).normal(size=(20, 8)))
    with tf.GradientTape() as tape:
        before = loss(labels, x, distance_metric=metric, **arguments)
    x.assign_sub(1e-3 * tape.gradient(before, x))
    assert loss(labels, x, distance_metric=metric, **arguments) < before


@pytest.mark.parametrize("name", LOSSES)
def test_labels_may_be_a_column_and_of_any_kind(name):
    loss, arguments = LOSSES[name]
    x, labels = tf.random.stateless_normal((9, 4), [1, 2]), np.arange(9) % 3
    expected = float(loss(labels, x, **arguments))
    for same in (labels[:, None], labels.astype(np.float32), labels.astype(np.uint8) * 100, [*"abcabcabc"]):
        assert float(loss(same, x, **arguments)) == expected


@pytest.mark.parametrize("name", LOSSES)
def test_a_function_may_measure_the_distance(name):
    loss, arguments = LOSSES[name]
    x, labels = tf.random.stateless_normal((9, 4), [1, 2]), tf.constant(np.arange(9) % 3)

    def manhattan(x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.abs(x[:, tf.newaxis] - x[tf.newaxis]), axis=2)

    distances = manhattan(x).numpy().astype(np.float64)
    found, _ = twins(distances, labels.numpy(), 1.0)
    assert float(loss(labels, x, distance_metric=manhattan, **arguments)) == pytest.approx(found[name].value, rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_it_runs_in_a_graph_of_unknown_shape(name):
    loss, arguments = LOSSES[name]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64), tf.TensorSpec([None, 4], tf.float32)])
    def graph(labels: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(labels, x, **arguments)
        return value, tape.gradient(value, x)

    for count in (5, 12):
        x, labels = tf.random.stateless_normal((count, 4), [1, 2]), np.arange(count) % 3
        value, gradient = graph(labels, x)
        batch = Batch(x.numpy().astype(np.float64), np.arange(count), labels, "L2", 1.0)
        expected, slope = value_and_gradient(name, batch, "float32")
        assert float(value) == pytest.approx(expected, rel=1e-6)
        np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_xla_compiles_it(name):
    """As Keras 3 has it do where there is a GPU."""
    loss, arguments = LOSSES[name]
    x, labels = tf.random.stateless_normal((6, 4), [1, 2]), tf.constant([0, 1, 0, 1, 0, 2])
    compiled = tf.function(lambda labels, x: loss(labels, x, **arguments), jit_compile=True)
    assert float(compiled(labels, x)) == pytest.approx(float(loss(labels, x, **arguments)), rel=1e-5)


def test_an_unknown_average_is_refused():
    with pytest.raises(ValueError, match="average must be one of active, valid; got 'all'"):
        triplet_batch_all_loss([0, 0, 1], tf.zeros((3, 2)), average="all")
