import numpy as np
import pytest
from PIL import Image

from siamese_tf.errors import ConfigError, DatasetError
from siamese_tf.inference.anomalies import (
    Anomaly,
    anomaly_scores,
    areas_under_roc,
    find_anomalies,
    tail_probabilities,
)
from siamese_tf.models.siamese_model import SiameseModel


@pytest.fixture(scope="module")
def model() -> SiameseModel:
    return SiameseModel((8, 8, 1), "small_cnn", 4, head="cosine")


def at(*degrees: float) -> np.ndarray:
    """Returns embeddings at these angles in a plane."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles), 0 * angles, 0 * angles], axis=1).astype(np.float32)


def test_scores_by_hand(model):
    """Logits are 10 cos - 5; references at 0, 60 and 90 degrees."""
    scores, nearest, logits = anomaly_scores(model, at(0, 90), at(0, 60, 90), 2)
    np.testing.assert_allclose(logits, [5, 5], atol=1e-5)
    assert nearest.tolist() == [0, 2]
    np.testing.assert_allclose(scores, [-(5 + 0) / 2, -(5 + 10 * np.cos(np.pi / 6) - 5) / 2], atol=1e-5)


def test_a_held_out_reference_is_compared_with_the_others_only(model, monkeypatch):
    references = at(0, 60, 90, 100, 250)
    scores, nearest, _ = anomaly_scores(model, references, references, 2, same=True)
    for row in range(5):
        others = np.delete(np.arange(5), row)
        score, near, _ = anomaly_scores(model, references[row : row + 1], references[others], 2)
        assert (scores[row], nearest[row]) == (pytest.approx(score[0]), others[near[0]])
    monkeypatch.setattr("siamese_tf.inference.anomalies.BLOCK", 2)
    np.testing.assert_array_equal(anomaly_scores(model, references, references, 2, same=True)[0], scores)


def test_tail_probabilities_by_hand():
    assert tail_probabilities(np.array([0.0, 2.0, 2.5, 9.0]), np.array([1.0, 2.0, 3.0])).tolist() == [
        1,
        0.75,
        0.5,
        0.25,
    ]


def test_tail_probabilities_of_the_same_source_are_uniform():
    """The fraction of new scores with a tail probability of at most p is at most p, apart from the draw."""
    rng = np.random.default_rng(0)
    tails = np.concatenate([tail_probabilities(rng.normal(size=20), rng.normal(size=99)) for _ in range(500)])
    for level in (0.01, 0.1, 0.5):
        assert np.mean(tails <= level) == pytest.approx(level, abs=4 * np.sqrt(level / 2000))


def draw(path, kind: int, seed: int):
    """Saves a noisy image of horizontal (0) or vertical (1) stripes."""
    rng = np.random.default_rng(seed)
    stripes = 200 * (np.indices((8, 8))[kind] % 4 < 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((stripes + rng.integers(0, 50, (8, 8))).astype(np.uint8)).save(path)


@pytest.fixture
def folders(tmp_path):
    for seed in range(30):
        draw(tmp_path / "reference" / f"{seed}.png", 0, seed)
    for seed in range(10):
        draw(tmp_path / "images" / "good" / f"{seed}.png", 0, 100 + seed)
        draw(tmp_path / "images" / "turned" / "deep" / f"{seed}.png", 1, 200 + seed)
    (tmp_path / "images" / "good" / "broken.png").write_bytes(b"no image")
    return tmp_path


def test_images_unlike_the_references_come_first(model, folders):
    report = find_anomalies(model, folders / "images", folders / "reference")
    assert [one.image.split("/")[0] for one in report.images] == ["turned"] * 10 + ["good"] * 10
    assert all(one.tail_probability == 1 / 31 for one in report.images[:10])
    assert np.mean([one.tail_probability for one in report.images[10:]]) > 0.2
    assert report.references == 30
    assert [path.split("/")[-1] for path in report.unreadable] == ["broken.png"]
    scores = [one.score for one in report.images]
    assert scores == sorted(scores, reverse=True)
    assert areas_under_roc(report.images, ["good"]) == {"turned": 1.0, "all": 1.0}


def test_a_reference_itself_is_no_anomaly(model, folders):
    report = find_anomalies(model, folders / "reference", folders / "reference", 1)
    assert all(one.match_probability == pytest.approx(1 / (1 + np.exp(-5)), abs=1e-5) for one in report.images)
    assert all(one.image == one.reference for one in report.images)


def test_areas_by_folder():
    images = [
        Anomaly(name, score, 0.5, "", 0.5) for name, score in (("n/1", 1.0), ("n/2", 3.0), ("a/1", 2.0), ("b", 4.0))
    ]
    assert areas_under_roc(images, ["n"]) == {".": 1.0, "a": 0.5, "all": 0.75}


@pytest.mark.parametrize("normal", [["gone"], ["n", "a"]])
def test_normal_folders_must_exist_and_leave_others(normal):
    images = [Anomaly(name, 1.0, 0.5, "", 0.5) for name in ("n/1", "a/1")]
    with pytest.raises(ConfigError, match="must be in some of the subfolders a, n; got"):
        areas_under_roc(images, normal)


def test_wrong_arguments_are_refused(model, folders, tmp_path):
    with pytest.raises(ConfigError, match="at least 1; got 0"):
        find_anomalies(model, folders / "images", folders / "reference", 0)
    with pytest.raises(DatasetError, match="must have more than 30 readable images; got 30"):
        find_anomalies(model, folders / "images", folders / "reference", 30)
    with pytest.raises(DatasetError, match="must be an existing folder"):
        find_anomalies(model, tmp_path / "gone", folders / "reference")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="must have images that can be read; got none"):
        find_anomalies(model, tmp_path / "empty", folders / "reference")
