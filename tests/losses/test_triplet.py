"""Compares the triplet losses on random batches with slow references that follow their docstrings in loops.

Semi-hard mining is discontinuous where a positive and a negative are equally far. The random batches therefore have
distances that are equal to the last bit or clearly different: batches with duplicates are drawn from vectors whose
distances need no rounding.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from functools import cache
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
LARGEST_BATCH = 24  # the references take time proportional to the cube; the slow test draws up to 64 images


class Reference(NamedTuple):
    value: float
    choice: list  # triplets that contribute: where they change, the loss is not differentiable


def reference_distances(x: np.ndarray, metric: str) -> np.ndarray:
    if metric == "angular":
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
        return np.maximum(1.0 - (x[:, None] * x[None]).sum(axis=2), 0.0)
    squared = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    return squared if metric == "squared-L2" else np.sqrt(np.maximum(squared, 1e-12))


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def mined_references(
    to: list[list[float]], picked: list[tuple[int, int, int]], margin: float
) -> tuple[Reference, Reference]:
    """Returns the hinge and the soft loss of the given triplets: anchor, positive, negative."""
    excess = [to[a][p] - to[a][n] for a, p, n in picked]
    count = max(len(picked), 1)
    hinge = Reference(sum(max(e + margin, 0.0) for e in excess) / count, [*picked, *(e + margin > 0 for e in excess)])
    return hinge, Reference(sum(softplus(e) for e in excess) / count, picked)


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


def references(
    distances: np.ndarray, labels: np.ndarray, margin: float
) -> tuple[dict[str, Reference], tuple[int, int, int]]:
    """Returns every loss, and the numbers of triplets that are active (hinge), active (soft) and valid."""
    to, labels = distances.tolist(), labels.tolist()
    found = {}
    for name, picked in (("semi-hard", semi_hard(to, labels)), ("hard", hard(to, labels))):
        found[name], found[f"{name} soft"] = mined_references(to, picked, margin)
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
    found["all"] = Reference(total / max(len(active), 1), active)
    found["all valid"] = Reference(total / max(valid, 1), active)
    found["all soft"] = Reference(total_soft / max(valid, 1), [])
    return found, (len(active), nearer, valid)


class Batch(NamedTuple):
    embeddings: np.ndarray  # (n, d) float64
    original: np.ndarray  # (n,) first row of which this row is a duplicate, or the row itself
    labels: np.ndarray  # (n,)
    metric: str
    margin: float


def exact_unit_vectors(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draws (count, 16) vectors of length exactly 1: products of orthogonal matrices, in multiples of 2^-10."""
    step = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    x = np.eye(1, 16).repeat(count, axis=0)
    for _ in range(10):
        x = rng.permuted(x, axis=1) * rng.choice([-1.0, 1.0], x.shape)
        x = (x.reshape(count, 4, 4) @ step).reshape(count, 16)
    return x


def grid(rng: np.random.Generator, count: int, metric: str) -> np.ndarray:
    """Draws vectors with many equal distances."""
    if metric == "angular":
        return rng.choice([-1.0, 1.0], (count, 16))
    return rng.integers(-2, 3, (count, 4)).astype(np.float64)


def draw(rng: np.random.Generator, kind: str, metric: str, largest: int) -> Batch:
    """Draws a batch in which no rounding of float32 can change which triplets are mined or active."""
    while True:
        count = int(rng.integers(2, largest + 1))
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
        distances = reference_distances(x, metric)
        near = 1e-6 * distances.max()
        gaps = np.abs(distances[:, :, None] - distances[:, None, :])  # (n, n, n)
        to_margin = np.abs(distances[:, :, None] - distances[:, None, :] + margin)
        if not any(((size > 0) & (size < near)).any() for size in (gaps, to_margin)):
            return Batch(x, original, labels, metric, margin)


