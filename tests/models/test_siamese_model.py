import json

import numpy as np
import pytest
from PIL import Image
from tensorflow import keras

from siamese_tf.data.images.decode import load_image
from siamese_tf.data.images.format import RESIZES, ImageFormat
from siamese_tf.errors import ConfigError, ImageError
from siamese_tf.models import inputs, pair_scorer
from siamese_tf.models.float32_cosines import SCORE_ERROR
from siamese_tf.models.model_file import load_model, save_model
from siamese_tf.models.pixels import scale_pixels
from siamese_tf.models.probability import probability
from siamese_tf.models.siamese_model import SiameseModel
from siamese_tf.models.towers.build import build_tower
from siamese_tf.models.views import make_views


def images(count: int, seed: int = 1) -> np.ndarray:
    """8x8 gray images of four uniform squares each, which an untrained tower distinguishes better than noise."""
    squares = np.random.default_rng(seed).integers(0, 256, (count, 2, 2, 1), dtype=np.uint8)
    return squares.repeat(4, axis=1).repeat(4, axis=2)


# Scores


def test_a_score_is_the_sigmoid_of_the_heads_answer_on_the_two_embeddings(each):
    a, b = images(5, seed=1), images(5, seed=2)
    embeddings = [np.asarray(each.tower(stack / np.float32(255), training=False)) for stack in (a, b)]
    np.testing.assert_allclose(each.embed(a), embeddings[0], atol=1e-5)
    logits = np.asarray(each.head((embeddings[0], embeddings[1])), np.float64)
    np.testing.assert_allclose(each.score(a, b), 1 / (1 + np.exp(-logits)), atol=1e-6)
    assert each.score(a, b).dtype == np.float64
    assert np.ptp(each.score(a, b)) > 0.01


def test_a_score_is_the_same_both_ways_round(each):
    a, b = images(50, seed=1), images(50, seed=2)
    np.testing.assert_allclose(each.score(a, b), each.score(b, a), atol=1e-6)


def test_a_score_does_not_depend_on_the_others_in_its_stack(small):
    """700 images are more than one batch."""
    a, b = images(700, seed=1), images(700, seed=2)
    scores = small.score(a, b)
    assert np.ptp(scores) > 0.1
    order = np.random.default_rng(3).permutation(700)
    np.testing.assert_allclose(small.score(a[order], b[order]), scores[order], atol=1e-5)
    some = range(0, 700, 7)
    np.testing.assert_allclose([small.score(a[i], b[i]) for i in some], scores[::7], atol=1e-5)


