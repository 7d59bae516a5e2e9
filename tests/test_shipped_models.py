"""The models in `model/` load on every stack, score alike on all, and are what stands beside them."""

import json
from pathlib import Path

import numpy as np
import pytest

from siamese_tf.config.recipes import RECIPES, config_from
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.models.model_file import load_model
from siamese_tf.models.nearest_rows import nearest_rows

ROOT = Path(__file__).resolve().parents[1]
EXPECTED = np.load(ROOT / "tests" / "fixtures" / "shipped.npz", allow_pickle=False)
FOLDERS = sorted(path.parent for path in ROOT.glob("model/**/siamese.keras"))
NAMES = [".".join(folder.relative_to(ROOT / "model").parts) for folder in FOLDERS]
MIN_SIZE = {"mnist": 0.997, "fashion-mnist": 0.955}  # of the test pairs, for every model
LEAST_OF_THE_BEST = {"mnist": 0.998, "fashion-mnist": 0.96}
PICTURES = ("accuracy.png", "roc.png", "scores.png", "sample.png", "mistakes.png")


def test_there_is_one_of_each_objective_for_both_data_sets():
    objectives = {"v1": "bce", "v2": "mse", "v3": "contrastive", "v4": "triplet"}
    for dataset in ("mnist", "fashion-mnist"):
        for version, objective in objectives.items():
            record = json.loads((ROOT / "model" / dataset / version / "record.json").read_text(encoding="utf-8"))
            assert (record["dataset"], record["objective"]) == (dataset, objective)
    assert {name.removeprefix("scores.") for name in EXPECTED if "." in name} == set(NAMES)


@pytest.mark.parametrize("dataset", MIN_SIZE)
def test_the_models_are_as_accurate_as_this_project_wants_them(dataset):
    records = [json.loads(path.read_text(encoding="utf-8")) for path in ROOT.glob(f"model/{dataset}/v*/record.json")]
    assert {record["pairs"]["test"] for record in records} == {50_000}
    accuracies = [record["accuracy"]["test"] for record in records]
    assert min(accuracies) >= MIN_SIZE[dataset]
    assert max(accuracies) >= LEAST_OF_THE_BEST[dataset]


@pytest.mark.parametrize("dataset", MIN_SIZE)
@pytest.mark.parametrize(
    ("version", "objective"), [("v1", "bce"), ("v2", "mse"), ("v3", "contrastive"), ("v4", "triplet")]
)
def test_a_model_was_trained_as_the_recipe_says_now(dataset, version, objective):
    used = TrainConfig.load(ROOT / "model" / dataset / version / "config.json").to_dict()
    recipe = config_from("best", {"objective": objective, "dataset": dataset}).to_dict()
    named = {*RECIPES["best"].settings, *RECIPES["best"].by_objective.get(objective, {})}
    resolved = {"augment", "views"}  # by the data set
    assert {name: used[name] for name in named - resolved} == {name: recipe[name] for name in named - resolved}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(folder, id=name, marks=[] if name.startswith(("mnist", "omniglot")) else pytest.mark.slow)
        for folder, name in zip(FOLDERS, NAMES, strict=True)
    ],
)
def shipped(request):
    """A folder and the model in it."""
    return request.param, load_model(request.param / "siamese.keras")


def test_a_model_scores_as_it_did_where_it_was_shipped(shipped):
    """`fixtures/make.py` wrote the scores of all pairs of two test images of each class."""
    folder, model = shipped
    name = NAMES[FOLDERS.index(folder)]
    images, expected = EXPECTED[name.split(".")[0]], EXPECTED[f"scores.{name}"]
    first, second = np.triu_indices(20, 1)
    assert expected.shape == first.shape
    scores = model.score_pairs(images, first, second)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    np.testing.assert_allclose(model.score_matrix(images, images)[first, second], expected, atol=1e-5)
    if name != "mnist.seven":  # which was made to tell only sevens from the rest
        same = first // 2 == second // 2
        assert np.mean((scores >= model.threshold) == same) > 0.9


def test_top_k_in_a_large_gallery_is_that_of_the_matrix(shipped):
    folder, model = shipped
    probes = model.embed(EXPECTED[NAMES[FOLDERS.index(folder)].split(".")[0]])
    noise = np.random.default_rng(0).normal(size=(400, *probes.shape)).astype(np.float32)
    gallery = (probes + 0.1 * probes.std() * noise).reshape(-1, probes.shape[1])
    logits = model.all_pairs.logit_matrix(probes, gallery)
    expected = np.argsort(-logits, axis=1, kind="stable")[:, :10]
    assert nearest_rows(model.all_pairs.head, probes, gallery, 10).proven.all()
    indices, scores = model.all_pairs.top_k(probes, gallery, 10)
    np.testing.assert_array_equal(indices, expected)
    matrix = model.all_pairs.score_matrix(probes, gallery)
    np.testing.assert_allclose(scores, np.take_along_axis(matrix, indices, axis=1), atol=1e-5)


def test_a_model_is_small_and_stands_with_its_record_history_and_pictures(shipped):
    folder, model = shipped
    assert model.tower.count_params() < 500_000
    assert (folder / "siamese.keras").stat().st_size < 3_000_000
    assert model.record == json.loads((folder / "record.json").read_text(encoding="utf-8"))
    assert (folder / "config.json").exists()
    rows = (folder / "history.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + model.record["training"]["epochs"]
    for name in PICTURES:
        assert (folder / name).stat().st_size > 10_000


def test_the_model_of_omniglot_was_trained_as_the_recipe_says_now():
    used = TrainConfig.load(ROOT / "model" / "omniglot" / "config.json").to_dict()
    settings = RECIPES["omniglot"].settings
    assert {name: used[name] for name in settings} == settings
