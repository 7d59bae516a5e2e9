import numpy as np
import pytest
import tensorflow as tf

from siamese_tf.config.builders import load_builder
from siamese_tf.config.catalog import HEADS
from siamese_tf.errors import ConfigError
from siamese_tf.models.heads import ConcatHead, CosineHead, EuclideanHead, build_head


def embeddings(count: int, seed: int) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).normal(size=(count, 5)).astype(np.float32))


def test_the_row_of_a_head_says_whether_it_normalizes():
    for name, row in HEADS.items():
        assert type(build_head(name, 5)) is load_builder(row.builder)
        assert build_head(name, 5).normalizes == row.normalizes


@pytest.mark.parametrize(
    ("name", "distances", "logits"),
    [
        # Equal, orthogonal and opposite directions; lengths 1 and 3 make no difference.
        ("cosine", [0, 1, 2], [5, -5, -15]),  # logit 5 - 10 distance
        ("euclidean", [0, 2**0.5, 2], [5, 5 - 5 * 2**0.5, -5]),  # logit 5 - 5 distance
    ],
)
def test_pencil(name, distances, logits):
    head = build_head(name, 2)
    a, b = tf.constant([[1.0, 0.0]] * 3), tf.constant([[3.0, 0.0], [0.0, 3.0], [-3.0, 0.0]])
    np.testing.assert_allclose(head.distance(a, b), distances, atol=2e-6)
    np.testing.assert_allclose(head.logit(a, b), logits, atol=2e-5)


def test_pencil_concat():
    # Dense 16 and Dense 4 copy a and b to their first two units, so logit = a - 2b + 1/2.
    # distance = log(1 + e^-logit).
    head = ConcatHead(1)
    kernels = [np.zeros(shape, np.float32) for shape in ((2, 16), (16, 4), (4, 1))]
    kernels[0][[0, 1], [0, 1]] = kernels[1][[0, 1], [0, 1]] = 1
    kernels[2][:2, 0] = 1, -2
    for layer, kernel, bias in zip(head.layers, kernels, (0, 0, 0.5), strict=True):
        layer.set_weights([kernel, np.full(kernel.shape[1], bias, np.float32)])
    a, b = tf.constant([[3.0], [1.0]]), tf.constant([[1.0], [1.0]])
    np.testing.assert_allclose(head.logit(a, b), [1.5, -0.5])
    np.testing.assert_allclose(head.distance(a, b), [np.log1p(np.exp(-1.5)), np.log1p(np.exp(0.5))], rtol=1e-6)
    # In the other order, the first is 1 - 6 + 1/2 = -4.5, and the mean of 1.5 and -4.5 is -1.5.
    np.testing.assert_allclose(head((a, b)), [-1.5, -0.5])


@pytest.mark.parametrize("name", ["cosine", "euclidean"])
def test_a_distance_can_be_computed_from_the_cosine(name):
    head = build_head(name, 2)
    a, b = tf.constant([[1.0, 0.0]] * 4), tf.constant([[2.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 0.0]])
    found = head.distance_of_cosine(np.array([1.0, 0.5**0.5, 0.0, -1.0], np.float32))
    np.testing.assert_allclose(found, head.distance(a, b), atol=1e-6)
    cosines = np.random.default_rng(0).uniform(-1.0, 1.0, (3, 5)).astype(np.float32)
    expected = head.distance_of_cosine(cosines)
    assert head.distance_of_cosine(cosines, out=cosines) is cosines  # in place
    np.testing.assert_array_equal(cosines, expected)


@pytest.mark.parametrize("name", ["cosine", "euclidean"])
def test_nearer_is_a_lower_distance_and_a_higher_logit(name):
    head = build_head(name, 2)
    angles = np.linspace(0, np.pi, 9)
    b = tf.constant(np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32))
    a = tf.repeat(b[:1], 9, axis=0)
    assert (np.diff(head.distance(a, b)) > 0).all()
    assert (np.diff(head.logit(a, b)) < 0).all()


def test_a_lower_distance_is_a_higher_logit(head):
    a, b = embeddings(40, seed=1), embeddings(40, seed=2)
    by_distance = np.argsort(head.distance(a, b), kind="stable")
    assert (np.diff(head.logit(a, b).numpy()[by_distance]) <= 1e-6).all()
    assert head.distance(a, b).numpy().min() >= 0
    assert np.ptp(head.distance(a, b)) > 0.1


def test_the_concat_distance_is_unbounded():
    """The contrastive loss needs distances above its margin."""
    head = ConcatHead(5)
    head.bias.assign(-30.0)
    head.scale.assign(0.0)
    np.testing.assert_allclose(head.distance(embeddings(2, 1), embeddings(2, 2)), [30.0, 30.0])