def test_the_size_of_the_blocks_makes_no_difference(small, monkeypatch):
    a, b = images(23, seed=1), images(23, seed=2)
    embeddings, scores = small.embed(a), small.score(a, b)
    monkeypatch.setattr(inputs, "EMBED_BATCH", 5)
    monkeypatch.setattr(pair_scorer, "PAIR_BLOCK", 7)
    np.testing.assert_allclose(small.embed(a), embeddings, atol=1e-5)
    np.testing.assert_allclose(small.score(a, b), scores, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bytes_and_floats_get_the_same_score(each, dtype):
    a, b = images(20, seed=1), images(20, seed=2)
    np.testing.assert_allclose(each.score(a / dtype(255), b / dtype(255)), each.score(a, b), atol=1e-6)
    np.testing.assert_allclose(each.score(a, b / dtype(255)), each.score(a, b), atol=1e-6)


def test_one_image_a_stack_and_one_against_a_stack(small):
    a, b = images(4, seed=1), images(4, seed=2)
    scores = small.score(a, b)
    assert scores.shape == (4,)
    single = small.score(a[0], b[0])
    assert type(single) is float
    assert single == pytest.approx(scores[0], abs=1e-6)
    assert small.score(a[:1], b[:1]).shape == (1,)
    against_all = np.array([small.score(a[0], image) for image in b])
    np.testing.assert_allclose(small.score(a[0], b), against_all, atol=1e-6)
    np.testing.assert_allclose(small.score(b, a[0]), against_all, atol=1e-6)
    np.testing.assert_allclose(small.score(a[..., 0], b[..., 0]), scores, atol=1e-6)


@pytest.mark.parametrize(("first", "second"), [(3, 2), (1, 3), (3, 1), (0, 2)])
def test_stacks_of_unequal_length_are_refused(small, first, second):
    with pytest.raises(ImageError, match=f"same length.* got {first} and {second} images"):
        small.score(images(first), images(second))


def test_what_is_no_image_is_refused(small):
    with pytest.raises(ImageError, match="got \\(9, 8\\)"):
        small.score(images(1)[0], np.zeros((9, 8), np.uint8))
    with pytest.raises(ImageError, match="Divide by 255"):
        small.embed(images(2) * 1.0)


def test_image_files_are_scored(small, tmp_path):
    a, b = images(2)
    for name, image in (("a.png", a), ("b.png", b)):
        Image.fromarray(image[..., 0]).save(tmp_path / name)
    score = small.score(tmp_path / "a.png", str(tmp_path / "b.png"))
    assert score == pytest.approx(small.score(a, b), abs=1e-6)


@pytest.mark.parametrize("head", ["cosine", "euclidean"])
def test_no_image_matches_better_than_itself(drawn, head):
    model = drawn(SiameseModel((8, 8, 1), "reference", 4, head=head))
    stack = images(12)
    for image in stack:
        scores = model.score(image, stack)
        assert model.score(image, image) >= scores.max() - 1e-6
        assert np.ptp(scores) > 0.01


# Embeddings


def test_embeddings_of_one_of_many_and_of_none(small):
    stack = images(3)
    assert small.embed(stack).shape == (3, 6)
    assert small.embed(stack).dtype == np.float32
    assert small.embed(stack[0]).shape == (6,)
    np.testing.assert_allclose(small.embed(stack[0]), small.embed(stack)[0], atol=1e-5)
    for none in (stack[:0], np.zeros((0, 8, 8))):
        assert small.embed(none).shape == (0, 6)
        assert small.score(none, none).shape == (0,)
        assert small.score(stack[0], none).shape == (0,)


# Many pairs among the same images


@pytest.fixture
def embedded(monkeypatch) -> list[int]:
    """The number of images in each call of `embed`."""
    counts, embed = [], SiameseModel.embed

    def count(self, stack):
        counts.append(len(stack))
        return embed(self, stack)

    monkeypatch.setattr(SiameseModel, "embed", count)
    return counts


def test_score_pairs_is_score_row_by_row_with_each_image_embedded_once(each, embedded):
    stack, rng = images(30), np.random.default_rng(1)
    img1, img2 = rng.integers(0, 20, (2, 200))  # ten images are in no pair
    scores = each.score_pairs(stack, img1, img2)
    assert embedded == [len(np.unique([img1, img2]))]
    assert embedded[0] <= 20
    np.testing.assert_allclose(scores, each.score(stack[img1], stack[img2]), atol=1e-5)
    assert scores.dtype == np.float64


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint16])
def test_score_pairs_takes_floats_without_a_channel_and_any_whole_numbers(small, dtype):
    stack = images(3)
    img1, img2 = np.array([0, 2, 1], dtype), np.array([1, 1, 1], dtype)
    scores = small.score_pairs(stack[..., 0] / 255, img1, img2)
    np.testing.assert_allclose(scores, small.score(stack[img1], stack[img2]), atol=1e-5)


def test_score_pairs_of_one_image_or_no_pair(small):
    stack, none = images(3), np.zeros(0, np.int32)
    assert small.score_pairs(stack, none, none).shape == (0,)
    one = small.score_pairs(stack, np.array([2]), np.array([2]))
    np.testing.assert_allclose(one, [small.score(stack[2], stack[2])], atol=1e-5)


# Views


@pytest.mark.parametrize("views", ["one", "mirror", "turn", "shift"])
def test_an_embedding_is_the_mean_over_the_views(drawn, views):
    plain, model = (drawn(SiameseModel((8, 8, 1), "reference", 4, views=some)) for some in ("one", views))
    stack = images(6, seed=1)
    each = [plain.embed(np.asarray(view)) for view in make_views(scale_pixels(stack), views)]
    np.testing.assert_allclose(model.embed(stack), np.mean(each, axis=0), atol=1e-6)
    np.testing.assert_allclose(model((stack[:3], stack[3:])), model.score(stack[:3], stack[3:]), atol=1e-6)


