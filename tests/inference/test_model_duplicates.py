import itertools

import numpy as np
import pytest
from PIL import Image

from siamese_tf.errors import ConfigError
from siamese_tf.inference import model_duplicates
from siamese_tf.inference.model_duplicates import model_pairs
from siamese_tf.models.siamese_model import SiameseModel


@pytest.fixture(scope="module")
def model() -> SiameseModel:
    return SiameseModel((8, 8, 1), "small_cnn", 4)


@pytest.fixture
def paths(tmp_path):
    rng, paths = np.random.default_rng(0), []
    for number in range(7):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(paths[-1])
    paths[3].write_bytes(b"no image")
    return paths


@pytest.mark.parametrize("block", [2, 100])
def test_the_pairs_are_those_whose_score_reaches_the_threshold(model, paths, monkeypatch, block):
    monkeypatch.setattr(model_duplicates, "BLOCK", block)
    usable = [number for number in range(7) if number != 3]
    scores = {(i, j): model.score(paths[i], paths[j]) for i, j in itertools.combinations(usable, 2)}
    ordered = sorted(scores.values())
    threshold = (ordered[7] + ordered[8]) / 2
    found = {(pair.first, pair.second): pair for pair in model_pairs(model, paths, threshold)}
    assert set(found) == {pair for pair, score in scores.items() if score >= threshold}
    for pair, one in found.items():
        assert (one.kind, one.score) == ("model", pytest.approx(scores[pair], abs=1e-5))


def test_the_default_threshold_is_that_of_the_model(model, paths, monkeypatch):
    monkeypatch.setattr(model, "threshold", 1.0)
    assert list(model_pairs(model, paths)) == []


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.1])
def test_a_threshold_out_of_range_is_refused(model, paths, threshold):
    with pytest.raises(ConfigError, match="the threshold must be above 0 and at most 1"):
        list(model_pairs(model, paths, threshold))