def batches(seed: int, count: int, kinds: tuple[str, ...], largest: int = LARGEST_BATCH) -> Iterator[Batch]:
    rng = np.random.default_rng(seed)
    for i in range(count):
        yield draw(rng, kinds[i % len(kinds)], METRICS[i // len(kinds) % 3], largest)


def value_and_gradient(name: str, batch: Batch, dtype: str) -> tuple[float, np.ndarray]:
    loss, arguments = LOSSES[name]
    x = tf.constant(batch.embeddings, dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(batch.labels, x, margin=batch.margin, distance_metric=batch.metric, **arguments)
    return float(value), tape.gradient(value, x).numpy()


def directional_derivatives(batch: Batch, here: dict[str, Reference], seed: int) -> dict[str, tuple[np.ndarray, float]]:
    """Returns for each loss a direction (n, d) in which it is smooth, and the derivative of its reference along it.

    Two directions are tried: one per row, then the same one for duplicates, whose ties the first would break. A loss
    that is smooth along neither, as at the many ties of a grid, is omitted.
    """
    per_row = np.random.default_rng(seed).normal(size=batch.embeddings.shape)
    per_row /= np.linalg.norm(per_row, axis=1, keepdims=True)
    found = {}
    for direction in (per_row, per_row[batch.original]):
        sides = [
            references(
                reference_distances(batch.embeddings + side * direction, batch.metric), batch.labels, batch.margin
            )[0]
            for side in (STEP, -STEP)
        ]
        for name in LOSSES:
            above, below = (side[name] for side in sides)
            if name not in found and above.choice == below.choice == here[name].choice:
                found[name] = direction, (above.value - below.value) / (2 * STEP)
    return found


@cache
def losses_in_a_graph(metric: str, dtype: str) -> Callable[..., tuple]:
    """Returns one graph of all losses, their gradients and the triplet counts; eager calls take twice as long."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int64),
            tf.TensorSpec([None, None], dtype),
            tf.TensorSpec([], tf.float64),
        ]
    )
    def compute(labels: tf.Tensor, x: tf.Tensor, margin: tf.Tensor) -> tuple:
        values, gradients = {}, {}
        for name, (loss, arguments) in LOSSES.items():
            with tf.GradientTape() as tape:
                tape.watch(x)
                values[name] = loss(labels, x, margin=margin, distance_metric=metric, **arguments)
            gradients[name] = tape.gradient(values[name], x)
        return values, gradients, [triplet_counts(labels, x, margin, soft, metric) for soft in (False, True)]

    return compute


def check_against_references(
    seed: int, count: int, largest: int = LARGEST_BATCH, dtypes: tuple[str, ...] = ("float64", "float32")
) -> None:
    differentiable = dict.fromkeys(LOSSES, 0)
    for number, batch in enumerate(batches(seed, count, ("gaussian", "exact", "grid", "exact"), largest)):
        distances = reference_distances(batch.embeddings, batch.metric)
        expected, (active, nearer, valid) = references(distances, batch.labels, batch.margin)
        derivatives = directional_derivatives(batch, expected, number)
        for dtype in dtypes:
            context = f"batch {number} of seed {seed}, {dtype}"
            graph = losses_in_a_graph(batch.metric, dtype)
            values, gradients, counts = graph(batch.labels, tf.constant(batch.embeddings, dtype), batch.margin)
            assert [tuple(map(int, pair)) for pair in counts] == [(active, valid), (nearer, valid)], context
            for name in LOSSES:
                message = f"{name}, {context}"
                np.testing.assert_allclose(values[name], expected[name].value, rtol=1e-5, atol=1e-5, err_msg=message)
                if name in derivatives:
                    direction, derivative = derivatives[name]
                    along = (gradients[name].numpy().astype(np.float64) * direction).sum()
                    np.testing.assert_allclose(along, derivative, rtol=1e-5, atol=1e-5, err_msg=message)
                    differentiable[name] += dtype == "float64"
    assert min(differentiable.values()) > 0.6 * count, differentiable


def test_worked_example():
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


@pytest.mark.parametrize(("max_anchors", "step"), [(None, 1), (1, 10), (3, 4), (5, 2), (9, 2), (10, 1), (64, 1)])
def test_counts_of_some_anchors(max_anchors, step):
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(10, 3)), np.arange(10) % 3
    active = valid = 0
    for a, p, n in itertools.product(range(0, 10, step), range(10), range(10)):
        if a != p and labels[a] == labels[p] != labels[n]:
            valid += 1
            active += np.linalg.norm(x[a] - x[p]) - np.linalg.norm(x[a] - x[n]) + 1 > 0
    assert tuple(map(int, triplet_counts(labels, x, max_anchors=max_anchors))) == (active, valid)
    assert 0 < active < valid


def test_worked_example_of_the_hard_gradient_where_positive_and_negative_are_equally_far():
    # Anchor at the origin: its only positive, at the right, is pulled in; its only negative, above, is pushed away.
    x = tf.Variable([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    with tf.GradientTape() as tape:
        cost = triplet_hard_costs(tf.constant([5, 5, 9]), x)[0]
    assert float(cost) == 1.0
    np.testing.assert_allclose(tape.gradient(cost, x)[1:], [[1, 0], [0, -1]])


def test_the_losses_equal_slow_references():
    check_against_references(seed=0, count=40, dtypes=("float64",))


@pytest.mark.slow
def test_the_losses_equal_slow_references_on_a_thousand_batches():
    check_against_references(seed=1, count=1000, largest=64)


@pytest.fixture
def addons() -> Iterator[ModuleType]:
    found = pytest.importorskip("tensorflow_addons", reason="TensorFlow Addons is there for Python 3.11 only")
    tf.config.run_functions_eagerly(True)  # TensorFlow would trace the functions of Addons again for each margin
    yield found.losses
    tf.config.run_functions_eagerly(False)


def has_ties(batch: Batch) -> bool:
    """Returns True if a positive and a negative of an anchor are equally far, up to float32 rounding."""
    distances = reference_distances(batch.embeddings, batch.metric)
    same = batch.labels[:, None] == batch.labels
    ties = np.abs(distances[:, :, None] - distances[:, None, :]) < 1e-5  # anchor, positive, negative
    return bool((ties & (same & ~np.eye(len(same), dtype=bool))[:, :, None] & ~same[:, None, :]).any())


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("semi-hard", ("exact", "grid")),  # Addons rounds distances to float32, which breaks the ties of other batches
        ("hard", ("gaussian", "exact", "grid")),
        ("hard soft", ("gaussian", "exact", "grid")),
    ],
)
def test_they_are_those_of_tensorflow_addons(addons, name, kinds):
    loss, arguments = LOSSES[name]
    theirs = getattr(addons, loss.__name__)
    finite = 0
    for number, batch in enumerate(batches(2, 100, kinds)):
        length = 16.0 if number % 10 == 0 else 1.0  # length of embeddings at which exp() overflows
        x = tf.constant(batch.embeddings * length, tf.float32)
        common = {"margin": batch.margin, "distance_metric": batch.metric, **arguments}
        ours, expected = (float(function(batch.labels, x, **common)) for function in (loss, theirs))
        if math.isfinite(expected):
            finite += 1
            if name == "semi-hard" and batch.metric == "angular" and has_ties(batch):
                # Addons normalizes in float32, on some processors with an approximate root, which breaks the ties.
                distances = reference_distances(batch.embeddings, batch.metric)
                expected = references(distances, batch.labels, batch.margin)[0][name].value
            assert ours == pytest.approx(expected, rel=1e-5, abs=1e-5), f"batch {number}"
        else:
            assert math.isfinite(ours), f"batch {number}"
            assert name == "hard soft" or ours == 0.0, f"batch {number}"
    assert 75 < finite < 100 or (name == "hard" and finite == 100)


DEGENERATE = {  # labels, embeddings
    "identical embeddings": ([0, 0, 0, 1, 1, 1], np.tile([0.3, -0.2, 0.9], (6, 1))),
    "identical within a class": ([0, 0, 0, 1, 1, 1], np.repeat([[0.6, 0.8, 0.0], [0.0, 0.6, 0.8]], 3, axis=0)),
    "all zeros": ([0, 0, 1, 1], np.zeros((4, 3))),
    "one class": ([7, 7, 7, 7], np.arange(12).reshape(4, 3) / 7),
    "no positive": ([0, 1, 2, 3], np.arange(12).reshape(4, 3) / 7),
    "one image": ([5], np.ones((1, 3))),
}


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.parametrize(
    "dtype", ["float16", "float32", *(pytest.param(t, marks=pytest.mark.slow) for t in ("bfloat16", "float64"))]
)
def test_loss_and_gradient_are_finite_on_degenerate_batches(case, dtype):
    labels, embeddings = DEGENERATE[case]
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
def test_values_on_degenerate_batches(name):
    loss, arguments = LOSSES[name]
    value = {case: float(loss(tf.constant(y), tf.constant(x), **arguments)) for case, (y, x) in DEGENERATE.items()}
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
    found, _ = references(distances, labels.numpy(), 1.0)
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
        expected, expected_gradient = value_and_gradient(name, batch, "float32")
        assert float(value) == pytest.approx(expected, rel=1e-6)
        np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_xla_compiles_it(name):
    """Keras 3 compiles with XLA if there is a GPU."""
    loss, arguments = LOSSES[name]
    x, labels = tf.random.stateless_normal((6, 4), [1, 2]), tf.constant([0, 1, 0, 1, 0, 2])
    compiled = tf.function(lambda labels, x: loss(labels, x, **arguments), jit_compile=True)
    assert float(compiled(labels, x)) == pytest.approx(float(loss(labels, x, **arguments)), rel=1e-5)


def test_an_unknown_average_is_refused():
    with pytest.raises(ValueError, match="average must be one of active, valid; got 'all'"):
        triplet_batch_all_loss([0, 0, 1], tf.zeros((3, 2)), average="all")