def test_an_image_and_its_mirror_image_may_be_the_same_to_a_model(drawn):
    plain, mirror = (drawn(SiameseModel((8, 8, 1), "reference", 4, views=views)) for views in ("one", "mirror"))
    stack = images(6, seed=1)
    mirrored = stack[:, :, ::-1]
    np.testing.assert_allclose(mirror.embed(stack), mirror.embed(mirrored), atol=1e-6)
    assert np.abs(plain.embed(stack) - plain.embed(mirrored)).max() > 0.01


# Image files of another size


@pytest.mark.parametrize("resize", RESIZES)
def test_image_files_are_brought_to_the_models_size_as_it_says(drawn, tmp_path, resize):
    model = drawn(SiameseModel((8, 8, 1), "reference", 4, resize=resize))
    assert (model.resize, model.image_format) == (resize, ImageFormat((8, 8), "grey", resize))
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, image in zip(paths, images(3), strict=True):
        Image.fromarray(np.hstack([image, 255 - image])[..., 0]).save(path)  # twice as wide as high
    brought = np.stack([load_image(path, 8, 8, 1, resize) for path in paths])
    np.testing.assert_allclose(model.embed(paths), model.embed(brought), atol=1e-6)
    assert model.score(paths[0], paths[1]) == pytest.approx(model.score(brought[0], brought[1]), abs=1e-6)
    np.testing.assert_allclose(model.score_matrix(paths, paths), model.score_matrix(brought, brought), atol=1e-5)
    padded = np.stack([load_image(path, 8, 8, 1) for path in paths])
    assert np.allclose(model.embed(paths), model.embed(padded), atol=1e-3) == (resize == "pad")


def test_the_form_of_a_model_for_colour():
    assert SiameseModel((8, 9, 3), "reference", 4).image_format == ImageFormat((8, 9), "rgb", "pad")


def test_image_files_are_inverted_and_centered_as_the_model_says(drawn, tmp_path):
    model = drawn(SiameseModel((8, 8, 1), "reference", 4, invert=True, center="strokes"))
    ink = np.full((20, 20), 255, np.uint8)
    ink[2:8, 10:16] = 0
    Image.fromarray(ink).save(tmp_path / "ink.png")
    prepared = load_image(tmp_path / "ink.png", *model.input_size, *model.image_format.options)
    np.testing.assert_array_equal(prepared[1:7, 1:7], 255)
    assert prepared.sum() == 36 * 255
    np.testing.assert_allclose(model.embed(tmp_path / "ink.png"), model.embed(prepared), atol=1e-6)
    save_model(model, tmp_path / "a.keras")
    loaded = load_model(tmp_path / "a.keras")
    np.testing.assert_allclose(loaded.embed(tmp_path / "ink.png"), model.embed(prepared), atol=1e-6)
    with pytest.raises(ConfigError, match="center must be one of strokes; got 'ink'"):
        SiameseModel((8, 8, 1), "reference", 4, center="ink")


def test_another_way_to_resize_is_refused():
    with pytest.raises(ConfigError, match="resize must be one of pad, crop, stretch; got 'fit'"):
        SiameseModel((8, 8, 1), "reference", 4, resize="fit")


# All images against all


def test_the_score_matrix_is_score_of_every_two(each):
    a, b = images(9, seed=1), images(6, seed=2)
    b[2] = a[4]
    scores = each.score_matrix(a, b)
    np.testing.assert_allclose(scores, [[each.score(one, other) for other in b] for one in a], atol=1e-5)
    assert scores.dtype == np.float32
    assert np.ptp(scores) > 0.01


def test_top_k_are_the_highest_of_the_matrix(each):
    queries, gallery = images(5, seed=1), images(20, seed=2)
    indices, scores = each.top_k(queries, gallery, 4)
    # `score_matrix` is exact to 1e-5 only, `top_k` to the rounding of float32.
    matrix = probability(each.all_pairs.logit_matrix(each.embed(queries), each.embed(gallery)).astype(np.float64))
    np.testing.assert_allclose(scores, np.sort(matrix, axis=1)[:, :-5:-1], atol=1e-6)
    np.testing.assert_allclose(scores, np.take_along_axis(matrix, indices, axis=1), atol=1e-6)
    np.testing.assert_allclose(each.score_matrix(queries, gallery), matrix, atol=SCORE_ERROR)
    assert all(len(set(row)) == 4 for row in indices.tolist())