def all_pairs(measure, a, b):
    """Applies `measure` to every row of `a` with every row of `b`."""
    rows, columns = np.divmod(np.arange(len(a) * len(b)), len(b))
    return measure(tf.gather(a, rows), tf.gather(b, columns)).numpy().reshape(len(a), len(b))


@pytest.mark.parametrize("measure", ["distance", "logit"])
def test_the_matrix_has_the_values_of_all_pairs(head, measure):
    a, b = embeddings(7, seed=3), embeddings(4, seed=4)
    matrix, rows = getattr(head, f"{measure}_matrix"), getattr(head, measure)
    np.testing.assert_allclose(matrix(a, b), all_pairs(rows, a, b), atol=1e-5)
    square, listed = matrix(a, a).numpy(), all_pairs(rows, a, a)
    apart = ~np.eye(7, dtype=bool)
    np.testing.assert_allclose(square[apart], listed[apart], atol=1e-5)
    np.testing.assert_allclose(square, listed, atol=5e-3)  # on the diagonal, the root of a difference that cancels


def test_call_matrix_is_call_on_all_pairs_equal_embeddings_included(head):
    """`call` averages both orders of an asymmetric head, and so must the matrix."""
    a = embeddings(7, seed=3)
    b = tf.concat([embeddings(4, seed=4), a[:3]], axis=0)
    logits = head.call_matrix(a, b)
    np.testing.assert_allclose(logits, all_pairs(lambda *pair: head(pair), a, b), atol=1e-5)
    assert logits.dtype == tf.float32


def test_both_orders_get_the_same_logit(head):
    a, b = embeddings(40, seed=4), embeddings(40, seed=5)
    np.testing.assert_allclose(head((a, b)), head((b, a)), atol=1e-6)
    assert head((a, b)).shape == (40,)


def test_the_concat_logit_itself_depends_on_the_order(head):
    a, b = embeddings(40, seed=4), embeddings(40, seed=5)
    difference = np.abs(head.logit(a, b) - head.logit(b, a)).max()
    assert (difference < 1e-6) == head.symmetric
    assert head.symmetric == (not isinstance(head, ConcatHead))


def test_a_normalizing_head_ignores_the_length_of_an_embedding(head):
    a, b = embeddings(40, seed=4), embeddings(40, seed=5)
    for measure in (head.distance, head.logit):
        assert np.allclose(measure(a, b), measure(3.0 * a, b / 7.0), atol=1e-5) == head.normalizes
    assert head.normalizes == isinstance(head, CosineHead | EuclideanHead)


def test_calibrate_moves_every_logit(head):
    a, b = embeddings(9, seed=6), embeddings(9, seed=7)
    before = [head.logit(a, b), head((a, b)), head.logit_matrix(a, a)]
    start = [float(head.scale), float(head.bias)]
    head.calibrate(slope=2.5, intercept=-0.75)
    after = [head.logit(a, b), head((a, b)), head.logit_matrix(a, a)]
    head.scale.assign(start[0])
    head.bias.assign(start[1])
    for now, then in zip(after, before, strict=True):
        np.testing.assert_allclose(now, 2.5 * then.numpy() - 0.75, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "trained", "all_weights"),
    # Dense 64 -> 16 -> 4 -> 1 with biases: 1040 + 68 + 5; only calibration sets its scale and bias.
    [("cosine", 2, 2), ("euclidean", 2, 2), ("concat", 1113, 1115)],
)
def test_the_number_of_weights(name, trained, all_weights):
    head = build_head(name, 32)
    assert sum(int(np.prod(weight.shape)) for weight in head.trainable_variables) == trained
    assert sum(int(np.prod(weight.shape)) for weight in head.variables) == all_weights


@pytest.mark.parametrize("form", ["rows", "matrix"])
def test_zero_embeddings_have_finite_logits_and_gradients(head, form):
    """The tower `reference` ends in a ReLU and can return zero embeddings."""
    e = tf.Variable(tf.zeros((3, 5)))
    with tf.GradientTape() as tape:
        logits = head.logit(e, e) if form == "rows" else head.logit_matrix(e, e)
    assert np.isfinite(logits).all()
    assert np.isfinite(tape.gradient(logits, e)).all()


def test_an_unknown_head_is_refused():
    with pytest.raises(
        ConfigError, match="head must be one of cosine, euclidean, concat, weighted_l1; got 'manhattan'"
    ):
        build_head("manhattan", 4)
