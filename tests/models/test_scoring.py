"""Invalid inputs that every scoring method of a model rejects, and inputs that all of them treat alike."""

import io
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow import keras

from siamese_tf.errors import ImageError
from siamese_tf.inference.compare_images import compare_images
from siamese_tf.models.siamese_model import SiameseModel

A, B = np.random.default_rng(0).integers(0, 256, (2, 5, 8, 8, 1), np.uint8)

# Every way to ask a model for scores: of two stacks, the scores of a[i] and b[i].
DOORS = {
    "score": lambda model, a, b: model.score(a, b),
    "score, one by one": lambda model, a, b: np.array([model.score(x, y) for x, y in zip(a, b, strict=True)]),
    "score_pairs": lambda model, a, b: model.score_pairs(np.concatenate([a, b]), *np.arange(2 * len(a)).reshape(2, -1)),
    "score_matrix": lambda model, a, b: np.diag(model.score_matrix(a, b)),
    "top_k": lambda model, a, b: np.array(
        [model.top_k(x, y[np.newaxis], 1)[1][0, 0] for x, y in zip(a, b, strict=True)]
    ),
    "compare_images": lambda model, a, b: np.array(
        [compare_images(model, x, y).probability for x, y in zip(a, b, strict=True)]
    ),
    "call": lambda model, a, b: np.asarray(model((a, b))),
    "call without channels": lambda model, a, b: np.asarray(model((a[..., 0], b[..., 0]))),
    "call with tensors": lambda model, a, b: np.asarray(model((tf.constant(a), tf.constant(b)))),
    "predict": lambda model, a, b: model.predict((a, b), verbose=0),
    "predict, in batches": lambda model, a, b: model.predict([a, b], 2, verbose=0),
    "predict of a data set": lambda model, a, b: model.predict(
        tf.data.Dataset.from_tensor_slices(((a, b),)).batch(5), verbose=0
    ),
}


def linear(*, bias: float | None = None) -> SiameseModel:
    """A model whose embedding of a black image is 0; with a large negative bias, that of every image."""
    image = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(image)
    x = keras.layers.Dense(4, activation="relu", kernel_initializer="orthogonal", use_bias=bias is not None)(x)
    tower = keras.Model(image, x)
    kernel = np.abs(tower.layers[-1].get_weights()[0])
    tower.layers[-1].set_weights([kernel] if bias is None else [kernel, np.full(4, bias, np.float32)])
    return SiameseModel((8, 8, 1), tower)


@pytest.fixture(scope="module")
def model() -> SiameseModel:
    keras.utils.set_random_seed(0)
    return linear()


# One rule for pixel values


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint16", "float16", "float32", "float64"])
@pytest.mark.parametrize("method", DOORS)
def test_every_method_takes_integers_to_255_and_floats_to_1_for_the_same_pixels(model, method, dtype):
    a, b = (images.astype(dtype) / (255 if "float" in dtype else 1) for images in (A, B))
    a, b = a.astype(dtype), b.astype(dtype)
    scores = DOORS[method](model, a, b)
    np.testing.assert_allclose(scores, model.score(A, B), atol=1e-3 if dtype == "float16" else 1e-5)


@pytest.mark.parametrize("method", DOORS)
@pytest.mark.parametrize(
    "wrong",
    [lambda one: np.float32(one), lambda one: one / 255 * 2 - 1, lambda one: one / np.nan, lambda one: one * 257],
    ids=["floats to 255", "floats from -1", "NaN", "16 bits"],
)
def test_every_method_refuses_invalid_pixels(model, method, wrong):
    """`predict` cannot check a data set in advance, so it rejects the score instead."""
    a = wrong(A.astype(np.uint16))
    with pytest.raises(ImageError, match="must lie in|scores must be finite"):
        DOORS[method](model, a.astype(np.uint16 if a.dtype.kind == "i" else a.dtype), B)


