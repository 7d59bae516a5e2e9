import io

import numpy as np
import pytest
from PIL import Image

from siamese_tf.data.sources import omniglot_runs
from siamese_tf.evaluation.classify_episodes import choose_classes, episode_logits
from siamese_tf.inference.published_test import load_published_test
from siamese_tf.models.siamese_model import SiameseModel

MODEL = SiameseModel((8, 8, 1), tower="reference", embedding_dim=32)


def png(pixels):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


@pytest.fixture(autouse=True)
def _runs(monkeypatch):
    """Ten runs of four classes; a test image is the training image of its class, one pixel apart."""
    members = {}
    for run in range(10):
        rng, name, lines = np.random.default_rng(run), f"run{run + 1:02d}", []
        drawn = rng.integers(0, 256, (4, 8, 8), np.uint8)
        for item, one in enumerate(rng.permutation(4)):
            members[f"{name}/training/class0{item}.png"] = png(drawn[item])
            members[f"{name}/test/item0{item}.png"] = png(np.where(np.arange(64).reshape(8, 8) == 9, 0, drawn[one]))
            lines.append(f"{name}/test/item0{item}.png {name}/training/class0{one}.png")
        members[f"{name}/class_labels.txt"] = "\n".join(lines).encode()
    monkeypatch.setattr(omniglot_runs, "read_omniglot_file", lambda name, data_dir: (members, data_dir))


def logits_of(model, embeddings=None):
    test = load_published_test(model, "all-runs", "omniglot")
    embeddings = test.images.embeddings if embeddings is None else np.float32(embeddings)
    return test, episode_logits(model.all_pairs, embeddings, test.episodes)


def report_of(test, logits, seed=0):
    return test.report(choose_classes(logits, seed), logits, seed)


def test_nearly_identical_images_are_found():
    report = report_of(*logits_of(MODEL))
    assert (report["protocol"], report["episodes"], report["ways"], len(report["runs"])) == ("all-runs", 40, 4, 10)
    assert report["accuracy"] > 0.9
    assert report == report_of(*logits_of(MODEL))


def test_a_constant_and_a_random_model_are_at_chance():
    """In nearly all of ten draws the 95% interval contains chance, and so does the mean of the draws."""
    same = logits_of(MODEL, np.ones((80, 32)))
    constant = [report_of(*same, seed) for seed in range(10)]
    random = [report_of(*logits_of(MODEL, np.random.default_rng(k).normal(size=(80, 32)))) for k in range(10)]
    for reports in (constant, random):
        assert sum(low <= 0.25 <= high for low, high in (report["ci95"] for report in reports)) >= 8
        three_errors = 3 * (0.25 * 0.75 / 400) ** 0.5
        assert np.mean([report["accuracy"] for report in reports]) == pytest.approx(0.25, abs=three_errors)


def test_a_label_swapped_model_is_almost_never_right():
    swapped = SiameseModel((8, 8, 1), tower="reference", embedding_dim=32)
    swapped.head.calibrate(-1.0, 0.0)
    report = report_of(*logits_of(swapped))
    assert report["accuracy"] < 0.05
    assert report["one_to_one_assignment"]["accuracy"] < 0.1


def test_another_model_gets_the_images_in_its_own_format():
    test = load_published_test(MODEL, "all-runs", "omniglot")
    other = SiameseModel((6, 6, 1), tower="reference", embedding_dim=32, invert=True)
    own = load_published_test(other, "all-runs", "omniglot")
    assert own.images.images.shape == (80, 6, 6, 1)
    np.testing.assert_array_equal(test.embed(other), own.images.embeddings)
    assert test.title == "omniglot, 4-way 1-shot, all-runs"