def test_every_image_of_two_stacks_is_embedded_once_and_those_of_one_stack_too(small, embedded):
    a, b = images(4, seed=1), images(3, seed=2)
    small.score_matrix(a, b)
    small.top_k(a, b, 2)
    assert embedded == [4, 3] * 2
    own = small.score_matrix(a, a)
    small.top_k(a, a, 2)
    assert embedded == [4, 3] * 2 + [4] * 2
    np.testing.assert_allclose(own, small.score_matrix(a, a.copy()), atol=1e-6)


def test_a_gallery_embedded_once_serves_many_queries(small):
    queries, gallery = images(4, seed=1), images(9, seed=2)
    kept = small.embed(gallery)
    for query in queries:
        probe = small.embed(query)[np.newaxis]
        np.testing.assert_allclose(
            small.all_pairs.score_matrix(probe, kept), small.score_matrix(query, gallery), atol=1e-6
        )
        for here, there in zip(small.all_pairs.top_k(probe, kept, 3), small.top_k(query, gallery, 3), strict=True):
            np.testing.assert_allclose(here, there, atol=1e-6)


def test_a_single_image_is_a_stack_of_one_and_none_give_nothing(small, tmp_path):
    a, b = images(1)[0], images(3, seed=2)
    Image.fromarray(a[..., 0]).save(tmp_path / "a.png")
    for one in (a, tmp_path / "a.png"):
        np.testing.assert_allclose(small.score_matrix(one, b), [small.score(a, b)], atol=1e-6)
    assert small.score_matrix(b[:0], b).shape == (0, 3)
    assert small.score_matrix(b, b[:0]).shape == (3, 0)
    assert [found.shape for found in small.top_k(b[:0], b, 2)] == [(0, 2)] * 2
    with pytest.raises(ConfigError, match="from 1 to 0, the size of the gallery; got 1"):
        small.top_k(b, b[:0], 1)


# As Keras sees it


def test_call_and_predict_give_the_score(each):
    a, b = images(20, seed=1), images(20, seed=2)
    scores = each.score(a, b)
    called = np.asarray(each((a, b)))
    np.testing.assert_allclose(called, scores, atol=1e-5)  # other batch sizes round otherwise
    np.testing.assert_allclose(each((np.float32(a / 255), np.float32(b / 255))), called, atol=1e-6)
    np.testing.assert_allclose(each.predict([a, b], batch_size=8, verbose=0), scores, atol=1e-5)
    np.testing.assert_allclose(each.predict(np.stack([a, b]), batch_size=8, verbose=0), scores, atol=1e-5)


def test_in_training_both_sides_share_one_batch_statistic(drawn):
    """With two passes, each half would have the statistics of one side, and the score would depend on the order."""
    model = drawn(SiameseModel((8, 8, 1), "small_cnn", 6))
    dark, bright = images(6, seed=1) // 4, 255 - images(6, seed=2) // 4
    scores = model((dark, bright), training=True)
    np.testing.assert_allclose(model((bright, dark), training=True), scores, atol=1e-5)
    together = np.asarray(model.tower(np.concatenate([dark, bright]) / np.float32(255), training=True))
    np.testing.assert_allclose(scores, probability(np.asarray(model.head((together[:6], together[6:])))), atol=1e-5)
    assert np.abs(scores - model((dark, bright), training=False)).max() > 0.01


def test_the_config_builds_the_same_network_again(each):
    config = json.loads(json.dumps(each.get_config()))
    assert config == {
        "input_size": [8, 8, 1],
        "tower": "reference",
        "embedding_dim": 4,
        "head": each.head_name,
        "threshold": 0.5,
        "record": {},
        "views": "one",
        "resize": "pad",
        "invert": False,
        "center": None,
    }
    other = {
        "threshold": 0.25,
        "record": {"seed": 3},
        "views": "turn",
        "resize": "crop",
        "invert": True,
        "center": "strokes",
    }
    again = SiameseModel.from_config(config | other)
    assert again.get_config() == config | other
    assert [tuple(weight.shape) for weight in again.weights] == [tuple(weight.shape) for weight in each.weights]


# What it is built from