@pytest.mark.parametrize("method", DOORS)
def test_black_and_white_are_false_and_true(model, method):
    a, b = A > 128, B > 128
    expected = model.score(np.uint8(a) * np.uint8(255), np.uint8(b) * np.uint8(255))
    np.testing.assert_allclose(DOORS[method](model, a, b), expected, atol=1e-5)


def test_gray_stacks_need_no_channels_whatever_the_views():
    model = SiameseModel((8, 8, 1), "small_cnn", 4, views="turn")
    np.testing.assert_allclose(np.asarray(model((A[..., 0], B[..., 0]))), model.score(A, B), atol=1e-5)


def test_in_a_graph_pixels_out_of_range_have_no_score(model):
    graph = tf.function(lambda a, b: model((a, b)))
    scores = graph(tf.constant(np.float32(A)), tf.constant(np.float32(B / 255))).numpy()
    assert np.isnan(scores).all()
    assert not (scores >= model.threshold).any()


@pytest.mark.parametrize(
    "batches",
    [
        lambda a, b: tf.data.Dataset.from_tensor_slices((a, b)).batch(3),
        lambda a, b: tf.data.Dataset.from_tensor_slices({"img1": a, "img2": b}).batch(3),
        lambda a, b: tf.data.Dataset.from_tensor_slices(a).batch(3),
    ],
    ids=["labels", "dicts", "one side"],
)
def test_a_data_set_that_gives_no_pairs_is_refused_by_its_shape(model, batches):
    with pytest.raises(ImageError, match=r"must yield batches \(\(img1, img2\),\)"):
        model.predict(batches(A, B), verbose=0)


# A score from nothing


@pytest.mark.parametrize("method", DOORS)
@pytest.mark.parametrize("number", [-1e6, np.nan, np.inf], ids=["zero", "nan", "inf"])
def test_no_method_gives_a_score_of_an_invalid_embedding(method, number):
    """The exception is `call`, which returns NaN, below every threshold."""
    broken = linear(bias=number)
    if method.startswith("call"):
        scores = DOORS[method](broken, A, B)
        assert np.isnan(scores).all()
        assert not (scores >= 0).any()
        return
    with pytest.raises(ImageError, match="embeddings must be finite and not zero|an embedding is 0 or not finite"):
        DOORS[method](broken, A, B)


def test_the_image_without_an_embedding_is_named(model):
    black = A.copy()
    black[3] = 0
    with pytest.raises(ImageError, match=r"img1\[3\], of 5"):
        model.score(black, B)
    with pytest.raises(ImageError, match=r"img2\[3\], of 5"):
        model.score(B, black)
    with pytest.raises(ImageError, match=r"gallery\[3\], of 5"):
        model.top_k(B, black, 1)
    with pytest.raises(ImageError, match=r"images\[3\], of 2"):
        model.score_pairs(black, np.array([3]), np.array([1]))
    with pytest.raises(ImageError, match="got NaN or infinity for 1 of 5 pairs"):
        model.predict((black, B), verbose=0)
    scores = np.asarray(model((black, B)))
    assert np.isnan(scores).tolist() == [False, False, False, True, False]


def test_a_network_in_training_may_be_without_embeddings(model):
    black = np.zeros_like(A)
    assert np.isfinite(model.score_pairs(black, np.array([0]), np.array([1]), check=False)).all()
    assert np.isfinite(np.asarray(model((black, B), training=True))).all()


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_invalid_embeddings_are_refused_in_a_gallery(model, bad):
    right, wrong = np.ones((3, 4), np.float32), np.ones((3, 4), np.float32)
    wrong[1] = bad
    pairs = model.all_pairs
    for a, b in ((right, wrong), (wrong, right)):
        for refused in (pairs.score_matrix, pairs.logit_matrix, lambda a, b: pairs.top_k(a, b, 1)):
            with pytest.raises(ImageError, match=r"finite and not zero; .*\[1\], of 3"):
                refused(a, b)
    for refused in (lambda: pairs.prepare(wrong), lambda: pairs.prepared_logits(wrong, right)):
        with pytest.raises(ImageError, match="must be finite and not zero"):
            refused()


