import numpy as np
import pytest
from PIL import Image
from tensorflow import keras

from siamese_tf.config.catalog import HEADS
from siamese_tf.errors import ImageError
from siamese_tf.inference.compare_images import compare_images
from siamese_tf.models.siamese_model import SiameseModel

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1), np.uint8)


@pytest.fixture(scope="module", params=list(HEADS))
def model(request):
    keras.utils.set_random_seed(0)
    return SiameseModel((8, 8, 1), "reference", 8, request.param)


def test_every_number_is_the_models(model):
    found = compare_images(model, *IMAGES)
    a32, b32 = np.split(model.embed(IMAGES), 2)  # (1, d) each
    a, b = a32[0].astype(float), b32[0].astype(float)
    assert found.cosine == pytest.approx(a @ b / np.sqrt((a @ a) * (b @ b)))
    assert found.probability == pytest.approx(model.score(*IMAGES))
    assert found.threshold == model.threshold
    unit_a, unit_b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    if not model.head.normalizes:
        orders = [float(model.head.distance(*pair)[0]) for pair in ((a32, b32), (b32, a32))]
        assert found.distance == pytest.approx(np.mean(orders))
    else:
        distances = {"cosine": 1 - unit_a @ unit_b, "euclidean": np.linalg.norm(unit_a - unit_b)}
        assert found.distance == pytest.approx(distances[model.head_name], rel=1e-3)


@pytest.mark.parametrize("bad", [0.0, np.nan])
def test_an_embedding_that_cannot_be_compared_is_refused(model, monkeypatch, bad):
    monkeypatch.setattr(model, "embed", lambda image: np.full(8, bad, np.float32))
    with pytest.raises(ImageError, match="embeddings must be finite and not zero"):
        compare_images(model, *IMAGES)


def test_the_sides_do_not_matter(model):
    there, back = compare_images(model, *IMAGES), compare_images(model, *IMAGES[::-1])
    for name in ("cosine", "distance", "probability"):
        assert getattr(there, name) == pytest.approx(getattr(back, name), abs=1e-6)
    assert there.distance > 0


def test_the_verdict_is_same_from_the_threshold_on(model):
    found = compare_images(model, *IMAGES)
    model.threshold = found.probability
    assert compare_images(model, *IMAGES).same is True
    model.threshold = float(np.nextafter(found.probability, 1))
    assert compare_images(model, *IMAGES).same is False


def test_an_image_is_like_itself(model):
    found = compare_images(model, IMAGES[0], IMAGES[0])
    assert found.cosine == pytest.approx(1)
    if model.head.normalizes:
        assert found.distance == pytest.approx(0, abs=2e-6)


def test_image_files_are_read_and_bad_ones_refused(model, tmp_path):
    for name, image in zip("ab", IMAGES, strict=True):
        Image.fromarray(image[..., 0]).save(tmp_path / f"{name}.png")
    assert compare_images(model, tmp_path / "a.png", tmp_path / "b.png") == compare_images(model, *IMAGES)
    with pytest.raises(ImageError, match="a path that does not exist"):
        compare_images(model, tmp_path / "a.png", tmp_path / "c.png")


def test_logits_that_are_no_numbers_are_refused(model, monkeypatch):
    monkeypatch.setattr(model, "pair_logits", lambda *_: np.array([np.nan]))
    with pytest.raises(ImageError, match="got NaN or infinity for 1 of 1 pairs"):
        compare_images(model, *IMAGES)