def test_the_record_is_a_plain_copy():
    record = {"accuracy": {"test": 0.9, "test_ci95": [0.8, 1.0]}, "seed": 1, "note": None}
    model = SiameseModel((8, 8, 1), "reference", 4, record=record)
    assert model.record == record
    assert type(model.record) is type(model.record["accuracy"]) is dict
    assert type(model.record["accuracy"]["test_ci95"]) is list
    model.record["accuracy"]["test"] = 1.0
    record["seed"] = 2
    assert model.record["accuracy"]["test"] == 0.9
    assert model.record["seed"] == 1
    model.record = {"seed": 5}
    assert model.record == model.get_config()["record"] == {"seed": 5}
    assert SiameseModel((8, 8, 1), "reference", 4).record == {}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), np.float32(1), {1, 2}])
def test_a_record_of_other_than_plain_values_is_refused(value):
    with pytest.raises(ConfigError, match="record must contain plain values only"):
        SiameseModel((8, 8, 1), "reference", 4, record={"accuracy": value})


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_no_score_can_reach_or_miss_is_refused(threshold):
    with pytest.raises(ConfigError, match="threshold must lie in \\[0, 1\\]"):
        SiameseModel((8, 8, 1), "reference", 4, threshold=threshold)


def functional(size: tuple[int, int, int] = (8, 8, 1)) -> keras.Model:
    image = keras.Input(size)
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(3, 3)(image))
    return keras.Model(image, keras.layers.Dense(5)(keras.layers.Flatten()(x)))


def sequential() -> keras.Model:
    return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(5)])


def nested() -> keras.Model:
    return keras.Sequential([keras.Input((8, 8, 1)), functional(), keras.layers.Dense(5)])


def wrapped() -> keras.Model:
    """A subclassed model without known shapes, inside a functional model."""
    image = keras.Input((8, 8, 1))
    return keras.Model(image, unknown()(image))


def unknown() -> keras.Model:
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.flatten, self.dense = keras.layers.Flatten(), keras.layers.Dense(5)

        def call(self, x):
            return self.dense(self.flatten(x))

    return Own()


@pytest.mark.parametrize("tower", [functional, sequential, nested, wrapped])
def test_a_tower_of_ones_own(tower):
    tower = tower()
    model = SiameseModel((8, 8, 1), tower, embedding_dim=99)
    assert model.tower is tower
    assert (model.tower_name, model.embedding_dim) == ("custom", 5)
    a, b = images(4, seed=1), images(4, seed=2)
    assert model.embed(a).shape == (4, 5)
    np.testing.assert_allclose(model.score(a, b), model((a, b)), atol=1e-6)


def image_to(*outputs: keras.layers.Layer) -> keras.Model:
    image = keras.Input((8, 8, 1))
    return keras.Model(image, [output(image) for output in outputs] if len(outputs) > 1 else outputs[0](image))


def two_images() -> keras.Model:
    both = [keras.Input((8, 8, 1)), keras.Input((8, 8, 1))]
    return keras.Model(both, keras.layers.Flatten()(keras.layers.Concatenate()(both)))


@pytest.mark.parametrize(
    ("tower", "finding"),
    [
        (lambda: functional((9, 8, 1)), r"got \(None, 9, 8, 1\) to \(None, 5\)"),
        (lambda: functional((8, 8, 3)), r"got \(None, 8, 8, 3\)"),
        (lambda: image_to(keras.layers.Conv2D(2, 3)), r"embeddings; got .* to \(None, 6, 6, 2\)"),
        (
            lambda: image_to(keras.layers.Flatten(), keras.layers.Flatten()),
            "must return one tensor of embeddings; got a list of 2",
        ),
        (two_images, "got .*8, 8, 1.*8, 8, 1"),
        (unknown, "must be a keras.Model with known shapes"),
        (lambda: keras.Sequential([keras.layers.Flatten()]), "must be a keras.Model with known shapes"),
        (lambda: None, "must be a keras.Model; got an object of type NoneType"),
        (lambda: "vgg", "tower must be one of small_cnn, small_cnn_v2, resnet, .*, or a keras.Model; got 'vgg'"),
        (lambda: "custom", "a custom tower, which the file does not contain"),
    ],
)
def test_a_tower_that_cannot_be_one_is_refused(tower, finding):
    with pytest.raises(ConfigError, match=finding):
        build_tower(tower(), (8, 8, 1), 4)