# Forms of input


class Column:
    """Like a pandas column, which NumPy converts to an array of objects."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, object)


@pytest.mark.parametrize(
    "image_format",
    [
        "paths",
        "strings",
        "array of strings",
        "array of objects",
        "generator",
        "bytes",
        "streams",
        "open files",
        "pillow",
        "mixed",
        "column",
        "tensor",
        "numbers",
    ],
)
def test_every_form_gives_the_same_scores(model, tmp_path, image_format):
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for path, image in zip(paths, A[..., 0], strict=True):
        Image.fromarray(image).save(path)
    strings = list(map(str, paths))
    files = [open(path, "rb") for path in paths]  # noqa: SIM115 (closed below)
    forms = {
        "paths": paths,
        "strings": tuple(strings),
        "array of strings": np.array(strings),
        "array of objects": np.array(paths, object),
        "generator": (path for path in paths),
        "bytes": [path.read_bytes() for path in paths],
        "streams": [io.BytesIO(path.read_bytes()) for path in paths],
        "open files": files,
        "pillow": [Image.fromarray(image) for image in A[..., 0]],
        "mixed": [paths[0], A[1], A[2] / 255, Image.fromarray(A[3, ..., 0]), paths[4].read_bytes()],
        "column": Column(strings),
        "tensor": tf.constant(A),
        "numbers": A.tolist(),
    }
    try:
        np.testing.assert_allclose(model.score(forms[image_format], B), model.score(A, B), atol=1e-6)
    finally:
        for file in files:
            file.close()


def test_an_open_file_is_read_again_each_time(model):
    stream = io.BytesIO()
    Image.fromarray(A[0, ..., 0]).save(stream, "PNG")  # the position is at the end
    for _ in range(2):
        assert model.score(stream, stream) == pytest.approx(model.score(A[0], A[0]))
    np.testing.assert_allclose(model.score_matrix([stream], [stream]), [[model.score(A[0], A[0])]], atol=1e-6)


def test_predict_takes_files_and_one_image(model, tmp_path):
    Image.fromarray(A[0, ..., 0]).save(tmp_path / "a.png")
    np.testing.assert_allclose(
        model.predict((tmp_path / "a.png", B[0]), verbose=0), [model.score(A[0], B[0])], atol=1e-5
    )
    assert model.predict(([], []), verbose=0).shape == (0,)


@pytest.mark.parametrize("pair", [(A, B[:3]), (A, B, A), (A,), (A[:, :7], B), A, {"a": A}, "a.png"])
def test_predict_refuses_what_is_no_pair_of_stacks(model, pair):
    with pytest.raises(ImageError):
        model.predict(pair, verbose=0)


def test_none_give_nothing(model):
    for none in ([], (), iter([]), np.array([]), np.array([], object), A[:0], np.zeros((0, 8, 8))):
        assert model.embed(none).shape == (0, 4)
    assert model.score([], []).shape == (0,)
    assert model.score(A[0], []).shape == (0,)
    assert model.score_matrix([], B).shape == (0, 5)


# Threads


@pytest.mark.slow
def test_sixteen_threads_at_once_get_the_scores_of_one():
    """Includes the first call, in which all threads trace."""
    model, barrier = linear(), Barrier(16)

    def score(_):
        barrier.wait()
        return model.score(A, B)

    def others(_):
        return [model.score(A, B[0]), model.score_matrix(A, B), *model.top_k(A, B, 2)]

    with ThreadPoolExecutor(16) as pool:
        answers = [[one] for one in pool.map(score, range(16))]
        expected = [[model.score(A, B)], others(0)]
        for found, right in ((answers, expected[0]), (pool.map(others, range(64)), expected[1])):
            for answer in found:
                for one, other in zip(answer, right, strict=True):
                    np.testing.assert_array_equal(one, other)
