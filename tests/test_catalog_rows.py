"""One row of the catalog adds a tower or an objective: it can be trained, saved, loaded and scored with."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import run_fixtures
from toy_catalog import ROWS, toy_dense_parameters

from siamese_tf.config.catalog import OBJECTIVES, TOWERS
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError, ModelFileError
from siamese_tf.models.model_file import load_model
from siamese_tf.training.train import train_and_evaluate

pytestmark = pytest.mark.train

quarters, run_of = run_fixtures.quarters, run_fixtures.run_of
TESTS = Path(__file__).parent
BATCHES = {"toy_hinge": {"batch_pairs": 32}, "toy_spread": {"classes_per_batch": 4, "images_per_class": 5}}
SCORE_IN_A_NEW_PROCESS = """
import sys
import numpy as np
from toy_catalog import ROWS
from siamese_tf.models.model_file import load_model
for rows, name, row in ROWS:
    rows[name] = row
images = np.load(sys.argv[2])
np.save(sys.argv[3], load_model(sys.argv[1]).score(images[:20], images[20:40]))
"""


@pytest.fixture
def _registered(monkeypatch):
    for rows, name, row in ROWS:
        monkeypatch.setitem(rows, name, row)


@pytest.fixture(scope="module", params=BATCHES)
def trained(request, quarters, run_of, tmp_path_factory):
    """(folder of the run, model, 40 images) of an objective, with the toy tower; registered for the training alone."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        for rows, name, row in ROWS:
            patch.setitem(rows, name, row)
        config = TrainConfig(objective=request.param, tower="toy_dense", epochs=20, **BATCHES[request.param])
        model = train_and_evaluate(config, folder, pairs=run_of(quarters, config), quiet=True)
    return folder, model, quarters.images[:40]


@pytest.mark.usefixtures("_registered")
def test_it_trains_with_the_defaults_of_its_rows(trained):
    folder, model, _ = trained
    config = TrainConfig.load(folder / "config.json")
    assert config.objective in BATCHES
    assert (config.tower, config.embedding_dim, config.learning_rate) == ("toy_dense", 3, 0.02)
    assert (config.head, config.augment) == (OBJECTIVES[config.objective].head, "none")
    assert model.tower.count_params() == toy_dense_parameters((8, 8, 1), 3) == 195
    assert (model.record["objective"], model.record["tower"]) == (config.objective, "toy_dense")
    assert model.record["accuracy"]["test"] > 0.9


@pytest.mark.usefixtures("_registered")
def test_it_is_loaded_and_scores_after_its_rows_are_registered_again(trained):
    folder, model, images = trained
    loaded = load_model(folder / "siamese.keras")
    np.testing.assert_array_equal(loaded.score(images[:20], images[20:]), model.score(images[:20], images[20:]))


@pytest.mark.parametrize("trained", ["toy_hinge", pytest.param("toy_spread", marks=pytest.mark.slow)], indirect=True)
def test_it_is_loaded_and_scores_in_a_new_process(trained, tmp_path):
    folder, model, images = trained
    np.save(tmp_path / "images.npy", images)
    paths = [str(path) for path in (folder / "siamese.keras", tmp_path / "images.npy", tmp_path / "scores.npy")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
    subprocess.run([sys.executable, "-c", SCORE_IN_A_NEW_PROCESS, *paths], env=environment, check=True)
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), model.score(images[:20], images[20:]), atol=1e-6)


def test_without_its_row_it_is_refused(trained):
    with pytest.raises(ModelFileError, match="tower must be one of small_cnn, .*; got 'toy_dense'"):
        load_model(trained[0] / "siamese.keras")
    with pytest.raises(ConfigError, match="tower must be one of small_cnn, .*; got 'toy_dense'"):
        TrainConfig(tower="toy_dense")
    with pytest.raises(ConfigError, match="objective must be one of bce, .*; got 'toy_hinge'"):
        TrainConfig(objective="toy_hinge")


@pytest.mark.usefixtures("_registered")
def test_its_file_is_checked_against_the_count_of_its_row(trained, monkeypatch):
    monkeypatch.setattr("toy_catalog.toy_dense_parameters", lambda size, dimensions: 196)
    with pytest.raises(ModelFileError, match="must have 196 weights .*; the file has 195"):
        load_model(trained[0] / "siamese.keras")


@pytest.mark.usefixtures("_registered")
def test_its_settings_are_those_of_its_row():
    assert set(BATCHES) <= set(OBJECTIVES)
    assert "toy_dense" in TOWERS
    assert TrainConfig(objective="toy_spread", classes_per_batch=3).uses_class_batches
    assert not TrainConfig(objective="toy_hinge").uses_class_batches
    for wrong in (
        {"objective": "toy_hinge", "classes_per_batch": 3},
        {"objective": "toy_hinge", "margin": 0.5},
        {"objective": "toy_spread", "mining": "hard"},
        {"objective": "toy_spread", "head": "concat"},
        {"objective": "toy_spread", "pairs_per_step": "listed"},
    ):
        with pytest.raises(ConfigError, match="objective"):
            TrainConfig(**wrong)
