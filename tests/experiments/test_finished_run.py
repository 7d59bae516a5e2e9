import json
from dataclasses import replace

import pytest

from siamese_tf.config.train_config import TrainConfig
from siamese_tf.errors import ConfigError
from siamese_tf.experiments.finished_run import finished_record

CONFIG = TrainConfig(objective="bce", pairs="here/pairs.npz", epochs=2)
RESULTS = {
    "pairs": {"test": 40, "sha256": {"train": "ab", "test": "ab"}},
    "training": {"seconds": 1.0},
    "accuracy": {"validation": 0.9, "test": 0.8},
    "metrics": {"test": {"auc": 0.9, "eer": 0.1}},
}


@pytest.fixture
def run(quarters, run_of):
    return run_of(replace(quarters, sha256="ab"))


@pytest.fixture
def folder(tmp_path):
    """The files of a finished run."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG.to_dict()))
    (tmp_path / "record.json").write_text(json.dumps(RESULTS))
    return tmp_path


def test_the_record_of_a_finished_run_is_read_wherever_its_pairs_are(run, folder):
    assert finished_record(CONFIG, run, folder) == RESULTS
    assert finished_record(replace(CONFIG, pairs="there/pairs.npz"), run, folder) == RESULTS


def test_a_run_that_is_missing_or_unfinished_has_no_record(run, folder):
    assert finished_record(CONFIG, run, folder / "nowhere") is None
    (folder / "record.json").unlink()
    assert finished_record(CONFIG, run, folder) is None


@pytest.mark.parametrize("finished", [True, False])
def test_a_run_with_other_settings_is_refused(run, folder, finished):
    if not finished:
        (folder / "record.json").unlink()
    with pytest.raises(ConfigError) as caught:
        finished_record(replace(CONFIG, epochs=3), run, folder)
    assert str(caught.value) == (
        f"{folder} contains another run: epochs was 2 and is now 3. Choose another --workdir, or remove that folder"
    )


def test_a_run_on_other_pairs_is_refused(quarters, run_of, folder):
    with pytest.raises(ConfigError, match="contains another run: sha256 was .*'ab'.* and is now .*'cd'"):
        finished_record(CONFIG, run_of(replace(quarters, sha256="cd")), folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps(RESULTS | {"metrics": {}})])
def test_a_damaged_record_is_refused(run, folder, content):
    (folder / "record.json").write_text(content)
    with pytest.raises(ConfigError, match=r"record\.json is not the record of a finished run: .* Remove that folder"):
        finished_record(CONFIG, run, folder)
