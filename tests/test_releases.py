"""Files written by earlier releases load and give the same results: models, configs, records and pair files.

`fixtures/releases/README.md` lists the commands that wrote them.
"""

import hashlib
import json
import shutil
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import siamese_tf
from siamese_tf.config.train_config import TrainConfig
from siamese_tf.data.pairs.audit import audit_pairs
from siamese_tf.data.pairs.pair_file import TEST, TRAIN, VALIDATION, PairDataset, load_pair_file

pytestmark = pytest.mark.train

RELEASE = Path(__file__).resolve().parent / "fixtures" / "releases" / "0.1"
STACK = f"keras{version('keras').split('.')[0]}"
SCORES = np.load(RELEASE / "scores.npz", allow_pickle=False)
REFERENCE = "--tower reference --embedding-dim 8 --epochs 2 --seed 1"
OPTIONS = {
    **{objective: f"--objective {objective} {REFERENCE}" for objective in ("bce", "mse", "contrastive", "triplet")},
    "hog": "--objective contrastive --tower hog --head euclidean --views shift --epochs 1",
}
GENERATE = "pairs generate --dataset digits --train-pairs 200 --validation-pairs 60 --test-pairs 60 --seed 3"
# SHA-256 of the arrays of a pair file, see `digest`.
SHA256 = {
    "train": "3d866f9e5872b1817e145f9a5ac37ff9eeb4df860171b02bea1dc6427384015b",
    "test": "2b622731604f0f9080142eb2c927e380e4f0459207d541a2c015ce7472a39e72",
}

each_run = pytest.mark.parametrize("run", OPTIONS)
each_stack = pytest.mark.parametrize("stack", ["keras2", "keras3"])


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def digest(pairs: PairDataset) -> str:
    hashed = hashlib.sha256()
    for name in ("images", "labels", "img1", "img2", "similarity", "split"):
        array = getattr(pairs, name)
        hashed.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        hashed.update(array.tobytes())
    return hashed.hexdigest()


def keys(value: object, path: str = "") -> set[str]:
    """Returns the dotted names of all entries of a JSON object."""
    if not isinstance(value, dict):
        return {path}
    return {path}.union(*(keys(value[name], f"{path}.{name}") for name in value))


@pytest.fixture(scope="module")
def test_pairs() -> PairDataset:
    return load_pair_file(RELEASE / "digits" / "test_pairs.npz")


def test_every_run_of_the_release_has_scores():
    names = {str(path.parent.relative_to(RELEASE)) for path in RELEASE.glob("*/*/siamese.keras")}
    assert names == set(SCORES) == {f"{stack}/{run}" for stack in ("keras2", "keras3") for run in OPTIONS}


@each_stack
@each_run
def test_a_model_gives_the_scores_it_gave(test_pairs, stack, run):
    """The scores were computed by the release on Keras 2, also for the models that Keras 3 wrote."""
    model = siamese_tf.load_model(RELEASE / stack / run / "siamese.keras")
    scores = model.score_pairs(test_pairs.images, test_pairs.img1, test_pairs.img2)
    expected = SCORES[f"{stack}/{run}"]
    assert (scores.shape, scores.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6 if STACK == "keras2" else 1e-5)
    assert np.ptp(scores) > 0.1


@each_stack
@each_run
def test_a_model_has_its_record_and_threshold(stack, run):
    model = siamese_tf.load_model(RELEASE / stack / run / "siamese.keras")
    record = read(RELEASE / stack / run / "record.json")
    assert model.record == record
    assert model.threshold == pytest.approx(record["threshold"]["value"], abs=1e-6)


@each_stack
@each_run
def test_a_config_loads_with_every_value(stack, run):
    path = RELEASE / stack / run / "config.json"
    values, loaded = read(path), TrainConfig.load(path)
    assert loaded == TrainConfig(**values)
    assert {name: loaded.to_dict()[name] for name in values} == values
    added = {name: value for name, value in loaded.to_dict().items() if name not in values}
    assert added == {name: TrainConfig().to_dict()[name] for name in added}


@pytest.mark.parametrize(("part", "splits"), [("train", [200, 60, 0]), ("test", [0, 0, 60])], ids=["train", "test"])
def test_a_pair_file_loads_with_the_same_arrays(part, splits):
    pairs = load_pair_file(RELEASE / "digits" / f"{part}_pairs.npz")
    assert [int(np.sum(pairs.split == split)) for split in (TRAIN, VALIDATION, TEST)] == splits
    assert (pairs.manifest["seed"], pairs.manifest["split"], pairs.manifest["version"]) == (3, "image", "0.1.0")
    assert digest(pairs) == SHA256[part]


def test_the_pair_files_pass_the_audit():
    files = [load_pair_file(RELEASE / "digits" / f"{part}_pairs.npz") for part in ("train", "test")]
    audit = audit_pairs(files)
    assert (audit.leaks, audit.contradictions, audit.shared_between_files) == (0, 0, 0)
    assert json.loads(json.dumps(audit.as_dict())) == files[0].manifest["audit"]


def test_the_same_command_generates_the_same_pairs(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call(f"{GENERATE} --out .") == 0
    for part, expected in SHA256.items():
        pairs = load_pair_file(tmp_path / "digits" / f"{part}_pairs.npz")
        released = load_pair_file(RELEASE / "digits" / f"{part}_pairs.npz")
        assert digest(pairs) == expected
        assert {**pairs.manifest, "version": None} == {**released.manifest, "version": None}


@pytest.mark.parametrize(
    "run",
    [pytest.param(run, marks=pytest.mark.slow) if run in ("bce", "mse", "contrastive") else run for run in OPTIONS],
)
def test_the_same_command_trains_alike(call, test_pairs, tmp_path, monkeypatch, run):
    """A run today writes every key that the release wrote, the same resolved config, and a model that scores alike."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(RELEASE / "digits", tmp_path / "digits")
    assert call(f"train --pairs digits/train_pairs.npz {OPTIONS[run]} --batch-pairs 50 --workdir run --quiet") == 0
    released = RELEASE / STACK / run
    assert keys(read(released / "record.json")) <= keys(read(tmp_path / "run" / "record.json"))
    config, expected = read(tmp_path / "run" / "config.json"), read(released / "config.json")
    # It had another default; the command sets epochs, which override it.
    expected["images_shown"] = TrainConfig.images_shown
    assert {name: config[name] for name in expected} == expected
    model = siamese_tf.load_model(tmp_path / "run" / "siamese.keras")
    scores = model.score_pairs(test_pairs.images, test_pairs.img1, test_pairs.img2)
    # Another processor rounds otherwise, so the scores are equal, but not to the last bit.
    np.testing.assert_allclose(scores, SCORES[f"{STACK}/{run}"], rtol=0, atol=1e-3)
